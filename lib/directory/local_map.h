#ifndef GATEHOUSE_LIB_DIRECTORY_LOCAL_MAP_H_
#define GATEHOUSE_LIB_DIRECTORY_LOCAL_MAP_H_

#include <cstddef>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "lib/base/published.h"
#include "lib/directory/directory.h"
#include "lib/directory/move_feed.h"

namespace re2 {
class RE2;
}

namespace gatehouse {

// A fixed map from names to accounts: small sites, tests, and the default that
// needs no directory. Names are compared without regard to ASCII case. A name
// that has no entry of its own is that of the first pattern it matches, and
// else that of its "@domain". Filled once, then read by every thread.
//
// Maps have many entries and few hosts: entries are views of texts, and share
// locations, that the map has been given to keep.
class LocalMap {
 public:
  struct Entry {
    // The account, in the file's spelling. "": the name that is asked for, as
    // in the entry of a pattern or a whole domain.
    std::string_view user;
    std::string_view password_hash;  // crypt(3); "": no login by password
    // The rest of the location. Where it has no addresses, `user` is the one.
    const Location* location = nullptr;

    // What the entry says of `name`, which has led to it.
    SharedLocation LocationOf(std::string_view name) const;
  };

  LocalMap();
  ~LocalMap();

  // Makes room for so many names at once.
  void Reserve(size_t names) { entries_.reserve(names); }

  // For any number of entries.
  std::string_view Keep(std::string text);
  const Location* Keep(Location location);

  // All that `name` and `entry` show must have been kept. False where the name
  // is there already.
  bool Add(std::string_view name, const Entry& entry);
  // The location of every name that the RE2 expression matches as a whole. An
  // error where it is no such expression.
  absl::Status AddPattern(std::string_view expression,
                          const Location* location);

  // The entry of `name`, else of a pattern, else of its "@domain", else null.
  const Entry* Find(std::string_view name) const;
  // The entry of exactly `name`, as needed where a password is to be checked.
  const Entry* FindExact(std::string_view name) const;

  // Accounts with an entry of their own, here or in `before`, that this map has
  // at another host.
  std::vector<Move> MovesFrom(const LocalMap& before) const;

  // One location of each host that is named, of at most kMostHosts.
  static constexpr size_t kMostHosts = 64;
  const std::vector<const Location*>& hosts() const { return hosts_; }

  size_t size() const { return entries_.size() + patterns_.size(); }

 private:
  struct Pattern {
    std::unique_ptr<const re2::RE2> expression;
    Entry entry;
  };

  struct HashIgnoringCase {
    size_t operator()(absl::string_view name) const;
  };
  struct EqualIgnoringCase {
    bool operator()(absl::string_view a, absl::string_view b) const;
  };

  std::deque<std::string> texts_;
  std::deque<Location> locations_;
  std::vector<const Location*> hosts_;
  absl::flat_hash_map<absl::string_view, Entry, HashIgnoringCase,
                      EqualIgnoringCase>
      entries_;
  std::vector<Pattern> patterns_;
};

// The map as its file now says: whoever reads the file again stores another
// one, and whoever looks something up holds the one that it began with. Every
// call from any thread.
class CurrentLocalMap {
 public:
  CurrentLocalMap() = default;
  explicit CurrentLocalMap(std::shared_ptr<const LocalMap> map)
      : map_(std::move(map)) {}

  Published<LocalMap>& published() { return map_; }
  // Tells of the moves, when the map is in place.
  void Store(std::shared_ptr<const LocalMap> map);
  MoveFeed& moves() { return moves_; }

 private:
  Published<LocalMap> map_;
  MoveFeed moves_;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_DIRECTORY_LOCAL_MAP_H_
