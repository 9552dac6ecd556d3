#include "lib/protocol/smtp/smtp_keywords.h"

#include <algorithm>
#include <charconv>

#include "absl/strings/match.h"
#include "lib/base/string_bridge.h"

namespace gatehouse {
namespace {

bool EqualsIgnoringCase(std::string_view a, std::string_view b) {
  return absl::EqualsIgnoreCase(ToAbsl(a), ToAbsl(b));
}

std::string_view TakeWord(std::string_view& text) {
  const size_t space = std::min(text.find(' '), text.size());
  const std::string_view word = text.substr(0, space);
  text.remove_prefix(std::min(space + 1, text.size()));
  return word;
}

bool HoldsWord(std::string_view words, std::string_view word) {
  while (!words.empty()) {
    if (EqualsIgnoringCase(TakeWord(words), word)) return true;
  }
  return false;
}

uint64_t SizeLimit(std::string_view line) {
  TakeWord(line);
  uint64_t limit = 0;
  std::from_chars(line.data(), line.data() + line.size(), limit);
  return limit;
}

// `a` and `b` have the same keyword.
std::string Common(std::string_view a, std::string_view b) {
  std::string_view words = a;
  std::string common(TakeWord(words));
  if (EqualsIgnoringCase(common, "SIZE")) {
    // 0 is without a limit, and so the greatest.
    const uint64_t least = std::min(SizeLimit(a) - 1, SizeLimit(b) - 1) + 1;
    return common + ' ' + std::to_string(least);
  }
  while (!words.empty()) {
    const std::string_view word = TakeWord(words);
    if (HoldsWord(b, word)) common.append(" ").append(word);
  }
  return common;
}

}  // namespace

const std::string* FindSmtpKeyword(const SmtpKeywordLines& lines,
                                   std::string_view keyword) {
  for (const std::string& line : lines) {
    std::string_view words = line;
    if (EqualsIgnoringCase(TakeWord(words), keyword)) return &line;
  }
  return nullptr;
}

bool HasSmtpParameter(const SmtpKeywordLines& lines, std::string_view keyword,
                      std::string_view parameter) {
  return std::any_of(lines.begin(), lines.end(), [&](std::string_view words) {
    return EqualsIgnoringCase(TakeWord(words), keyword) &&
           HoldsWord(words, parameter);
  });
}

std::vector<std::string> SmtpMechanisms(const SmtpKeywordLines& lines) {
  std::vector<std::string> mechanisms;
  const std::string* line = FindSmtpKeyword(lines, "AUTH");
  if (line == nullptr) return mechanisms;
  std::string_view words = *line;
  TakeWord(words);
  while (!words.empty()) mechanisms.emplace_back(TakeWord(words));
  return mechanisms;
}

SmtpExtensions ReadSmtpExtensions(const SmtpKeywordLines& lines) {
  const auto has = [&](std::string_view keyword) {
    return FindSmtpKeyword(lines, keyword) != nullptr;
  };
  SmtpExtensions extensions;
  extensions.pipelining = has("PIPELINING");
  extensions.eight_bit_mime = has("8BITMIME");
  extensions.utf8 = has("SMTPUTF8");
  extensions.dsn = has("DSN");
  extensions.prdr = has("PRDR");
  extensions.auth = has("AUTH");
  if (has("SIZE")) extensions.size = SizeLimit(*FindSmtpKeyword(lines, "SIZE"));
  return extensions;
}

SmtpKeywordLines CommonSmtpKeywords(const SmtpKeywordLines& a,
                                    const SmtpKeywordLines& b) {
  SmtpKeywordLines common;
  for (const std::string& line : a) {
    std::string_view words = line;
    const std::string* other = FindSmtpKeyword(b, TakeWord(words));
    if (other != nullptr) common.push_back(Common(line, *other));
  }
  return common;
}

}  // namespace gatehouse
