#ifndef GATEHOUSE_LIB_PROTOCOL_SMTP_SMTP_REPLY_READER_H_
#define GATEHOUSE_LIB_PROTOCOL_SMTP_SMTP_REPLY_READER_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "lib/base/byte_queue.h"
#include "lib/protocol/line_framer.h"
#include "lib/protocol/smtp/smtp_reply.h"

namespace gatehouse {

// Reads replies of a server (RFC 5321 §4.2): "250-text" … "250 text", each line
// with the same code. Strict: CRLF, three digits, and a space or hyphen behind
// them (or the line's end). Anything else is no SMTP server.
class SmtpReplyReader {
 public:
  // `reply_bytes`: the most that one reply may have, all its lines together.
  explicit SmtpReplyReader(size_t reply_bytes)
      : framer_(reply_bytes), most_bytes_(reply_bytes) {}

  enum class Status { kNeedData, kReply, kBroken };

  void Feed(std::string_view bytes) { input_.Append(bytes); }
  // kReply: `reply` is the next one. kBroken: nothing will follow.
  Status Next(SmtpReply& reply);

  // Octets that no reply has been made of.
  bool empty() const { return input_.empty() && begun_.lines.empty(); }
  size_t unread_bytes() const { return input_.size(); }
  // Gives up what is unread, at a hand-over.
  std::string TakeUnread();

 private:
  // False where the line doesn't continue, or begin, a reply.
  bool AddLine(std::string_view line);

  ByteQueue input_;
  LineFramer framer_;
  const size_t most_bytes_;
  SmtpReply begun_;
  size_t begun_bytes_ = 0;
  bool complete_ = false;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_PROTOCOL_SMTP_SMTP_REPLY_READER_H_
