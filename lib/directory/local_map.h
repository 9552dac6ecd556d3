#ifndef GATEHOUSE_LIB_DIRECTORY_LOCAL_MAP_H_
#define GATEHOUSE_LIB_DIRECTORY_LOCAL_MAP_H_

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "lib/directory/directory.h"

namespace re2 {
class RE2;
}

namespace gatehouse {

// A fixed map from names to accounts: small sites, tests, and the default that
// needs no directory. Names are compared without regard to ASCII case. A name
// that has no entry of its own is that of the first pattern it matches, and
// else that of its "@domain". Filled once, then read by every thread.
class LocalMap {
 public:
  struct Entry {
    std::string password_hash;  // crypt(3); "": nobody can log in by password
    Location location;
  };

  LocalMap();
  ~LocalMap();

  // Makes room for so many names at once.
  void Reserve(size_t names) { entries_.reserve(names); }

  // False where the name is there already.
  bool Add(std::string_view name, Entry entry);
  // An entry for every name that the RE2 expression matches as a whole. Such an
  // entry has no password. An error where it is no such expression.
  absl::Status AddPattern(std::string_view expression, Entry entry);

  // The entry of `name`, else of a pattern, else of its "@domain", else null.
  const Entry* Find(std::string_view name) const;
  // The entry of exactly `name`, as needed where a password is to be checked.
  const Entry* FindExact(std::string_view name) const;
  size_t size() const { return entries_.size() + patterns_.size(); }

 private:
  struct Pattern {
    std::unique_ptr<const re2::RE2> expression;
    Entry entry;
  };

  absl::flat_hash_map<std::string, Entry> entries_;
  std::vector<Pattern> patterns_;
};

// The map as its file now says: whoever reads the file again stores another
// one, and whoever looks something up holds the one that it began with.
using CurrentLocalMap = std::atomic<std::shared_ptr<const LocalMap>>;

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_DIRECTORY_LOCAL_MAP_H_
