#ifndef GATEHOUSE_LIB_SERVER_LDAP_OUTAGES_H_
#define GATEHOUSE_LIB_SERVER_LDAP_OUTAGES_H_

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "lib/base/log.h"
#include "lib/directory/ldap_replica_observer.h"

namespace gatehouse {

// Which LDAP replicas are lost, and which referrals refused, as the directories
// of all workers see it: each has connections of its own, and is to tell once.
// Outlives reloads. Safe for all threads.
class LdapOutages {
 public:
  // The caller has lost the replica. True: the log doesn't say so yet.
  bool Enter(const std::string& replica);
  // The caller has lost it no longer, but knows nothing of it.
  void Leave(const std::string& replica);
  // It answers the caller. True: the log says that it is lost, and nobody has
  // lost it any more.
  bool End(const std::string& replica);

  // A referral to the host was refused. True: the log doesn't say so yet.
  bool NoteRefusal(const std::string& host);

 private:
  struct Outage {
    int losers = 0;
    bool told = false;
  };

  std::mutex mutex_;
  std::map<std::string, Outage> outages_;
  std::set<std::string> refused_hosts_;
};

// Tells the log of one directory's servers, unless another one has.
class LdapReplicaLog : public LdapReplicaObserver {
 public:
  // `log` must outlive this object.
  LdapReplicaLog(LogSink& log, std::string connector,
                 std::shared_ptr<LdapOutages> outages);
  ~LdapReplicaLog() override;

  void OnReplicaLost(const std::string& url, const Failure& reason) override;
  void OnReplicaWell(const std::string& url) override;
  void OnReferralRefused(const std::string& host) override;

 private:
  std::string KeyOf(const std::string& url) const;

  LogSink& log_;
  const std::string connector_;
  const std::shared_ptr<LdapOutages> outages_;
  std::set<std::string> lost_;  // of this directory; by their keys
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_SERVER_LDAP_OUTAGES_H_
