#include "lib/directory/name_template.h"

namespace gatehouse {
namespace {

std::string AsItIs(std::string_view value) { return std::string(value); }

// What stands in the hole of this letter; no letter of a hole has nothing.
std::string_view PartOf(const LoginName& name, char letter) {
  switch (letter) {
    case 'e':
      return name.Whole();
    case 'u':
      return name.local();
    default:
      return name.domain();
  }
}

bool IsHoleLetter(char letter) {
  return letter == 'e' || letter == 'u' || letter == 'd';
}

}  // namespace

absl::Status NameTemplate::Check(std::string_view text) {
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') continue;
    const char letter = i + 1 < text.size() ? text[i + 1] : '\0';
    if (!IsHoleLetter(letter) && letter != '%') {
      return absl::InvalidArgumentError(
          "position " + std::to_string(i + 1) +
          ": expected %e, %u, %d or %% where there is a \"%\"");
    }
    ++i;
  }
  return absl::OkStatus();
}

bool NameTemplate::HasHole(std::string_view letters) const {
  for (size_t i = 0; i + 1 < text_.size(); ++i) {
    if (text_[i] != '%') continue;
    if (letters.find(text_[++i]) != std::string_view::npos) return true;
  }
  return false;
}

std::string NameTemplate::Fill(const LoginName& name, Quote quote) const {
  std::string filled;
  for (size_t i = 0; i < text_.size(); ++i) {
    if (text_[i] != '%' || i + 1 == text_.size()) {
      filled += text_[i];
    } else if (IsHoleLetter(text_[++i])) {
      filled += quote(PartOf(name, text_[i]));
    } else {
      filled += '%';
    }
  }
  return filled;
}

std::string_view NameTemplate::Fill(const LoginName& name,
                                    std::string& buffer) const {
  if (text_.size() == 2 && text_[0] == '%' && IsHoleLetter(text_[1])) {
    return PartOf(name, text_[1]);
  }
  buffer = Fill(name, AsItIs);
  return buffer;
}

}  // namespace gatehouse
