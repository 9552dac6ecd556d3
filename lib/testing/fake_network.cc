#include "lib/testing/fake_network.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "lib/testing/fake_stream.h"

namespace gatehouse {
namespace {

// Cancels its task when it goes.
class CancelToken : public Operation {
 public:
  explicit CancelToken(std::shared_ptr<bool> cancelled)
      : cancelled_(std::move(cancelled)) {}
  ~CancelToken() override { *cancelled_ = true; }

 private:
  std::shared_ptr<bool> cancelled_;
};

// What will never be answered.
class StalledOperation : public Operation {};

Failure Unreachable(std::string text) {
  return Failure{.side = Failure::Side::kUpstream,
                 .kind = Failure::Kind::kUnreachable,
                 .retry = Failure::Retry::kSafe,
                 .text = std::move(text)};
}

}  // namespace

class FakeNetwork::FakeListener : public Listener {
 public:
  FakeListener(FakeNetwork* network, const SocketAddress& address,
               AcceptCallback on_accept)
      : network_(network), address_(address), on_accept_(std::move(on_accept)) {
    network_->listeners_[address_.ToString()] = this;
  }
  ~FakeListener() override { network_->listeners_.erase(address_.ToString()); }
  SocketAddress local() const override { return address_; }
  void Accept(std::unique_ptr<Stream> stream) { on_accept_(std::move(stream)); }

 private:
  FakeNetwork* network_;
  SocketAddress address_;
  AcceptCallback on_accept_;
};

class FakeNetwork::FakeTimer : public Operation {
 public:
  FakeTimer(FakeNetwork* network, absl::Time when,
            absl::AnyInvocable<void()> done)
      : network_(network),
        key_(when, network->next_timer_++),
        done_(std::move(done)) {
    network_->timers_[key_] = this;
  }
  ~FakeTimer() override { network_->timers_.erase(key_); }

  void Fire() {
    network_->timers_.erase(key_);
    absl::AnyInvocable<void()> done = std::move(done_);
    done();
  }

 private:
  FakeNetwork* network_;
  std::pair<absl::Time, uint64_t> key_;
  absl::AnyInvocable<void()> done_;
};

class FakeNetwork::FakeWatch : public Operation {
 public:
  FakeWatch(FakeNetwork* network, int fd, absl::AnyInvocable<void()> ready)
      : network_(network),
        fd_(fd),
        ready_(std::make_shared<absl::AnyInvocable<void()>>(std::move(ready))) {
    network_->watches_.push_back(this);
  }
  ~FakeWatch() override { std::erase(network_->watches_, this); }
  int fd() const { return fd_; }
  void Ready() {
    // The watch may go in its own callback.
    const std::shared_ptr<absl::AnyInvocable<void()>> ready = ready_;
    (*ready)();
  }

 private:
  FakeNetwork* network_;
  int fd_;
  std::shared_ptr<absl::AnyInvocable<void()>> ready_;
};

FakeNetwork::~FakeNetwork() = default;

void FakeNetwork::Enqueue(absl::AnyInvocable<void()> task) {
  tasks_.push_back(std::move(task));
}

std::unique_ptr<Operation> FakeNetwork::EnqueueCancellable(
    absl::AnyInvocable<void()> task) {
  auto cancelled = std::make_shared<bool>(false);
  Enqueue([cancelled, task = std::move(task)]() mutable {
    if (!*cancelled) task();
  });
  return std::make_unique<CancelToken>(cancelled);
}

bool FakeNetwork::RunUntilIdle() {
  bool ran = false;
  for (;;) {
    {
      std::lock_guard<std::mutex> lock(posted_mutex_);
      for (auto& task : posted_) tasks_.push_back(std::move(task));
      posted_.clear();
    }
    if (tasks_.empty()) return ran;
    ran = true;
    absl::AnyInvocable<void()> task = std::move(tasks_.front());
    tasks_.pop_front();
    task();
  }
}

void FakeNetwork::Advance(absl::Duration duration) {
  const absl::Time until = now_ + duration;
  RunUntilIdle();
  while (!timers_.empty() && timers_.begin()->first.first <= until) {
    now_ = std::max(now_, timers_.begin()->first.first);
    timers_.begin()->second->Fire();
    RunUntilIdle();
  }
  now_ = until;
}

std::pair<std::unique_ptr<Stream>, std::shared_ptr<FakePeer>>
FakeNetwork::NewStream(const SocketAddress& peer, const SocketAddress& local) {
  std::shared_ptr<FakePeer> end(new FakePeer(this));
  end->peer_address_ = peer;
  end->local_address_ = local;
  return {std::make_unique<FakeStream>(end), end};
}

std::shared_ptr<FakePeer> FakeNetwork::ConnectTo(const SocketAddress& listener,
                                                 const SocketAddress& from) {
  auto [stream, peer] = NewStream(from, listener);
  Enqueue([this, listener, stream = std::move(stream)]() mutable {
    const auto found = listeners_.find(listener.ToString());
    if (found != listeners_.end()) found->second->Accept(std::move(stream));
  });
  return peer;
}

void FakeNetwork::ScriptConnect(const SocketAddress& address,
                                ConnectScript script,
                                std::function<void(FakePeer&)> met) {
  connect_plans_[address.ToString()] = {script, std::move(met)};
}

void FakeNetwork::ScriptResolve(std::string_view host, ResolveResult result) {
  resolve_plans_[std::string(host)] =
      std::make_unique<ResolveResult>(std::move(result));
}

void FakeNetwork::StallResolve(std::string_view host) {
  resolve_plans_[std::string(host)] = nullptr;
}

void FakeNetwork::MakeReady(int fd) {
  const std::vector<FakeWatch*> watches = watches_;
  for (FakeWatch* watch : watches) {
    const bool alive =
        std::find(watches_.begin(), watches_.end(), watch) != watches_.end();
    if (alive && watch->fd() == fd) watch->Ready();
  }
}

int FakeNetwork::watchers(int fd) const {
  return std::count_if(watches_.begin(), watches_.end(),
                       [fd](FakeWatch* watch) { return watch->fd() == fd; });
}

void FakeNetwork::HoldOffLoop(bool hold) {
  hold_off_loop_ = hold;
  if (hold) return;
  for (auto& job : held_off_loop_) Enqueue(std::move(job));
  held_off_loop_.clear();
}

absl::StatusOr<std::unique_ptr<Listener>> FakeNetwork::Listen(
    const SocketAddress& address, const ListenOptions& options,
    AcceptCallback on_accept) {
  SocketAddress chosen = address;
  if (chosen.port() == 0) chosen.set_port(next_port_++);
  if (listening(chosen)) {
    return absl::UnavailableError(
        ("listen on " + chosen.ToString() + ": Address already in use")
            .c_str());
  }
  return std::make_unique<FakeListener>(this, chosen, std::move(on_accept));
}

Network::ConnectResult FakeNetwork::Meet(const SocketAddress& address,
                                         const ConnectOptions& options) {
  if (exhausted_.contains(options.source.ToString())) {
    Failure failure = Unreachable("connect to " + address.ToString() +
                                  ": Cannot assign requested address");
    failure.kind = Failure::Kind::kExhausted;
    return failure;
  }
  const ConnectPlan& plan = connect_plans_[address.ToString()];
  if (plan.script == ConnectScript::kRefuse) {
    return Unreachable("connect to " + address.ToString() +
                       ": Connection refused");
  }
  auto [stream, peer] = NewStream(address, options.source);
  connected_.push_back(peer);
  if (plan.met) plan.met(*peer);
  return std::move(stream);
}

std::unique_ptr<Operation> FakeNetwork::Connect(const SocketAddress& address,
                                                const ConnectOptions& options,
                                                ConnectCallback done) {
  asked_.push_back(address);
  if (connect_plans_[address.ToString()].script == ConnectScript::kStall) {
    return StartTimer(
        options.timeout, [address, done = std::move(done)]() mutable {
          Failure failure =
              Unreachable("connect to " + address.ToString() + ": timed out");
          failure.kind = Failure::Kind::kTimeout;
          done(std::move(failure));
        });
  }
  return EnqueueCancellable(
      [this, address, options, done = std::move(done)]() mutable {
        done(Meet(address, options));
      });
}

std::unique_ptr<Operation> FakeNetwork::Resolve(std::string_view host,
                                                ResolveCallback done) {
  ResolveResult result = Unreachable("resolve " + std::string(host) +
                                     ": Name or service not known");
  if (const auto address = SocketAddress::Parse(host, 0)) {
    result = std::vector<SocketAddress>{*address};
  } else if (const auto plan = resolve_plans_.find(std::string(host));
             plan != resolve_plans_.end()) {
    if (plan->second == nullptr) return std::make_unique<StalledOperation>();
    result = *plan->second;
  }
  return EnqueueCancellable(
      [result = std::move(result), done = std::move(done)]() mutable {
        done(std::move(result));
      });
}

std::unique_ptr<Operation> FakeNetwork::StartTimer(
    absl::Duration delay, absl::AnyInvocable<void()> done) {
  return std::make_unique<FakeTimer>(this, now_ + delay, std::move(done));
}

std::unique_ptr<Operation> FakeNetwork::Defer(absl::AnyInvocable<void()> done) {
  return EnqueueCancellable(std::move(done));
}

std::unique_ptr<Operation> FakeNetwork::WatchFd(
    int fd, bool readable, bool writable, absl::AnyInvocable<void()> ready) {
  return std::make_unique<FakeWatch>(this, fd, std::move(ready));
}

std::unique_ptr<Operation> FakeNetwork::RunOffLoop(
    BlockingKind kind, absl::AnyInvocable<void()> work,
    absl::AnyInvocable<void()> done) {
  auto cancelled = std::make_shared<bool>(false);
  absl::AnyInvocable<void()> job = [cancelled, work = std::move(work),
                                    done = std::move(done)]() mutable {
    work();
    if (!*cancelled) done();
  };
  if (hold_off_loop_) {
    held_off_loop_.push_back(std::move(job));
  } else {
    Enqueue(std::move(job));
  }
  return std::make_unique<CancelToken>(cancelled);
}

void FakeNetwork::Post(absl::AnyInvocable<void()> task) {
  std::lock_guard<std::mutex> lock(posted_mutex_);
  posted_.push_back(std::move(task));
}

}  // namespace gatehouse
