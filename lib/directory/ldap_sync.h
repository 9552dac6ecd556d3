#ifndef GATEHOUSE_LIB_DIRECTORY_LDAP_SYNC_H_
#define GATEHOUSE_LIB_DIRECTORY_LDAP_SYNC_H_

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace gatehouse {

// What a content synchronisation (RFC 4533) adds to a search: its controls and
// intermediate messages, read from and written in BER (RFC 4533 §2). Pure: no
// connection. What isn't as the RFC writes it is nothing.

inline constexpr size_t kEntryUuidBytes = 16;
using EntryUuid = std::array<char, kEntryUuidBytes>;

// The value of the Sync Request Control (§2.2): refreshAndPersist, from what
// `cookie` stands for; an empty one asks for everything.
std::string EncodeSyncRequest(std::string_view cookie);

// The Sync State Control (§2.3), which comes with every entry.
struct LdapSyncState {
  enum class State { kPresent, kAdd, kModify, kDelete };
  State state = State::kPresent;
  EntryUuid uuid = {};
  std::string cookie;  // empty: none
};
std::optional<LdapSyncState> DecodeSyncState(std::string_view value);

// The Sync Info Message (§2.5), one of four.
struct LdapSyncNewCookie {
  std::string cookie;
};
// A phase of the refresh has ended; with `refresh_done` the refresh as well,
// and what comes now are changes as they happen.
struct LdapSyncPhaseEnd {
  // Whether what wasn't mentioned stays (the delete phase), or is gone (the
  // present phase).
  bool unmentioned_stays = false;
  bool refresh_done = true;
  std::string cookie;
};
struct LdapSyncIdSet {
  bool deleted = false;  // false: present and unchanged
  std::vector<EntryUuid> uuids;
  std::string cookie;
};
using LdapSyncInfo =
    std::variant<LdapSyncNewCookie, LdapSyncPhaseEnd, LdapSyncIdSet>;
std::optional<LdapSyncInfo> DecodeSyncInfo(std::string_view value);

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_DIRECTORY_LDAP_SYNC_H_
