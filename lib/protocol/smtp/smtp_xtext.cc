#include "lib/protocol/smtp/smtp_xtext.h"

namespace gatehouse {
namespace {

constexpr std::string_view kDigits = "0123456789ABCDEF";

bool IsPlain(char c) { return c > 0x20 && c < 0x7f && c != '+' && c != '='; }

bool IsDigit(char c) { return kDigits.find(c) != std::string_view::npos; }

}  // namespace

bool IsXtext(std::string_view text) {
  while (!text.empty()) {
    const bool encoded = text.size() >= 3 && text[0] == '+' &&
                         IsDigit(text[1]) && IsDigit(text[2]);
    if (!encoded && !IsPlain(text.front())) return false;
    text.remove_prefix(encoded ? 3 : 1);
  }
  return true;
}

std::string EncodeXtext(std::string_view octets) {
  std::string text;
  for (const char c : octets) {
    if (IsPlain(c)) {
      text += c;
      continue;
    }
    const auto octet = static_cast<unsigned char>(c);
    text += {'+', kDigits[octet >> 4], kDigits[octet & 15]};
  }
  return text;
}

}  // namespace gatehouse
