#ifndef GATEHOUSE_LIB_DIRECTORY_LOCAL_MAP_H_
#define GATEHOUSE_LIB_DIRECTORY_LOCAL_MAP_H_

#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "lib/directory/directory.h"

namespace gatehouse {

// A fixed map from names to accounts: small sites, tests, and the default that
// needs no directory. Names are compared without regard to ASCII case; an
// entry "@example.com" stands for every address of that domain that has none
// of its own. Filled once, then read by every thread.
class LocalMap {
 public:
  struct Entry {
    std::string password_hash;  // crypt(3); "": nobody can log in by password
    Location location;
  };

  // False where the name is there already.
  bool Add(std::string_view name, Entry entry);

  // The entry of `name`, else of its "@domain", else null.
  const Entry* Find(std::string_view name) const;
  // The entry of exactly `name`, as needed where a password is to be checked.
  const Entry* FindExact(std::string_view name) const;
  size_t size() const { return entries_.size(); }

 private:
  absl::flat_hash_map<std::string, Entry> entries_;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_DIRECTORY_LOCAL_MAP_H_
