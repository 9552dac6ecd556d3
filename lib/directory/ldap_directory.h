#ifndef GATEHOUSE_LIB_DIRECTORY_LDAP_DIRECTORY_H_
#define GATEHOUSE_LIB_DIRECTORY_LDAP_DIRECTORY_H_

#include <memory>
#include <string_view>

#include "absl/status/statusor.h"
#include "lib/directory/directory.h"
#include "lib/directory/ldap_options.h"
#include "lib/directory/ldap_replica_observer.h"
#include "lib/directory/live_map.h"
#include "lib/net/network.h"

namespace gatehouse {

// The directory behind an LDAP connector, by the LASER rules
// (draft-lachman-laser-ldap-mail-routing).
//
// Authenticate() normalises the name, searches the account and binds as the
// entry that was found. What can be nobody's name, an empty password and one
// with NUL in it are refused before LDAP is asked (RFC 4513 §5.1.2).
// kDisabled is said only to who knew the password, or where the directory
// itself says that the account is locked.
//
// Locate() searches only. Both give the name in the entry's own spelling:
// where no value of the entry equals the asked name but for ASCII case, LDAP's
// matching was looser than a mailbox name can be, and nobody was found.
//
// Questions for one name at the same time are one search. With a live map that
// knows the answer nothing is searched: a login is a bind, and Locate() costs
// nobody anything. The move observer hears of the moves that the map sees.
//
// Failures (never "not found"): no replica answers in time; the server refuses
// the search; nobody was found, and a part of the tree is at a server that the
// options' `referrals` don't list; an entry, or several that route differently,
// can't be followed (kConfiguration: the text names the DN).
//
// Needs no LDAP server to be made: without one it answers Failures, and
// recovers by itself. With an observer every replica is tried at once, and one
// that is lost is noticed though nobody asks it anything. One per worker, on
// its network's thread; the network must outlive it. Not to be destroyed from
// one of its callbacks.
absl::StatusOr<std::unique_ptr<Directory>> CreateLdapDirectory(
    Network& network, std::shared_ptr<const LdapOptions> options,
    std::shared_ptr<LiveMap> map = nullptr,
    std::unique_ptr<LdapReplicaObserver> observer = nullptr);

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_DIRECTORY_LDAP_DIRECTORY_H_
