#include "lib/directory/live_map.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "absl/strings/ascii.h"
#include "lib/base/string_bridge.h"

namespace gatehouse {
namespace {

bool Holds(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// Everything that a reading of an entry may look at, each once.
LdapSearch SearchOf(const LdapOptions& options, const FollowFilter& filter,
                    const LdapEntryReader& entry_reader) {
  LdapSearch search;
  search.base_dn = options.account_base_dn;
  search.filter = filter.text();
  const auto add = [&](const std::vector<std::string>& names) {
    for (const std::string& name : names) {
      const std::string lower = absl::AsciiStrToLower(ToAbsl(name));
      if (!Holds(search.attributes, lower)) search.attributes.push_back(lower);
    }
  };
  add(entry_reader.SearchFor({}).attributes);
  add(filter.compared_attributes());
  return search;
}

LiveMapAttributes AttributesOf(const LdapOptions& options,
                               const FollowFilter& filter,
                               const LdapSearch& search) {
  std::vector<std::string> words;
  for (const std::string& name :
       {options.hostname_attribute, options.status_attribute,
        options.service_attribute, options.moving_attribute}) {
    words.push_back(absl::AsciiStrToLower(ToAbsl(name)));
  }
  LiveMapAttributes attributes;
  for (const std::string& name : search.attributes) {
    attributes.push_back({name, Holds(filter.key_attributes(), name),
                          Holds(filter.compared_attributes(), name),
                          Holds(words, name)});
  }
  return attributes;
}

}  // namespace

absl::StatusOr<std::shared_ptr<LiveMap>> LiveMap::Create(
    std::shared_ptr<const LdapOptions> options, const Trust& trust) {
  auto filter = FollowFilter::Create(options->account_filter);
  if (!filter.ok()) return filter.status();
  auto entry_reader = LdapEntryReader::Create(options);
  if (!entry_reader.ok()) return entry_reader.status();
  return std::shared_ptr<LiveMap>(new LiveMap(
      std::move(options), trust, *std::move(filter), *std::move(entry_reader)));
}

LiveMap::LiveMap(std::shared_ptr<const LdapOptions> options, const Trust& trust,
                 FollowFilter filter, LdapEntryReader entry_reader)
    : trust_(trust),
      filter_(std::move(filter)),
      entry_reader_(std::move(entry_reader)),
      search_(SearchOf(*options, filter_, entry_reader_)),
      store_(AttributesOf(*options, filter_, search_)) {}

absl::Duration LiveMap::Age(absl::Time now) const {
  if (state() == State::kLive) return absl::ZeroDuration();
  return now - absl::FromUnixNanos(heard_at_.load(std::memory_order_relaxed));
}

// --- Answers ---

std::optional<LdapFound> LiveMap::Reader::Find(const LoginName& name,
                                               Clock now) const {
  const State state = map_.state();
  if (state == State::kLoading) return std::nullopt;
  if (state == State::kAway && map_.Age(now()) >= map_.trust_.ttl) {
    return std::nullopt;
  }
  auto found = Search(name);
  // Whoever has come since isn't known here.
  const bool nobody = found && found->entries.empty();
  if (nobody && (state != State::kLive || map_.has_references_.load())) {
    return std::nullopt;
  }
  return found;
}

std::optional<LdapFound> LiveMap::Reader::FindStale(const LoginName& name,
                                                    Clock now) const {
  if (map_.state() == State::kLoading ||
      map_.Age(now()) >= map_.trust_.stale_ttl) {
    return std::nullopt;
  }
  auto found = Search(name);
  if (found && found->entries.empty()) return std::nullopt;
  return found;
}

std::optional<LdapFound> LiveMap::Reader::Search(const LoginName& name) const {
  if (map_.overflown()) return std::nullopt;
  LdapFound found;
  bool certain = true;
  std::string buffer;
  for (const NameTemplate& key : map_.filter_.keys()) {
    const LookupKey lookup = LookupKeyOf(key.Fill(name, buffer));
    if (!lookup.plain) return std::nullopt;
    reader_.Find(lookup.hash, [&](LdapEntry* entry) {
      if (entry == nullptr) {
        certain = false;
        return;
      }
      if (!map_.filter_.Matches(*entry, name)) return;
      for (const LdapEntry& other : found.entries) {
        if (other.dn() == entry->dn()) return;  // by another key
      }
      if (found.entries.size() < kMaxLdapEntries) {
        found.entries.push_back(std::move(*entry));
      } else {
        found.more = true;
      }
    });
  }
  if (!certain) return std::nullopt;
  return found;
}

std::vector<Location> LiveMap::Reader::SampleLocations(size_t most) const {
  std::vector<Location> sample;
  if (map_.state() == State::kLoading) return sample;
  reader_.Sample(most, [&](const LdapEntry& entry) {
    auto location = map_.entry_reader_.RoutingOf(entry);
    if (location && location->host) sample.push_back(*std::move(location));
  });
  return sample;
}

// --- Changes ---

void LiveMap::BeginRefresh() {
  store_.BeginMarking();
  // One that was cut off has seen a part: going on from there, the server would
  // say nothing of what the map has and the directory hasn't.
  if (loads_all_) cookie_.clear();
  loads_all_ = cookie_.empty();
  // What was known may have had them.
  if (loads_all_) has_references_.store(false);
}

void LiveMap::OnEntry(LdapSyncEntry event) {
  const EntryUuid& uuid = event.sync.uuid;
  if (event.is_reference) {
    if (event.sync.state != LdapSyncState::State::kDelete) {
      has_references_.store(true);
    }
    return KeepCookie(event.sync.cookie);
  }
  switch (event.sync.state) {
    case LdapSyncState::State::kPresent:
      store_.Mark(uuid);
      break;
    case LdapSyncState::State::kDelete:
      store_.Remove(uuid);
      break;
    case LdapSyncState::State::kAdd:
    case LdapSyncState::State::kModify:
      Put(uuid, event.entry);
  }
  KeepCookie(event.sync.cookie);
}

void LiveMap::Put(const EntryUuid& uuid, const LdapEntry& entry) {
  std::optional<LdapEntry> before;
  if (state() != State::kLoading) before = store_.Get(uuid);
  if (!store_.Put(uuid, entry)) overflown_.store(true);
  if (before) TellMove(*before, entry);
}

// Sessions at the old host end, and logins that wait for the move look again.
void LiveMap::TellMove(const LdapEntry& before, const LdapEntry& after) {
  const auto from = entry_reader_.RoutingOf(before);
  const auto to = entry_reader_.RoutingOf(after);
  if (!from || !to) return;
  const bool arrived = from->moving && !to->moving;
  if (from->host == to->host && !arrived) return;
  std::vector<Move> moves;
  for (const std::string& user : entry_reader_.UsersOf(before)) {
    moves.push_back({user, to->host});
  }
  moves_.Tell(std::move(moves));
}

bool LiveMap::OnInfo(const LdapSyncInfo& info) {
  if (const auto* cookie = std::get_if<LdapSyncNewCookie>(&info)) {
    KeepCookie(cookie->cookie);
    return false;
  }
  if (const auto* set = std::get_if<LdapSyncIdSet>(&info)) {
    for (const EntryUuid& uuid : set->uuids) {
      if (set->deleted) {
        store_.Remove(uuid);
      } else {
        store_.Mark(uuid);
      }
    }
    KeepCookie(set->cookie);
    return false;
  }
  const auto& end = std::get<LdapSyncPhaseEnd>(info);
  // slapd ends a refresh of everything as if unmentioned ones stayed: it knows
  // of nothing that was there before.
  if (!end.unmentioned_stays || (end.refresh_done && loads_all_)) {
    store_.RemoveUnmarked();
  }
  KeepCookie(end.cookie);
  if (!end.refresh_done) return false;
  loads_all_ = false;
  if (state() == State::kLive) return false;
  state_.store(State::kLive, std::memory_order_release);
  return true;
}

void LiveMap::OnLost(absl::Time since) {
  if (state() != State::kLive) return;
  heard_at_.store(absl::ToUnixNanos(since), std::memory_order_relaxed);
  state_.store(State::kAway, std::memory_order_release);
}

void LiveMap::KeepCookie(const std::string& cookie) {
  if (!cookie.empty()) cookie_ = cookie;
}

}  // namespace gatehouse
