#ifndef GATEHOUSE_LIB_SERVER_LOCAL_MAP_FILE_H_
#define GATEHOUSE_LIB_SERVER_LOCAL_MAP_FILE_H_

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/directory/local_map.h"

namespace gatehouse {

// A localFile map: a table (local_map_table.h), or JSON (comments allowed),
// which can say more of an entry:
//
//   {"users": {
//     "alice@example.com": {
//       "password": "$6$…",              // crypt(3), as mkpasswd prints it
//       "host": "store1.example.com",    // "name:port", "imaps://name:port"
//       "user": "alice",                 // the store's name; default: the key
//       "addresses": ["a@example.com"],  // what she may send as; default: key
//       "routingAddress": "…"},          // SMTP: the envelope recipient
//     "@example.org": {"host": "store2.example.com"}},
//    "patterns": [                       // in this order
//     {"match": "[a-m][^@]*@example\\.org", "host": "store1.example.com"}]}
//
// What begins with "{" or with a comment of JSON is JSON.

// Tells one state of a file from another, without reading it.
struct FileVersion {
  dev_t device = 0;
  ino_t inode = 0;
  int64_t size = 0;
  int64_t changed_ns = 0;

  // Nothing where there is no such file.
  static std::optional<FileVersion> Of(const std::string& file);
  friend bool operator==(const FileVersion&, const FileVersion&) = default;
};

struct LocalMapResult {
  std::shared_ptr<const LocalMap> map;  // null where there are faults
  // `FILE: /users/…: what` or `FILE: line 7: what`.
  std::vector<std::string> faults;
  FileVersion version;  // at the latest what was read
};

// For one service ("imap"): a host's URI may be meant for another one.
LocalMapResult ReadLocalMap(const std::string& file, std::string_view service);
// A map that was a table keeps its text.
LocalMapResult ParseLocalMap(std::string text, std::string_view service,
                             const std::string& file);

// A map with the file that it comes from.
struct LocalMapFile {
  std::string file;
  std::string service;  // whom it is read for
  FileVersion version;  // as read at first
  CurrentLocalMap map;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_SERVER_LOCAL_MAP_FILE_H_
