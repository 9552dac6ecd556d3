#include "lib/directory/local_map.h"

#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "absl/hash/hash.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "lib/base/string_bridge.h"

namespace gatehouse {

LocalMap::LocalMap() = default;
LocalMap::~LocalMap() = default;

SharedLocation LocalMap::Entry::LocationOf(std::string_view name) const {
  auto result = std::make_shared<Location>(*location);
  result->user = std::string(user.empty() ? name : user);
  if (result->addresses.empty() && !user.empty()) {
    result->addresses.push_back(result->user);
  }
  return result;
}

// In steps that stand on the stack: an entry is hashed without an allocation.
size_t LocalMap::HashIgnoringCase::operator()(absl::string_view name) const {
  std::array<char, 128> lower;
  size_t hash = name.size();
  while (!name.empty()) {
    const absl::string_view step = name.substr(0, lower.size());
    std::transform(step.begin(), step.end(), lower.begin(),
                   absl::ascii_tolower);
    hash = absl::HashOf(hash, absl::string_view(lower.data(), step.size()));
    name.remove_prefix(step.size());
  }
  return hash;
}

bool LocalMap::EqualIgnoringCase::operator()(absl::string_view a,
                                             absl::string_view b) const {
  return absl::EqualsIgnoreCase(a, b);
}

std::string_view LocalMap::Keep(std::string text) {
  return texts_.emplace_back(std::move(text));
}

const Location* LocalMap::Keep(Location location) {
  const Location* kept = &locations_.emplace_back(std::move(location));
  const auto is_there = [kept](const Location* other) {
    return other->host == kept->host &&
           other->implicit_tls == kept->implicit_tls;
  };
  if (kept->host && hosts_.size() < kMostHosts &&
      std::none_of(hosts_.begin(), hosts_.end(), is_there)) {
    hosts_.push_back(kept);
  }
  return kept;
}

bool LocalMap::Add(std::string_view name, const Entry& entry) {
  return entries_.try_emplace(ToAbsl(name), entry).second;
}

absl::Status LocalMap::AddPattern(std::string_view expression,
                                  const Location* location) {
  re2::RE2::Options options;
  options.set_case_sensitive(false);
  options.set_log_errors(false);
  auto compiled = std::make_unique<const re2::RE2>(
      re2::StringPiece(expression.data(), expression.size()), options);
  if (!compiled->ok()) return absl::InvalidArgumentError(compiled->error());
  patterns_.push_back({std::move(compiled), {{}, {}, location}});
  return absl::OkStatus();
}

const LocalMap::Entry* LocalMap::FindExact(std::string_view name) const {
  const auto found = entries_.find(ToAbsl(name));
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

std::vector<Move> LocalMap::MovesFrom(const LocalMap& before) const {
  std::vector<Move> moves;
  const auto compare = [&moves](std::string_view user, const Entry* then,
                                const Entry* now) {
    if (then == nullptr || now == nullptr ||
        then->location->host == now->location->host) {
      return;
    }
    moves.push_back({std::string(user), now->location->host});
  };
  for (const auto& [key, entry] : entries_) {
    if (key.front() == '@') continue;
    const std::string_view name = FromAbsl(key);
    const Entry* then = before.Find(name);
    const bool own = then != nullptr && !then->user.empty();
    compare(own ? then->user : name, then, &entry);
  }
  for (const auto& [key, then] : before.entries_) {
    if (key.front() == '@' || entries_.contains(key)) continue;
    compare(then.user, &then, Find(FromAbsl(key)));
  }
  return moves;
}

void CurrentLocalMap::Store(std::shared_ptr<const LocalMap> map) {
  const auto before = map_.Exchange(map);
  if (before != nullptr && map != nullptr) moves_.Tell(map->MovesFrom(*before));
}

}  // namespace gatehouse
