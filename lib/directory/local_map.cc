#include "lib/directory/local_map.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "lib/base/string_bridge.h"

namespace gatehouse {

bool LocalMap::Add(std::string_view name, Entry entry) {
  return entries_
      .try_emplace(absl::AsciiStrToLower(ToAbsl(name)), std::move(entry))
      .second;
}

const LocalMap::Entry* LocalMap::FindExact(std::string_view name) const {
  const auto found = entries_.find(absl::AsciiStrToLower(ToAbsl(name)));
  return found == entries_.end() ? nullptr : &found->second;
}

const LocalMap::Entry* LocalMap::Find(std::string_view name) const {
  if (const Entry* exact = FindExact(name)) return exact;
  const size_t at = name.rfind('@');
  if (at == std::string_view::npos || at == 0) return nullptr;
  return FindExact(name.substr(at));
}

}  // namespace gatehouse
