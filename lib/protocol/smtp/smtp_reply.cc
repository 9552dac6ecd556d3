#include "lib/protocol/smtp/smtp_reply.h"

#include <algorithm>

namespace gatehouse {
namespace {

// RFC 5321 §4.5.3.1.5: a reply line, its code and CRLF included.
constexpr size_t kLongestLineBytes = 512;

void AppendPrintable(std::string& to, std::string_view text) {
  for (const char c : text) {
    const auto octet = static_cast<unsigned char>(c);
    to += octet < 0x20 || octet >= 0x7f ? '?' : c;
  }
}

}  // namespace

SmtpReply MakeSmtpReply(int code, std::string_view enhanced,
                        std::string_view text) {
  return {code, std::string(enhanced), {std::string(text)}};
}

std::string FormatSmtpReply(const SmtpReply& reply) {
  std::string out;
  for (size_t i = 0; i < reply.lines.size(); ++i) {
    std::string line = std::to_string(reply.code);
    line += i + 1 == reply.lines.size() ? ' ' : '-';
    if (!reply.enhanced.empty()) line += reply.enhanced + ' ';
    AppendPrintable(line, reply.lines[i]);
    line.resize(std::min(line.size(), kLongestLineBytes - 2));
    out += line + "\r\n";
  }
  return out;
}

std::string Summary(const SmtpReply& reply) {
  std::string text = std::to_string(reply.code);
  if (!reply.enhanced.empty()) text += ' ' + reply.enhanced;
  if (reply.lines.empty() || reply.lines.front().empty()) return text;
  text += ' ';
  AppendPrintable(text, reply.lines.front());
  text.resize(std::min(text.size(), kLongestLineBytes - 2));
  return text;
}

}  // namespace gatehouse
