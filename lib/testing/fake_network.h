#ifndef GATEHOUSE_LIB_TESTING_FAKE_NETWORK_H_
#define GATEHOUSE_LIB_TESTING_FAKE_NETWORK_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/net/network.h"

namespace gatehouse {

class FakeNetwork;

// The test's end of a connection whose other end, a Stream, the code under
// test owns. Outlives that Stream, and must not outlive its FakeNetwork's use.
// Nothing reaches the code under test before FakeNetwork::RunUntilIdle().
class FakePeer : public std::enable_shared_from_this<FakePeer> {
 public:
  // How the code under test has ended the connection.
  enum class End {
    kOpen,
    kDropped,   // the Stream was destroyed
    kFinished,  // Stream::CloseAfterFlush()
    kAborted,   // Stream::AbortAfterFlush()
  };
  // What becomes of StartServerTls() and StartClientTls().
  enum class TlsScript { kSucceed, kFail, kStall };

  // All that the peer has got, decrypted, since TakeSent().
  const std::string& Sent() const { return sent_; }
  std::string TakeSent() { return std::exchange(sent_, {}); }

  // What the peer does. It waits while the stream is paused, but for failures.
  void Deliver(std::string_view bytes);
  void DeliverEof();
  void DeliverFailure(Failure failure);

  // The peer takes so many bytes more and then stops reading; what is written
  // beyond counts as Stream::queued_bytes() until the capacity is set again.
  void set_send_capacity(size_t bytes);

  // Before TLS is started. kSucceed is the default; the session facts are
  // what tls_session() then gives.
  void ScriptTls(TlsScript script) { tls_script_ = script; }
  void set_tls_session(const TlsSession& session) { tls_session_ = session; }
  // Runs the handshake that kStall holds back.
  void FinishTls(TlsScript script);

  End end() const { return end_; }
  bool write_shut_down() const { return write_shut_down_; }
  bool kept_alive() const { return kept_alive_; }
  // Stream::WriteMore() was called.
  bool more_promised() const { return more_promised_; }
  bool reading() const;  // the Stream is there and isn't paused
  bool tls_started() const { return tls_started_; }
  bool tls_established() const { return tls_established_; }
  // The name that StartClientTls() was told to verify.
  const std::string& verify_name() const { return verify_name_; }
  SocketAddress address() const { return peer_address_; }

 private:
  friend class FakeNetwork;
  friend class FakeStream;

  struct Event {
    enum class Kind { kData, kEof, kFailure, kTls, kDrained };
    Kind kind;
    std::string bytes = {};
    Failure failure = {};
  };

  explicit FakePeer(FakeNetwork* network) : network_(network) {
    tls_session_.version = "TLSv1.3";
    tls_session_.cipher = "TLS_AES_128_GCM_SHA256";
  }
  void Schedule();
  void Pump();
  bool IsAllowed(const Event& event) const;
  void Dispatch(const Event& event);
  void TakeFromQueue();

  FakeNetwork* network_;
  class FakeStream* stream_ = nullptr;  // null when destroyed
  std::deque<Event> events_;
  bool scheduled_ = false;
  std::string sent_;
  std::string queued_;
  size_t capacity_ = std::numeric_limits<size_t>::max();
  End end_ = End::kOpen;
  bool shutdown_wanted_ = false;
  bool write_shut_down_ = false;
  bool more_promised_ = false;
  bool kept_alive_ = false;
  TlsScript tls_script_ = TlsScript::kSucceed;
  bool tls_started_ = false;
  bool tls_established_ = false;
  TlsSession tls_session_;
  std::string verify_name_;
  SocketAddress peer_address_;
  SocketAddress local_address_;
};

// A Network without sockets, clock or threads: everything happens in
// RunUntilIdle() and Advance(), in the order in which it was caused. Post() is
// safe from any thread, the rest belongs to the test's.
class FakeNetwork : public Network {
 public:
  enum class ConnectScript { kAccept, kRefuse, kStall };

  FakeNetwork() = default;
  ~FakeNetwork() override;

  // --- The test's side ---

  // Runs all that is due now. True if anything ran.
  bool RunUntilIdle();
  // Moves the clock, timer by timer, and runs what becomes due.
  void Advance(absl::Duration duration);

  // A pair that no Connect() or Listen() has made.
  std::pair<std::unique_ptr<Stream>, std::shared_ptr<FakePeer>> NewStream(
      const SocketAddress& peer = {}, const SocketAddress& local = {});

  // A client connects to a listener of the code under test, which accepts it
  // in RunUntilIdle().
  std::shared_ptr<FakePeer> ConnectTo(const SocketAddress& listener,
                                      const SocketAddress& from);
  bool listening(const SocketAddress& address) const {
    return listeners_.contains(address.ToString());
  }

  // What a Connect() to the address meets; kRefuse where nothing was said.
  // `met` runs as soon as it is accepted, before the code under test hears it:
  // the place to script TLS or deliver a greeting.
  void ScriptConnect(const SocketAddress& address, ConnectScript script,
                     std::function<void(FakePeer&)> met = {});
  // No connection can be made from this address.
  void ExhaustSource(const SocketAddress& source) {
    exhausted_.insert(source.ToString());
  }
  // All connections that were accepted from the code under test, in order.
  const std::vector<std::shared_ptr<FakePeer>>& connected() const {
    return connected_;
  }
  // All addresses that Connect() was asked for, in order.
  const std::vector<SocketAddress>& asked() const { return asked_; }

  // What Resolve() gives; kUnreachable where nothing was said. Addresses in
  // numbers need no script.
  void ScriptResolve(std::string_view host, ResolveResult result);
  void StallResolve(std::string_view host);

  // Calls every watcher of the descriptor.
  void MakeReady(int fd);
  int watchers(int fd) const;
  // Timers that are armed: a session that has gone must leave none.
  size_t timers() const { return timers_.size(); }
  // While true, RunOffLoop()'s work isn't begun.
  void HoldOffLoop(bool hold);

  // --- Network ---
  absl::Time Now() override { return now_; }
  absl::StatusOr<std::unique_ptr<Listener>> Listen(
      const SocketAddress& address, const ListenOptions& options,
      AcceptCallback on_accept) override;
  std::unique_ptr<Operation> Connect(const SocketAddress& address,
                                     const ConnectOptions& options,
                                     ConnectCallback done) override;
  std::unique_ptr<Operation> Resolve(std::string_view host,
                                     ResolveCallback done) override;
  std::unique_ptr<Operation> StartTimer(
      absl::Duration delay, absl::AnyInvocable<void()> done) override;
  std::unique_ptr<Operation> Defer(absl::AnyInvocable<void()> done) override;
  std::unique_ptr<Operation> WatchFd(int fd, bool readable, bool writable,
                                     absl::AnyInvocable<void()> ready) override;
  std::unique_ptr<Operation> RunOffLoop(
      BlockingKind kind, absl::AnyInvocable<void()> work,
      absl::AnyInvocable<void()> done) override;
  void Post(absl::AnyInvocable<void()> task) override;

 private:
  friend class FakePeer;
  class FakeListener;
  class FakeTimer;
  class FakeWatch;

  struct ConnectPlan {
    ConnectScript script = ConnectScript::kRefuse;
    std::function<void(FakePeer&)> met;
  };

  void Enqueue(absl::AnyInvocable<void()> task);
  std::unique_ptr<Operation> EnqueueCancellable(
      absl::AnyInvocable<void()> task);
  ConnectResult Meet(const SocketAddress& address,
                     const ConnectOptions& options);

  absl::Time now_ = absl::FromUnixSeconds(1'800'000'000);
  std::mutex posted_mutex_;
  std::deque<absl::AnyInvocable<void()>> posted_;
  std::deque<absl::AnyInvocable<void()>> tasks_;
  std::deque<absl::AnyInvocable<void()>> held_off_loop_;
  bool hold_off_loop_ = false;
  // By time, then by the order of starting.
  std::map<std::pair<absl::Time, uint64_t>, FakeTimer*> timers_;
  uint64_t next_timer_ = 0;
  std::map<std::string, FakeListener*> listeners_;
  uint16_t next_port_ = 40000;
  std::map<std::string, ConnectPlan> connect_plans_;
  std::map<std::string, std::unique_ptr<ResolveResult>> resolve_plans_;
  std::vector<std::shared_ptr<FakePeer>> connected_;
  std::vector<SocketAddress> asked_;
  std::set<std::string> exhausted_;
  std::vector<FakeWatch*> watches_;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_TESTING_FAKE_NETWORK_H_
