#include "lib/protocol/capability_words.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "lib/base/string_bridge.h"

namespace gatehouse {
namespace {

bool Alike(std::string_view a, std::string_view b) {
  return absl::EqualsIgnoreCase(ToAbsl(a), ToAbsl(b));
}

}  // namespace

CapabilityWords SplitWords(std::string_view text) {
  CapabilityWords words;
  while (!text.empty()) {
    const size_t space = std::min(text.find(' '), text.size());
    if (space > 0) words.emplace_back(text.substr(0, space));
    text.remove_prefix(std::min(space + 1, text.size()));
  }
  return words;
}

bool HoldsWord(const CapabilityWords& words, std::string_view word) {
  return std::any_of(
      words.begin(), words.end(),
      [word](const std::string& own) { return Alike(own, word); });
}

CapabilityWords CommonWords(const CapabilityWords& a,
                            const CapabilityWords& b) {
  CapabilityWords common = {a[0]};
  const CapabilityWords others(b.begin() + 1, b.end());
  std::copy_if(
      a.begin() + 1, a.end(), std::back_inserter(common),
      [&](const std::string& word) { return HoldsWord(others, word); });
  return common;
}

std::string JoinWords(const CapabilityWords& words) {
  std::string line;
  for (const std::string& word : words) {
    if (!line.empty()) line += ' ';
    line += word;
  }
  return line;
}

std::vector<std::string> CommonLines(
    const std::vector<std::string>& a, const std::vector<std::string>& b,
    absl::FunctionRef<std::optional<std::string>(const CapabilityWords&,
                                                 const CapabilityWords&)>
        common) {
  std::vector<std::string> lines;
  for (const std::string& one : a) {
    const CapabilityWords left = SplitWords(one);
    for (const std::string& other : b) {
      const CapabilityWords right = SplitWords(other);
      if (left.empty() || right.empty() || !Alike(left[0], right[0])) continue;
      if (auto both = common(left, right)) lines.push_back(*std::move(both));
      break;
    }
  }
  return lines;
}

}  // namespace gatehouse
