// Rules: RFC 9051 §9 (tag, atom, quoted, literal, astring); RFC 7888 (LITERAL+
// and LITERAL-: "{n+}" asks for no permission).

#include "lib/protocol/imap/imap_parser.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

#include "absl/strings/match.h"
#include "lib/base/string_bridge.h"

namespace gatehouse {
namespace {

constexpr size_t kLongestTagBytes = 64;

// atom-specials: ( ) { SP CTL % * " \ ] and octets above 0x7e.
// By octet, since every token of every login asks.
constexpr std::array<bool, 256> kAtomChars = [] {
  constexpr std::string_view kSpecials = "(){ %*\"\\]";
  std::array<bool, 256> chars = {};
  for (char c = 0x21; c < 0x7f; ++c) {
    chars[c] = kSpecials.find(c) == std::string_view::npos;
  }
  return chars;
}();

// Lambdas, as a function's address wouldn't be inlined in TakeWhile().
constexpr auto kIsAtomChar = [](char c) {
  return kAtomChars[static_cast<unsigned char>(c)];
};
constexpr auto kIsAstringChar = [](char c) {
  return kIsAtomChar(c) || c == ']';
};
constexpr auto kIsTagChar = [](char c) {
  return kIsAstringChar(c) && c != '+';
};

}  // namespace

std::optional<ImapLiteralMark> FindLiteralMark(std::string_view line) {
  if (!line.ends_with('}')) return std::nullopt;
  const size_t open = line.rfind('{');
  if (open == std::string_view::npos) return std::nullopt;
  std::string_view digits = line.substr(open + 1, line.size() - open - 2);
  const bool unasked = digits.ends_with('+');
  if (unasked) digits.remove_suffix(1);
  size_t bytes = 0;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), bytes);
  if (digits.empty() || end != digits.data() + digits.size()) {
    return std::nullopt;
  }
  if (error == std::errc::result_out_of_range) {
    bytes = std::numeric_limits<size_t>::max();
  } else if (error != std::errc()) {
    return std::nullopt;
  }
  return ImapLiteralMark{bytes, !unasked, open};
}

// --- Framing -----------------------------------------------------------------

ImapCommandFramer::ImapCommandFramer(Limits limits)
    : limits_(limits), line_framer_(limits.line_bytes) {}

void ImapCommandFramer::Restart() { *this = ImapCommandFramer(limits_); }

void ImapCommandFramer::AcceptLiteral() {
  literal_bytes_ = announced_bytes_;
  ++literals_;
}

ImapCommandFramer::Result ImapCommandFramer::Find(std::string_view bytes) {
  for (;;) {
    if (bytes.size() - line_begin_ < literal_bytes_) return {};
    line_begin_ += literal_bytes_;
    literal_bytes_ = 0;
    const auto found = line_framer_.Find(bytes.substr(line_begin_));
    const Result result = OnLine(found);
    if (found.size == 0 || result.status != Status::kNeedData) return result;
  }
}

// kNeedData with a line found: its literal follows.
ImapCommandFramer::Result ImapCommandFramer::OnLine(
    const LineFramer::Result& found) {
  if (found.status == LineFramer::Status::kNeedData) return {};
  text_bytes_ += found.size;
  line_begin_ += found.size;
  if (found.status == LineFramer::Status::kTooLong ||
      text_bytes_ > limits_.line_bytes) {
    return {Status::kLineTooLong, line_begin_};
  }
  if (found.status == LineFramer::Status::kBroken) {
    return {Status::kBroken, line_begin_};
  }
  return OnLiteral(found.line);
}

ImapCommandFramer::Result ImapCommandFramer::OnLiteral(std::string_view line) {
  const auto mark = FindLiteralMark(line);
  if (!mark) return {Status::kCommand, line_begin_};
  const bool fits =
      mark->bytes <= limits_.literal_bytes && literals_ < kMostLiterals;
  if (mark->synchronizing) {
    announced_bytes_ = mark->bytes;
    return {fits ? Status::kLiteral : Status::kLiteralTooLarge, line_begin_};
  }
  if (!fits) return {Status::kUnaskedLiteralTooLarge, line_begin_};
  literal_bytes_ = mark->bytes;
  ++literals_;
  return {};
}

// --- Reading -----------------------------------------------------------------

std::string ImapString::ToText() const {
  if (!has_quoted_pairs) return std::string(octets);
  std::string text;
  text.reserve(octets.size());
  for (size_t i = 0; i < octets.size(); ++i) {
    if (octets[i] == '\\') ++i;
    text += octets[i];
  }
  return text;
}

Secret ImapString::ToSecret() const {
  if (!has_quoted_pairs) return Secret(octets);
  std::string text = ToText();
  Secret secret(text);
  WipeString(text);
  return secret;
}

bool ImapReader::TakeOctet(char octet) {
  if (!rest_.starts_with(octet)) return false;
  rest_.remove_prefix(1);
  return true;
}

bool ImapReader::TakeWord(std::string_view word) {
  if (!absl::StartsWithIgnoreCase(ToAbsl(rest_), ToAbsl(word))) return false;
  rest_.remove_prefix(word.size());
  return true;
}

template <typename Predicate>
std::optional<std::string_view> ImapReader::TakeWhile(Predicate predicate) {
  const auto end = std::find_if_not(rest_.begin(), rest_.end(), predicate);
  const std::string_view token = rest_.substr(0, end - rest_.begin());
  if (token.empty()) return std::nullopt;
  rest_.remove_prefix(token.size());
  return token;
}

std::optional<std::string_view> ImapReader::TakeTag() {
  const std::string_view before = rest_;
  const auto tag = TakeWhile(kIsTagChar);
  if (tag && tag->size() <= kLongestTagBytes) return tag;
  rest_ = before;
  return std::nullopt;
}

std::optional<std::string_view> ImapReader::TakeAtom() {
  return TakeWhile(kIsAtomChar);
}

std::string_view ImapReader::TakeUntilSpace() {
  return TakeWhile([](char c) { return c != ' '; }).value_or("");
}

std::optional<ImapString> ImapReader::TakeString() {
  if (rest_.starts_with('"')) return TakeQuoted();
  if (rest_.starts_with('{')) return TakeLiteral();
  return std::nullopt;
}

std::optional<ImapString> ImapReader::TakeAstring() {
  if (const auto string = TakeString()) return string;
  const auto token = TakeWhile(kIsAstringChar);
  if (!token) return std::nullopt;
  return ImapString{*token, false};
}

std::optional<ImapString> ImapReader::TakeQuoted() {
  bool has_pairs = false;
  for (size_t i = 1; i < rest_.size(); ++i) {
    if (rest_[i] == '"') {
      const ImapString string{rest_.substr(1, i - 1), has_pairs};
      rest_.remove_prefix(i + 1);
      return string;
    }
    if (rest_[i] == '\r' || rest_[i] == '\n') return std::nullopt;
    if (rest_[i] != '\\') continue;
    has_pairs = true;
    ++i;
    if (i == rest_.size() || (rest_[i] != '"' && rest_[i] != '\\')) {
      return std::nullopt;
    }
  }
  return std::nullopt;
}

std::optional<ImapString> ImapReader::TakeLiteral() {
  const size_t end = rest_.find("\r\n");
  if (end == std::string_view::npos) return std::nullopt;
  const auto mark = FindLiteralMark(rest_.substr(0, end));
  const size_t begin = end + 2;
  if (!mark || mark->mark_begin != 0 || mark->bytes > rest_.size() - begin) {
    return std::nullopt;
  }
  const std::string_view octets = rest_.substr(begin, mark->bytes);
  if (octets.find('\0') != std::string_view::npos) return std::nullopt;
  rest_.remove_prefix(begin + mark->bytes);
  return ImapString{octets, false};
}

}  // namespace gatehouse
