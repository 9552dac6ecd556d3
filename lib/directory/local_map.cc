#include "lib/directory/local_map.h"

#include <re2/re2.h>

#include <utility>

#include "absl/strings/ascii.h"
#include "lib/base/string_bridge.h"

namespace gatehouse {

LocalMap::LocalMap() = default;
LocalMap::~LocalMap() = default;

bool LocalMap::Add(std::string_view name, Entry entry) {
  return entries_
      .try_emplace(absl::AsciiStrToLower(ToAbsl(name)), std::move(entry))
      .second;
}

absl::Status LocalMap::AddPattern(std::string_view expression, Entry entry) {
  re2::RE2::Options options;
  options.set_case_sensitive(false);
  options.set_log_errors(false);
  auto compiled = std::make_unique<const re2::RE2>(
      re2::StringPiece(expression.data(), expression.size()), options);
  if (!compiled->ok()) return absl::InvalidArgumentError(compiled->error());
  patterns_.push_back({std::move(compiled), std::move(entry)});
  return absl::OkStatus();
}

const LocalMap::Entry* LocalMap::FindExact(std::string_view name) const {
  const auto found = entries_.find(absl::AsciiStrToLower(ToAbsl(name)));
  return found == entries_.end() ? nullptr : &found->second;
}

const LocalMap::Entry* LocalMap::Find(std::string_view name) const {
  if (const Entry* exact = FindExact(name)) return exact;
  const re2::StringPiece whole(name.data(), name.size());
  for (const Pattern& pattern : patterns_) {
    if (re2::RE2::FullMatch(whole, *pattern.expression)) return &pattern.entry;
  }
  const size_t at = name.rfind('@');
  if (at == std::string_view::npos || at == 0) return nullptr;
  return FindExact(name.substr(at));
}

}  // namespace gatehouse
