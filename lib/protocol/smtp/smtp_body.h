#ifndef GATEHOUSE_LIB_PROTOCOL_SMTP_SMTP_BODY_H_
#define GATEHOUSE_LIB_PROTOCOL_SMTP_SMTP_BODY_H_

#include <cstddef>
#include <string>
#include <string_view>

namespace gatehouse {

// Both sides of DATA's framing (RFC 5321 §4.1.1.4, §4.5.2), in whatever pieces.

// Reads a message. Strict, so that no other reader can find an end, or a line,
// where this one doesn't: lines end in CRLF, and a CR or LF elsewhere, or a
// NUL, breaks the message. What is given out never ends inside of a CRLF.
class SmtpBodyReader {
 public:
  enum class Status { kNeedData, kEnd, kBroken };

  // Takes dot-stuffed octets up to CRLF.CRLF; at kEnd `consumed` octets of
  // `bytes` were taken, else all. Appends the message's octets to `message`.
  Status ReadStuffed(std::string_view bytes, size_t& consumed,
                     std::string& message);

  // Takes octets of a BDAT chunk (RFC 3030), where dots mean nothing.
  Status ReadPlain(std::string_view bytes, std::string& message);

  // At the end of the last chunk: no CR is left without its LF.
  bool ends_well() const { return at_ != At::kCr; }

 private:
  // What the next octet stands behind.
  enum class At { kLineStart, kText, kCr, kDot, kDotCr };

  // Takes octets of one line, its end included where it is there.
  Status ReadLine(std::string_view& bytes, std::string& message);
  Status ReadLineEnd(std::string_view& bytes, std::string& message);

  At at_ = At::kLineStart;
};

// Writes a message: begins each line that begins with a dot with another one.
class SmtpBodyWriter {
 public:
  void Write(std::string_view octets, std::string& out);
  // The end of the message; ends its last line where it hasn't one.
  void WriteEnd(std::string& out);

 private:
  enum class At { kLineStart, kText, kCr };
  At at_ = At::kLineStart;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_PROTOCOL_SMTP_SMTP_BODY_H_
