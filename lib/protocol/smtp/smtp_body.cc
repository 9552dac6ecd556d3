#include "lib/protocol/smtp/smtp_body.h"

#include <algorithm>

namespace gatehouse {

SmtpBodyReader::Status SmtpBodyReader::ReadStuffed(std::string_view bytes,
                                                   size_t& consumed,
                                                   std::string& message) {
  std::string_view rest = bytes;
  Status status = Status::kNeedData;
  while (!rest.empty() && status == Status::kNeedData) {
    if (at_ == At::kLineStart && rest.front() == '.') {
      at_ = At::kDot;
      rest.remove_prefix(1);
    } else if (at_ == At::kDot && rest.front() == '\r') {
      at_ = At::kDotCr;
      rest.remove_prefix(1);
    } else if (at_ == At::kDotCr) {
      status = rest.front() == '\n' ? Status::kEnd : Status::kBroken;
      rest.remove_prefix(1);
    } else {
      status = ReadLine(rest, message);
    }
  }
  consumed = bytes.size() - rest.size();
  return status;
}

SmtpBodyReader::Status SmtpBodyReader::ReadPlain(std::string_view bytes,
                                                 std::string& message) {
  Status status = Status::kNeedData;
  while (!bytes.empty() && status == Status::kNeedData) {
    status = ReadLine(bytes, message);
  }
  return status;
}

// Behind a stuffed dot the line goes on as if it had begun with what follows,
// only that another dot there is text.
SmtpBodyReader::Status SmtpBodyReader::ReadLine(std::string_view& bytes,
                                                std::string& message) {
  if (at_ == At::kCr) return ReadLineEnd(bytes, message);
  const size_t line_feed = bytes.find('\n');
  const std::string_view line = bytes.substr(0, line_feed);
  const size_t cr = line.find('\r');
  const std::string_view text = line.substr(0, cr);
  if (text.find('\0') != text.npos) return Status::kBroken;
  message += text;
  if (!text.empty()) at_ = At::kText;
  bytes.remove_prefix(text.size());
  if (bytes.empty()) return Status::kNeedData;
  if (cr == line.npos) return Status::kBroken;  // LF alone
  at_ = At::kCr;
  bytes.remove_prefix(1);
  return bytes.empty() ? Status::kNeedData : ReadLineEnd(bytes, message);
}

SmtpBodyReader::Status SmtpBodyReader::ReadLineEnd(std::string_view& bytes,
                                                   std::string& message) {
  if (bytes.front() != '\n') return Status::kBroken;
  bytes.remove_prefix(1);
  message += "\r\n";
  at_ = At::kLineStart;
  return Status::kNeedData;
}

void SmtpBodyWriter::Write(std::string_view octets, std::string& out) {
  while (!octets.empty()) {
    if (at_ == At::kLineStart && octets.front() == '.') out += '.';
    const size_t end = octets.find('\n');
    const std::string_view line =
        octets.substr(0, end == octets.npos ? end : end + 1);
    out += line;
    octets.remove_prefix(line.size());
    at_ = line.ends_with('\n')   ? At::kLineStart
          : line.ends_with('\r') ? At::kCr
                                 : At::kText;
  }
}

void SmtpBodyWriter::WriteEnd(std::string& out) {
  if (at_ == At::kCr) out += '\n';
  if (at_ == At::kText) out += "\r\n";
  out += ".\r\n";
}

}  // namespace gatehouse
