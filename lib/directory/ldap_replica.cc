#include "lib/directory/ldap_replica.h"

#include <algorithm>
#include <utility>
#include <variant>
#include <vector>

namespace gatehouse {
namespace {

// Pipelined on one connection. Below slapd's conn_max_pending_auth, which would
// close it, and few enough to fit a socket's buffer when nobody reads.
constexpr size_t kMaxPendingSearches = 64;

// Short, so that a restart is hardly felt; growing, so that a server that is
// away for days isn't bothered.
constexpr absl::Duration kFirstPause = absl::Milliseconds(250);
constexpr absl::Duration kLongestPause = absl::Seconds(15);

}  // namespace

LdapReplica::LdapReplica(Network& network,
                         std::shared_ptr<const LdapOptions> options,
                         const std::string& url, Owner& owner,
                         LdapReplicaObserver* observer)
    : network_(network),
      url_(url),
      retries_binds_(options->retry_binds),
      owner_(owner),
      observer_(observer),
      searches_(network, options, url, LdapConnection::Role::kSearch,
                {options->max_search_connections, kMaxPendingSearches}, *this),
      binds_(network, options, url, LdapConnection::Role::kBind,
             {options->max_bind_connections, 1}, *this),
      pause_(kFirstPause) {
  if (observer_ != nullptr) searches_.OpenOne();
}

void LdapReplica::Submit(const LdapRequestPtr& request) {
  LaneOf(*request).Submit(request);
}

void LdapReplica::Remove(const LdapRequestPtr& request) {
  LaneOf(*request).Remove(request);
}

bool LdapReplica::IsQueued(const LdapRequestPtr& request) {
  return request->connection == nullptr && !LaneOf(*request).opening();
}

void LdapReplica::OnReply(const LdapRequestPtr& request, LdapReply reply) {
  const Failure* failure = std::get_if<Failure>(&reply);
  if (failure == nullptr || failure->kind != Failure::Kind::kReset) {
    last_answer_ = network_.Now();
  }
  owner_.OnReply(request, std::move(reply));
}

void LdapReplica::OnOpened() {
  // While it is down, nothing is opened but the probe, whose bind it answered.
  const bool is_news = down_ || !answered_;
  answered_ = true;
  down_ = false;
  pause_ = kFirstPause;
  if (is_news && observer_ != nullptr) observer_->OnReplicaWell(url_);
}

void LdapReplica::OnOpenFailed(const Failure& failure) {
  if (!down_) return GoDown(failure);
  failure_ = failure;
  Probe();
}

void LdapReplica::OnConnectionLost() {
  if (observer_ != nullptr && !down_ && searches_.closed()) Probe();
}

void LdapReplica::GoDown(const Failure& failure) {
  if (down_) return;
  down_ = true;
  failure_ = failure;
  if (observer_ != nullptr) observer_->OnReplicaLost(url_, failure);
  // Binds go first: whose account is found already has waited for longer.
  std::vector<LdapRequestPtr> moved =
      retries_binds_ ? binds_.TakeAll() : binds_.TakeWaiting();
  for (LdapRequestPtr& request : searches_.TakeAll()) {
    moved.push_back(std::move(request));
  }
  binds_.CloseIdle();
  Probe();
  for (const LdapRequestPtr& request : moved) owner_.Retry(request, failure);
}

void LdapReplica::Probe() {
  probe_ = network_.StartTimer(pause_, [this] {
    if (searches_.closed()) searches_.OpenOne();
  });
  pause_ = std::min(pause_ * 2, kLongestPause);
}

}  // namespace gatehouse
