#ifndef GATEHOUSE_LIB_DIRECTORY_LDAP_REFERRAL_CHASER_H_
#define GATEHOUSE_LIB_DIRECTORY_LDAP_REFERRAL_CHASER_H_

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "lib/directory/ldap_client.h"
#include "lib/directory/ldap_options.h"
#include "lib/directory/ldap_pool.h"
#include "lib/directory/ldap_replica_observer.h"
#include "lib/directory/ldap_url.h"
#include "lib/net/network.h"

namespace gatehouse {

// Asks a connector's servers, and where they say that others know (RFC 4511
// §4.1.10, §4.5.3) asks those, too. Only such as the options' `referrals` list,
// and as these are written there: a host that an answer names gets neither a
// connection nor a password, unless the administrator has named it before.
//
// What a URL leaves out is asked as it was (RFC 4516). Some hops at most, and
// all within twice `timeout`, as without referrals. What a server has found is
// looked for nowhere else. A part of a search that can't be asked makes it a
// Failure where nothing was found: a mailbox that may be there isn't said to be
// nowhere.
//
// Not to be destroyed from a callback.
class LdapReferralChaser {
 public:
  // See LdapPool for the observer, which may be null.
  LdapReferralChaser(Network& network,
                     std::shared_ptr<const LdapOptions> options,
                     std::unique_ptr<LdapReplicaObserver> observer = nullptr);

  // The reply is LdapFound, without references, or Failure.
  std::unique_ptr<Operation> Search(LdapSearch search, LdapReplyCallback done);
  // At the server where the entry was found (LdapFound::server). The reply is
  // LdapVerdict or Failure. See LdapConnection::Bind().
  std::unique_ptr<Operation> Bind(std::string dn, size_t server,
                                  const Secret& secret, LdapReplyCallback done);

 private:
  class Chase;
  struct Question;

  // Where the URL leads to; 0: nowhere that is listed.
  size_t ServerOf(const LdapUrl& url) const;

  Network& network_;
  const std::shared_ptr<const LdapOptions> options_;
  const std::unique_ptr<LdapReplicaObserver> observer_;  // may be null
  // The connector's own servers, then each that is listed.
  std::vector<std::unique_ptr<LdapPool>> pools_;
  std::map<std::string, size_t> listed_;  // by LdapServerKey()
  // Expires with it: an operation may live longer.
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_DIRECTORY_LDAP_REFERRAL_CHASER_H_
