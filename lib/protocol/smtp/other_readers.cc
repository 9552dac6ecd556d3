#include "lib/protocol/smtp/other_readers.h"

namespace gatehouse {
namespace {

constexpr std::string_view kLineEnd = "\r\n";

std::string ReplaceAll(std::string text, std::string_view what,
                       std::string_view with) {
  for (size_t at = 0; (at = text.find(what, at)) != text.npos;
       at += with.size()) {
    text.replace(at, what.size(), with);
  }
  return text;
}

}  // namespace

std::optional<WireMessage> ReadStrictly(std::string_view wire) {
  // As if a line had ended before the first: an empty message is only a dot.
  const std::string text = std::string(kLineEnd).append(wire);
  const size_t end = text.find("\r\n.\r\n");
  if (end == text.npos) return std::nullopt;
  const std::string stuffed = text.substr(0, end + kLineEnd.size());
  WireMessage message;
  message.octets = ReplaceAll(stuffed, "\r\n.", "\r\n").substr(kLineEnd.size());
  message.size = end + 3;  // of "\r\n.\r\n", less what was put before
  return message;
}

std::optional<WireMessage> ReadLeniently(std::string_view wire) {
  WireMessage message;
  std::string line;
  for (size_t i = 0; i < wire.size(); ++i) {
    const char c = wire[i];
    if (c == '\0') continue;
    if (c != '\r' && c != '\n') {
      line += c;
      continue;
    }
    const size_t behind_crs = wire.find_first_not_of('\r', i);
    if (behind_crs != wire.npos && wire[behind_crs] == '\n') i = behind_crs;
    if (line == ".") {
      message.size = i + 1;
      return message;
    }
    if (line.starts_with('.')) line.erase(0, 1);
    message.octets.append(line).append(kLineEnd);
    line.clear();
  }
  return std::nullopt;
}

std::string StuffStrictly(std::string_view message) {
  const std::string text = std::string(kLineEnd).append(message);
  return ReplaceAll(text, "\r\n.", "\r\n..").substr(kLineEnd.size()) + ".\r\n";
}

bool IsSoundMessage(std::string_view message) {
  const std::string rest = ReplaceAll(std::string(message), kLineEnd, "");
  return rest.find_first_of(std::string_view("\r\n\0", 3)) == rest.npos;
}

}  // namespace gatehouse
