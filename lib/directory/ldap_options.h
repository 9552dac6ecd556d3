#ifndef GATEHOUSE_LIB_DIRECTORY_LDAP_OPTIONS_H_
#define GATEHOUSE_LIB_DIRECTORY_LDAP_OPTIONS_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "lib/base/secret.h"
#include "lib/directory/login_name.h"

namespace gatehouse {

// Which of several replicas that are well gets a request.
enum class ReplicaPolicy {
  kPreferred,         // the first of the list
  kLeastOutstanding,  // the one that owes fewest answers to this worker
};

// One LDAP connector: where the directory is, who asks, and how its entries are
// read. Filled once, then shared by the workers, who only read it.
struct LdapOptions {
  // Replicas of one directory, the preferred first: ldap:// ldaps:// ldapi://.
  std::vector<std::string> urls;
  ReplicaPolicy replica_policy = ReplicaPolicy::kPreferred;
  // StartTLS on ldap:// URLs. Certificates are always verified, against
  // `ca_file`, or the system's authorities where that is empty.
  bool start_tls = false;
  std::string ca_file;
  // Servers to which a referral may lead, ldap:// ldaps://. They are told the
  // administrator's and users' passwords as those of `urls` are; any other is
  // never asked, whatever an answer says.
  std::vector<std::string> referrals;

  // Who searches; an empty DN searches anonymously. With `sasl_external` the
  // connection itself says who we are (ldapi://), and both are unused.
  std::string admin_dn;
  Secret admin_password;
  bool sasl_external = false;

  std::string account_base_dn;  // searched with its whole subtree
  // %e whole name, %u local part, %d domain, %% percent; see ldap_filter.h.
  std::string account_filter =
      "(&(objectClass=inetLocalMailRecipient)(mailLocalAddress=%e))";

  // Whether all that the filter may find is kept in memory, see live_map.h.
  bool follow = false;

  // Attributes of an entry; an empty name: not used.
  std::string hostname_attribute = "mailHost";
  std::string address_attribute = "mailLocalAddress";
  std::string routing_address_attribute = "mailRoutingAddress";
  // The account's name at the upstream. Empty: the value that the filter
  // compares with the asked name, in the entry's spelling.
  std::string user_attribute;
  // An entry whose status is none of `active_statuses` may not log in; one
  // without the attribute may.
  std::string status_attribute;
  std::vector<std::string> active_statuses = {"active"};
  // An entry that lists services, and not this one, may not log in.
  std::string service_attribute;
  std::string service;
  // Any value but FALSE: the mailbox is being moved to another host.
  std::string moving_attribute;

  LoginNameRules names;

  // The longest wait for one answer of one replica. One that keeps silent so
  // long is left, and what was searched there is searched elsewhere once.
  absl::Duration timeout = absl::Seconds(3);
  // Whether a bind whose replica was lost before its answer is sent elsewhere
  // once, as a search is. The lost one may have counted a wrong password, so
  // it is for directories that lock nobody out. Without it such a login fails.
  bool retry_binds = false;
  // Of each worker and replica. Searches share connections; a bind has one for
  // itself, and waits for at most `timeout` until one is free.
  size_t max_search_connections = 2;
  size_t max_bind_connections = 16;
};

// What is wrong with the options, named by the configuration's key
// ("accountFilter: position 3: …"). Doesn't connect.
absl::Status CheckLdapOptions(const LdapOptions& options);

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_DIRECTORY_LDAP_OPTIONS_H_
