#ifndef GATEHOUSE_LIB_PROTOCOL_SMTP_SMTP_LINE_READER_H_
#define GATEHOUSE_LIB_PROTOCOL_SMTP_SMTP_LINE_READER_H_

#include <cstddef>

#include "lib/base/byte_queue.h"
#include "lib/base/secret.h"
#include "lib/protocol/line_framer.h"

namespace gatehouse {

// RFC 5321 §4.5.3.1.4 has 512 octets, and each extension adds to MAIL and RCPT
// what its parameters take: RFC 3461's ORCPT alone 500 of xtext.
inline constexpr size_t kSmtpCommandLineBytes = 2048;
// RFC 4954 §4.
inline constexpr size_t kSmtpAuthLineBytes = 12288;

// Takes a client's command lines from what it sent. A line that is too long is
// reported once and then passed over to its end, however it was chopped: its
// tail is no command.
class SmtpLineReader {
 public:
  enum class Status {
    kNeedData,
    kLine,
    kTooLong,
    kBroken,  // ends in LF alone, or holds a CR elsewhere, or a NUL
  };

  // `sasl`: an answer in an AUTH exchange is awaited. `line` is without its
  // end; it may be a password.
  Status Read(ByteQueue& input, bool sasl, Secret& line);

  // The most that the last line could have, with CRLF: kSmtpAuthLineBytes for
  // such an answer and for AUTH itself.
  size_t longest_bytes() const { return longest_bytes_; }

 private:
  Status PassOver(ByteQueue& input);

  LineFramer framer_{kSmtpAuthLineBytes};
  size_t longest_bytes_ = kSmtpCommandLineBytes;
  bool passing_over_ = false;
  bool passed_cr_ = false;  // last
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_PROTOCOL_SMTP_SMTP_LINE_READER_H_
