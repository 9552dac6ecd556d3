#ifndef GATEHOUSE_LIB_SERVER_LOCAL_MAP_TABLE_H_
#define GATEHOUSE_LIB_SERVER_LOCAL_MAP_TABLE_H_

#include <string_view>

#include "lib/directory/local_map.h"
#include "lib/server/json_reader.h"

namespace gatehouse {

// Reads a localFile map that is a table, whose text `map` keeps, for `service`:
// one entry a line, its fields divided by blanks or tabs, "#" beginning a line
// that says nothing.
//
//   # name             host                     password: crypt(3)
//   alice@example.com  store1.example.com       $6$…
//   bob@example.com    imaps://store2.example.com:993
//   carol@example.com  -                        $6$…
//   /[a-m][^@]*@example\.org/  store1.example.com
//   @example.org       store2.example.com
//
// "-" names no host: the default upstream. Between slashes stands an RE2
// expression without blanks ("[^\s]", "\x20").
//
// What is wrong goes to `faults` with its line; after some of them the rest
// isn't looked at. benchmarks/directory:local_map_benchmark measures half a
// million lines.
void ReadLocalMapTable(std::string_view text, std::string_view service,
                       LocalMap& map, FaultList& faults);

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_SERVER_LOCAL_MAP_TABLE_H_
