#ifndef GATEHOUSE_LIB_DIRECTORY_LIVE_MAP_H_
#define GATEHOUSE_LIB_DIRECTORY_LIVE_MAP_H_

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/directory/follow_filter.h"
#include "lib/directory/ldap_client.h"
#include "lib/directory/ldap_entry_reader.h"
#include "lib/directory/ldap_options.h"
#include "lib/directory/ldap_sync.h"
#include "lib/directory/live_map_store.h"
#include "lib/directory/move_feed.h"

namespace gatehouse {

// Everything that a connector's searches could find, in memory, kept as the
// directory is by a LiveMapFollower: the answers to all of its searches without
// asking. One for all workers.
//
// Where an entry of the tree is renamed, a server tells of nothing below it:
// those entries have their old DNs here until a login finds out
// (set_outdated()), or until they change.
class LiveMap {
 public:
  // How long after the directory was last heard of a location is given without
  // asking, and how long where asking has failed.
  struct Trust {
    absl::Duration ttl = absl::Minutes(1);
    absl::Duration stale_ttl = absl::Hours(24);
  };

  // The error is of an account filter that can't be followed.
  static absl::StatusOr<std::shared_ptr<LiveMap>> Create(
      std::shared_ptr<const LdapOptions> options, const Trust& trust);

  enum class State {
    kLoading,  // not complete yet: answers nothing
    kLive,     // as the directory is
    kAway,     // as it was when it was last heard of
  };

  // --- From any thread ---

  State state() const { return state_.load(std::memory_order_acquire); }
  // How long it hasn't heard of the directory; nothing while it is live.
  absl::Duration Age(absl::Time now) const;
  size_t entries() const { return store_.size(); }
  size_t bytes() const { return store_.bytes(); }
  // An entry had no room: it answers nothing any more.
  bool overflown() const { return overflown_.load(std::memory_order_relaxed); }
  // An entry has another DN than the map says: one above it was renamed, which
  // a server tells of that one alone. Everything is to come anew.
  void set_outdated() { outdated_.store(true, std::memory_order_relaxed); }
  MoveFeed& moves() { return moves_; }

  // For one thread; the map must outlive it. Neither locks nor waits.
  class Reader {
   public:
    explicit Reader(const LiveMap& map) : map_(map), reader_(map.store_) {}

    // Read only where the map isn't live: a look at the clock is a tenth of a
    // search.
    using Clock = absl::FunctionRef<absl::Time()>;

    // What the search for the name finds; nothing where the directory must be
    // asked. That nobody is found is only said while the map is live.
    std::optional<LdapFound> Find(const LoginName& name, Clock now) const;
    // The same where the directory was asked and can't answer.
    std::optional<LdapFound> FindStale(const LoginName& name, Clock now) const;

    // Where the mailboxes of so many entries live, chosen by chance; none while
    // the map is loading.
    std::vector<Location> SampleLocations(size_t most) const;

   private:
    std::optional<LdapFound> Search(const LoginName& name) const;

    const LiveMap& map_;
    const LiveMapStore::Reader reader_;
  };

  // --- The follower's, on one thread ---

  // What is to be followed, and from where on; an empty cookie: everything.
  const LdapSearch& search() const { return search_; }
  const std::string& cookie() const { return cookie_; }
  void ForgetCookie() { cookie_.clear(); }
  // Whether set_outdated() was called since it was asked.
  bool TakeOutdated() { return outdated_.exchange(false); }

  // A search has been sent; what was known serves until it has caught up.
  void BeginRefresh();
  void OnEntry(LdapSyncEntry event);
  // True where the map has become live by it.
  bool OnInfo(const LdapSyncInfo& info);
  // Nothing is heard of the directory since then.
  void OnLost(absl::Time since);

 private:
  LiveMap(std::shared_ptr<const LdapOptions> options, const Trust& trust,
          FollowFilter filter, LdapEntryReader entry_reader);

  void Put(const EntryUuid& uuid, const LdapEntry& entry);
  void TellMove(const LdapEntry& before, const LdapEntry& after);
  void KeepCookie(const std::string& cookie);

  const Trust trust_;
  const FollowFilter filter_;
  const LdapEntryReader entry_reader_;
  const LdapSearch search_;
  LiveMapStore store_;
  MoveFeed moves_;
  std::atomic<State> state_ = State::kLoading;
  std::atomic<int64_t> heard_at_ = 0;  // nanoseconds; while it isn't live
  std::atomic<bool> overflown_ = false;
  std::atomic<bool> outdated_ = false;
  // A part of the tree is another server's: who isn't found may be there.
  std::atomic<bool> has_references_ = false;

  std::string cookie_;
  bool loads_all_ = false;  // the refresh under way began with nothing
};

// By the connector's name.
using LiveMaps = std::map<std::string, std::shared_ptr<LiveMap>>;

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_DIRECTORY_LIVE_MAP_H_
