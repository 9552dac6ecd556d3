#ifndef GATEHOUSE_LIB_SERVER_LOCAL_MAP_FILE_H_
#define GATEHOUSE_LIB_SERVER_LOCAL_MAP_FILE_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lib/directory/local_map.h"

namespace gatehouse {

// A localFile map, as JSON (comments allowed):
//
//   {"users": {
//     "alice@example.com": {
//       "password": "$6$…",              // crypt(3), as mkpasswd prints it
//       "host": "store1.example.com",    // "name:port", "imaps://name:port"
//       "user": "alice",                 // the store's name; default: the key
//       "addresses": ["a@example.com"],  // what she may send as; default: key
//       "routingAddress": "…"},          // SMTP: the envelope recipient
//     "@example.org": {"host": "store2.example.com"}}}
struct LocalMapResult {
  std::shared_ptr<const LocalMap> map;  // null where there are faults
  std::vector<std::string> faults;      // `FILE: /users/…: what`
};

LocalMapResult ReadLocalMap(const std::string& file);
LocalMapResult ParseLocalMap(std::string_view text, const std::string& file);

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_SERVER_LOCAL_MAP_FILE_H_
