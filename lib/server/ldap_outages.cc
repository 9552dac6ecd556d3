#include "lib/server/ldap_outages.h"

#include <utility>

namespace gatehouse {
namespace {

// The hosts are what some server says.
constexpr size_t kMostRefusedHosts = 100;

}  // namespace

bool LdapOutages::Enter(const std::string& replica) {
  const std::lock_guard<std::mutex> lock(mutex_);
  Outage& outage = outages_[replica];
  ++outage.losers;
  return !std::exchange(outage.told, true);
}

void LdapOutages::Leave(const std::string& replica) {
  const std::lock_guard<std::mutex> lock(mutex_);
  --outages_[replica].losers;
}

bool LdapOutages::End(const std::string& replica) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = outages_.find(replica);
  if (found == outages_.end() || found->second.losers > 0) return false;
  outages_.erase(found);
  return true;
}

bool LdapOutages::NoteRefusal(const std::string& host) {
  const std::lock_guard<std::mutex> lock(mutex_);
  return refused_hosts_.size() < kMostRefusedHosts &&
         refused_hosts_.insert(host).second;
}

LdapReplicaLog::LdapReplicaLog(LogSink& log, std::string connector,
                               std::shared_ptr<LdapOutages> outages)
    : log_(log),
      connector_(std::move(connector)),
      outages_(std::move(outages)) {}

LdapReplicaLog::~LdapReplicaLog() {
  for (const std::string& key : lost_) outages_->Leave(key);
}

std::string LdapReplicaLog::KeyOf(const std::string& url) const {
  return connector_ + " " + url;
}

void LdapReplicaLog::OnReplicaLost(const std::string& url,
                                   const Failure& reason) {
  const std::string key = KeyOf(url);
  lost_.insert(key);
  if (!outages_->Enter(key)) return;
  log_.Write(LogRecord("ldap_replica_lost", LogRecord::Level::kWarning)
                 .Text("connector", connector_)
                 .Text("url", url)
                 .Text("kind", KindName(reason.kind))
                 .Text("detail", reason.text));
}

void LdapReplicaLog::OnReplicaWell(const std::string& url) {
  const std::string key = KeyOf(url);
  if (lost_.erase(key) > 0) outages_->Leave(key);
  if (!outages_->End(key)) return;
  log_.Write(LogRecord("ldap_replica_recovered", LogRecord::Level::kWarning)
                 .Text("connector", connector_)
                 .Text("url", url));
}

void LdapReplicaLog::OnReferralRefused(const std::string& host) {
  if (!outages_->NoteRefusal(KeyOf(host))) return;
  log_.Write(LogRecord("ldap_referral_refused", LogRecord::Level::kWarning)
                 .Text("connector", connector_)
                 .Text("host", host)
                 .Text("detail", "\"referrals\" doesn't list it"));
}

}  // namespace gatehouse
