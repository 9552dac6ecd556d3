#ifndef GATEHOUSE_LIB_DIRECTORY_LDAP_REPLICA_OBSERVER_H_
#define GATEHOUSE_LIB_DIRECTORY_LDAP_REPLICA_OBSERVER_H_

#include <string>

#include "lib/base/failure.h"

namespace gatehouse {

// Hears how the replicas of one LdapDirectory are, on its thread. Must not
// destroy the directory.
class LdapReplicaObserver {
 public:
  virtual ~LdapReplicaObserver() = default;
  // Nothing is sent there until it is well again.
  virtual void OnReplicaLost(const std::string& url, const Failure& reason) = 0;
  // It answers: for the first time, or again.
  virtual void OnReplicaWell(const std::string& url) = 0;
  // An answer leads to a host that `referrals` doesn't list, and which isn't
  // asked.
  virtual void OnReferralRefused(const std::string& host) = 0;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_DIRECTORY_LDAP_REPLICA_OBSERVER_H_
