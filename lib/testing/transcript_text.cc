#include "lib/testing/transcript_text.h"

#include <algorithm>

#include "lib/base/check.h"
#include "lib/protocol/sasl.h"

namespace gatehouse {

std::string_view TakeWord(std::string_view& text) {
  const size_t space = std::min(text.find(' '), text.size());
  const std::string_view word = text.substr(0, space);
  text.remove_prefix(std::min(space + 1, text.size()));
  return word;
}

std::string Unescape(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      out += text[i];
      continue;
    }
    const char c = text[++i];
    if (c == 'x') {
      out += static_cast<char>(
          std::stoi(std::string(text.substr(i + 1, 2)), nullptr, 16));
      i += 2;
    } else {
      const size_t at = std::string_view("rnt0").find(c);
      out += at == std::string_view::npos ? c : "\r\n\t\0"[at];
    }
  }
  return out;
}

std::string Expand(std::string_view text) {
  constexpr std::string_view kBase64 = "$b64(";
  const size_t at = text.find(kBase64);
  if (at == std::string_view::npos) return Unescape(text);
  const size_t begin = at + kBase64.size();
  const size_t end = text.find(')', begin);
  GATEHOUSE_CHECK(end != std::string_view::npos, "$b64( without )");
  return Unescape(text.substr(0, at)) +
         EncodeBase64(Unescape(text.substr(begin, end - begin))) +
         Expand(text.substr(end + 1));
}

std::string Printable(std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string out;
  for (const char c : text) {
    const auto octet = static_cast<unsigned char>(c);
    if (c == '\r') {
      out += "\\r";
    } else if (c == '\n') {
      out += "\\n";
    } else if (octet < 0x20 || octet >= 0x7f) {
      out += std::string("\\x") + kHex[octet >> 4] + kHex[octet & 15];
    } else {
      out += c;
    }
  }
  return out;
}

std::vector<std::string> SplitList(std::string_view text) {
  std::vector<std::string> items;
  while (!text.empty()) {
    const size_t bar = std::min(text.find(" | "), text.size());
    items.push_back(Expand(text.substr(0, bar)));
    text.remove_prefix(std::min(bar + 3, text.size()));
  }
  return items;
}

std::string JoinList(const std::vector<std::string>& items) {
  std::string text;
  for (const std::string& item : items) {
    if (!text.empty()) text += " | ";
    text += item;
  }
  return text;
}

}  // namespace gatehouse
