#ifndef GATEHOUSE_LIB_DIRECTORY_LIVE_MAP_RECORD_H_
#define GATEHOUSE_LIB_DIRECTORY_LIVE_MAP_RECORD_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/directory/ldap_entry.h"
#include "lib/directory/live_map_arena.h"

namespace gatehouse {

// Which attributes of an entry are kept, and how.
struct LiveMapAttribute {
  std::string name;  // in lower case
  // Entries are looked up by its values.
  bool is_key = false;
  // Its values are compared with a name: they must be plain (LookupKey).
  bool is_compared = false;
  // Few different values, each of which is kept once: hosts, statuses.
  bool is_word = false;
};
using LiveMapAttributes = std::vector<LiveMapAttribute>;

// Whether there is nothing of the entry but these, each of them once.
bool HoldsOnly(const LdapEntry& entry, const LiveMapAttributes& attributes);

// The entry in few bytes, its DN and all its values in their spelling. What an
// entry has twice (a local part in DN and addresses) is kept once; what
// entries share (domains, hosts, the end of the DN) becomes a word of the
// arena. Nothing where there is more of it (HoldsOnly()).
//
//   record    = counts dn *values        ; one `values` for each attribute
//   counts    = 1*OCTET                  ; two bits for each attribute: so many
//                                        ; values, or 3 and more by `count`
//   dn        = word value               ; up to the first "=", the rest
//   values    = [count] *value
//   value     = prefix word              ; the word begins with "@" or ","
//   prefix    = 2 * length + 0, octets   ; or
//             / 2 * number + 1           ; that one of the record, from 0
//   word, count, 2 * length …            ; LEB128
std::optional<std::string> EncodeRecord(const LdapEntry& entry,
                                        const LiveMapAttributes& attributes,
                                        LiveMapArena& arena);

// `record` is what EncodeRecord() has given for the same attributes and arena.
LdapEntry DecodeRecord(std::string_view record,
                       const LiveMapAttributes& attributes,
                       const LiveMapArena& arena);

// LEB128: the number is taken from the front of `bytes`, or put behind `text`.
uint32_t TakeNumber(std::string_view& bytes);
void AppendNumber(std::string& text, uint32_t number);

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_DIRECTORY_LIVE_MAP_RECORD_H_
