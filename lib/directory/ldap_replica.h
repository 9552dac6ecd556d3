#ifndef GATEHOUSE_LIB_DIRECTORY_LDAP_REPLICA_H_
#define GATEHOUSE_LIB_DIRECTORY_LDAP_REPLICA_H_

#include <cstddef>
#include <memory>
#include <string>

#include "absl/time/time.h"
#include "lib/directory/ldap_lane.h"
#include "lib/directory/ldap_options.h"
#include "lib/directory/ldap_replica_observer.h"
#include "lib/net/network.h"

namespace gatehouse {

// One server of a pool: its two lanes, and whether it is well. With an observer
// a connection to it is kept open, also while nobody asks anything, so that its
// loss is seen at once.
class LdapReplica : private LdapLane::Owner {
 public:
  // What becomes of requests that have left this replica.
  class Owner {
   public:
    virtual void OnReply(const LdapRequestPtr& request, LdapReply reply) = 0;
    virtual void Retry(const LdapRequestPtr& request,
                       const Failure& failure) = 0;

   protected:
    ~Owner() = default;
  };

  LdapReplica(Network& network, std::shared_ptr<const LdapOptions> options,
              const std::string& url, Owner& owner,
              LdapReplicaObserver* observer);

  void Submit(const LdapRequestPtr& request);
  void Remove(const LdapRequestPtr& request);

  // Whether the request waits only because all connections are in use.
  bool IsQueued(const LdapRequestPtr& request);
  // Whether others got answers while this request got none.
  bool AnsweredSince(absl::Time time) const { return last_answer_ > time; }

  // What it was asked and hasn't answered.
  size_t outstanding() const {
    return searches_.outstanding() + binds_.outstanding();
  }

  bool down() const { return down_; }
  // Why it is down.
  const Failure& failure() const { return failure_; }
  // Leaves it: all is retried elsewhere, but without `retry_binds` for the
  // binds that were sent, and it is tried again after a pause.
  void GoDown(const Failure& failure);

 private:
  LdapLane& LaneOf(const LdapRequest& request) {
    return request.is_bind() ? binds_ : searches_;
  }
  void OnReply(const LdapRequestPtr& request, LdapReply reply) override;
  void OnOpened() override;
  void OnOpenFailed(const Failure& failure) override;
  void OnConnectionLost() override;
  void Probe();

  Network& network_;
  const std::string url_;
  const bool retries_binds_;
  Owner& owner_;
  LdapReplicaObserver* const observer_;  // null: nobody wants to know
  LdapLane searches_;
  LdapLane binds_;
  bool answered_ = false;  // ever
  bool down_ = false;
  Failure failure_;
  absl::Time last_answer_ = absl::InfinitePast();
  absl::Duration pause_;
  std::unique_ptr<Operation> probe_;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_DIRECTORY_LDAP_REPLICA_H_
