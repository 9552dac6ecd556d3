#include "lib/directory/ldap_pool.h"

#include <utility>
#include <variant>

namespace gatehouse {
namespace {

// A request is sent once, and once more where the first replica was lost.
constexpr int kMaxSends = 2;

Failure Trouble(Failure::Kind kind, std::string text) {
  return {Failure::Side::kDirectory, kind, Failure::Retry::kSafe,
          std::move(text)};
}

}  // namespace

class LdapPool::Handle : public Operation {
 public:
  Handle(std::weak_ptr<LdapPool*> pool, LdapRequestPtr request)
      : pool_(std::move(pool)), request_(std::move(request)) {}
  ~Handle() override {
    request_->done = nullptr;
    if (const auto pool = pool_.lock()) (*pool)->Cancel(request_);
  }

 private:
  const std::weak_ptr<LdapPool*> pool_;
  const LdapRequestPtr request_;
};

LdapPool::LdapPool(Network& network, std::shared_ptr<const LdapOptions> options,
                   const std::vector<std::string>& urls,
                   LdapReplicaObserver* observer)
    : network_(network), options_(std::move(options)) {
  LdapReplica::Owner& owner = *this;
  for (const std::string& url : urls) {
    replicas_.push_back(std::make_unique<LdapReplica>(network_, options_, url,
                                                      owner, observer));
  }
}

std::unique_ptr<Operation> LdapPool::Search(LdapSearch search,
                                            LdapReplyCallback done) {
  auto request = std::make_shared<LdapRequest>();
  request->search = std::move(search);
  request->done = std::move(done);
  return Start(std::move(request));
}

std::unique_ptr<Operation> LdapPool::Bind(std::string dn, const Secret& secret,
                                          LdapReplyCallback done) {
  auto request = std::make_shared<LdapRequest>();
  request->dn = std::move(dn);
  request->secret = secret.Clone();
  request->done = std::move(done);
  return Start(std::move(request));
}

// Deferred, so that no answer comes inside the caller's call.
std::unique_ptr<Operation> LdapPool::Start(LdapRequestPtr request) {
  request->timer = network_.Defer(
      [self = std::weak_ptr(self_), weak = std::weak_ptr(request)] {
        const auto pool = self.lock();
        const LdapRequestPtr request = weak.lock();
        if (pool && request) (*pool)->Dispatch(request, (*pool)->Choose());
      });
  return std::make_unique<Handle>(self_, std::move(request));
}

void LdapPool::Dispatch(const LdapRequestPtr& request, LdapReplica* replica) {
  if (!request->done) return;
  if (replica == nullptr) return Finish(request, AllDown());
  request->replica = replica;
  request->timer = network_.StartTimer(
      options_->timeout,
      [self = std::weak_ptr(self_), weak = std::weak_ptr(request)] {
        const auto pool = self.lock();
        const LdapRequestPtr request = weak.lock();
        if (pool && request) (*pool)->OnTimeout(request);
      });
  replica->Submit(request);
}

LdapReplica* LdapPool::Choose(const LdapReplica* other_than) {
  const bool first_is_best =
      options_->replica_policy == ReplicaPolicy::kPreferred;
  LdapReplica* best = nullptr;
  for (const auto& replica : replicas_) {
    if (replica->down() || replica.get() == other_than) continue;
    if (first_is_best) return replica.get();
    if (best == nullptr || replica->outstanding() < best->outstanding()) {
      best = replica.get();
    }
  }
  return best;
}

bool LdapPool::MayHaveCounted(const LdapRequest& request) const {
  return request.is_bind() && request.sends > 0 && !options_->retry_binds;
}

Failure LdapPool::AllDown() const {
  if (replicas_.empty()) {
    return Trouble(Failure::Kind::kConfiguration, "no LDAP URL is configured");
  }
  Failure failure = replicas_.front()->failure();
  failure.text = "no LDAP replica is well; the first: " + failure.text;
  return failure;
}

void LdapPool::OnReply(const LdapRequestPtr& request, LdapReply reply) {
  const Failure* failure = std::get_if<Failure>(&reply);
  if (failure == nullptr) return Finish(request, std::move(reply));
  switch (failure->kind) {
    case Failure::Kind::kReset:
      // Down or not is for the next connection to find out, but not by this
      // request, which is sent only once more.
      return Retry(request, *failure);
    case Failure::Kind::kRefused:
    case Failure::Kind::kTimeout:
      return RetryElsewhere(request, *failure);
    default:
      return Finish(request, std::move(reply));
  }
}

void LdapPool::Retry(const LdapRequestPtr& request, const Failure& failure) {
  const bool judged =
      MayHaveCounted(*request) && failure.retry != Failure::Retry::kSafe;
  if (judged || request->sends >= kMaxSends) return Finish(request, failure);
  LdapReplica* other = Choose(request->replica);
  Dispatch(request, other != nullptr ? other : Choose());
}

void LdapPool::RetryElsewhere(const LdapRequestPtr& request,
                              const Failure& failure) {
  LdapReplica* other = Choose(request->replica);
  if (other == nullptr || request->sends >= kMaxSends) {
    return Finish(request, failure);
  }
  Dispatch(request, other);
}

void LdapPool::OnTimeout(const LdapRequestPtr& request) {
  LdapReplica* replica = request->replica;
  const bool was_sent = request->connection != nullptr;
  const bool alone = was_sent ? replica->AnsweredSince(request->sent_at)
                              : replica->IsQueued(request);
  replica->Remove(request);
  if (!was_sent && alone) {
    return Finish(request, Trouble(Failure::Kind::kExhausted,
                                   "no LDAP connection became free in time"));
  }
  const Failure failure =
      Trouble(Failure::Kind::kTimeout, "the LDAP server keeps silent");
  if (!alone) replica->GoDown(failure);
  if (was_sent && MayHaveCounted(*request)) return Finish(request, failure);
  RetryElsewhere(request, failure);
}

void LdapPool::Cancel(const LdapRequestPtr& request) {
  // The verdict of a bind is awaited all the same, so that its connection can
  // be used again; the deadline goes on.
  const bool on_the_way = request->is_bind() && request->connection != nullptr;
  if (on_the_way) return;
  request->timer = nullptr;
  if (request->replica != nullptr) request->replica->Remove(request);
}

void LdapPool::Finish(const LdapRequestPtr& request, LdapReply reply) {
  request->timer = nullptr;
  request->replica = nullptr;
  request->secret.Wipe();
  LdapReplyCallback done = std::exchange(request->done, nullptr);
  if (done) done(std::move(reply));
}

}  // namespace gatehouse
