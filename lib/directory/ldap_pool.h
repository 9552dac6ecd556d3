#ifndef GATEHOUSE_LIB_DIRECTORY_LDAP_POOL_H_
#define GATEHOUSE_LIB_DIRECTORY_LDAP_POOL_H_

#include <memory>
#include <string>
#include <vector>

#include "lib/directory/ldap_client.h"
#include "lib/directory/ldap_lane.h"
#include "lib/directory/ldap_options.h"
#include "lib/directory/ldap_replica.h"
#include "lib/directory/ldap_replica_observer.h"
#include "lib/net/network.h"

namespace gatehouse {

// The replicas of one directory, seen as one that answers every request within
// a deadline. One per worker: a request needs no lock and no hop between
// threads, and slapd has plenty of connections to give.
//
// Requests go to a replica that is well, by options' replica_policy. One that
// can't be reached, or keeps silent for `timeout` to everybody, is down: its
// searches are sent elsewhere, once, and it is tried by a bind of the
// administrator with growing pauses until it answers; then requests go to it
// again. A bind that was sent isn't sent twice, for the server may have counted
// a wrong password, unless retry_binds allows it; one answered with busy or
// unavailable was not judged, and is sent elsewhere.
//
// Must not be destroyed from a callback of its own.
class LdapPool : private LdapReplica::Owner {
 public:
  // Of the servers at `urls`, whatever those of the options. With an observer,
  // which must outlive it, all are tried at once, not when they are needed.
  LdapPool(Network& network, std::shared_ptr<const LdapOptions> options,
           const std::vector<std::string>& urls,
           LdapReplicaObserver* observer = nullptr);

  // The reply is LdapFound, LdapReferral or Failure.
  std::unique_ptr<Operation> Search(LdapSearch search, LdapReplyCallback done);
  // The reply is LdapVerdict, LdapReferral or Failure. See
  // LdapConnection::Bind().
  std::unique_ptr<Operation> Bind(std::string dn, const Secret& secret,
                                  LdapReplyCallback done);

 private:
  class Handle;

  std::unique_ptr<Operation> Start(LdapRequestPtr request);
  void Dispatch(const LdapRequestPtr& request, LdapReplica* replica);
  // One that is well, but for `other_than`; null: none.
  LdapReplica* Choose(const LdapReplica* other_than = nullptr);
  // Whether the request, whose connection was lost or silent, must not be sent
  // again for what the server may have counted.
  bool MayHaveCounted(const LdapRequest& request) const;
  Failure AllDown() const;
  void OnReply(const LdapRequestPtr& request, LdapReply reply) override;
  void Retry(const LdapRequestPtr& request, const Failure& failure) override;
  void RetryElsewhere(const LdapRequestPtr& request, const Failure& failure);
  void OnTimeout(const LdapRequestPtr& request);
  void Cancel(const LdapRequestPtr& request);
  static void Finish(const LdapRequestPtr& request, LdapReply reply);

  Network& network_;
  const std::shared_ptr<const LdapOptions> options_;
  std::vector<std::unique_ptr<LdapReplica>> replicas_;
  // Expires with the pool: an operation may live longer.
  const std::shared_ptr<LdapPool*> self_ = std::make_shared<LdapPool*>(this);
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_DIRECTORY_LDAP_POOL_H_
