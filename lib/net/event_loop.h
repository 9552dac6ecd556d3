#ifndef GATEHOUSE_LIB_NET_EVENT_LOOP_H_
#define GATEHOUSE_LIB_NET_EVENT_LOOP_H_

#include <uv.h>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_set.h"
#include "absl/time/time.h"
#include "lib/net/mailbox.h"
#include "lib/net/off_loop.h"
#include "lib/net/pipe_pool.h"
#include "lib/net/poll_set.h"
#include "lib/net/resolver.h"
#include "lib/net/timer_wheel.h"
#include "lib/net/uv_network.h"
#include "lib/net/watch.h"

namespace gatehouse {

class UvStream;

// What stands behind UvNetwork: a PollSet with libuv's loop hung into it, which
// has the timers and the calls of other threads. Streams, listeners and
// connects use its lower half.
class EventLoop final : public UvNetwork {
 public:
  EventLoop();
  ~EventLoop() override;

  // --- UvNetwork ---
  void Run() override;
  void Stop() override;

  absl::Time Now() override;
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

  // --- For this room ---
  // What is read at once: of a stream, and of one in bulk to another that keeps
  // up. There, fewer acknowledgements and wakings of the sender save an eighth
  // of the cost of a byte under TLS; more would leave the core's cache.
  static constexpr size_t kReadBytes = 64 * 1024;
  static constexpr size_t kBulkReadBytes = 256 * 1024;

  PollSet& polls() { return polls_; }
  // As PollSet::CallAgain(), and sees to it that the loop comes round for it.
  void CallAgain(PollTarget& target);
  // Shared by all streams: they hold data only inside one stream's call. What
  // was encrypted is decrypted from the one into the other.
  char* read_buffer() { return read_buffer_.get(); }
  PipePool& pipes() { return pipes_; }
  char* plaintext_buffer() { return read_buffer_.get() + kBulkReadBytes; }
  // The peer of the stream whose acceptance is being told of, which everybody
  // then wants to know: accept(2) has said it. Null for other streams.
  const SocketAddress* accepted_peer(const UvStream* stream) const {
    return stream == accepted_ ? &accepted_peer_ : nullptr;
  }
  void set_accepted(const UvStream* stream, const SocketAddress& peer) {
    accepted_ = stream;
    accepted_peer_ = peer;
  }
  // Empty between two calls.
  std::string& tls_records() { return tls_records_; }

  // Streams that were given away with CloseAfterFlush() and still have
  // something to do; they delete themselves, or the loop does when it goes.
  void Keep(UvStream* stream) { kept_.insert(stream); }
  void Release(UvStream* stream) { kept_.erase(stream); }

 private:
  class Turn;
  class WheelTimer;
  // libuv's own descriptor in our set.
  struct LibuvTarget final : PollTarget {
    void OnEvents(uint32_t events) override { woken = true; }
    bool woken = false;
  };

  int LibuvTimeoutMs();
  static void OnTimer(uv_timer_t* handle);
  static void OnMail(uv_async_t* handle);
  static void OnIdle(uv_idle_t* handle);

  TimerWheel::Tick TickOf(uint64_t nanoseconds) const;
  void RunDueTimers();
  void ArmTimer();
  void ComeRound();

  uv_loop_t loop_;
  uv_timer_t timer_;
  uv_async_t mail_;
  uv_idle_t idle_;
  PollSet polls_;
  LibuvTarget libuv_;
  FdWatch::Table watches_;
  uint64_t now_ns_;  // monotonic
  absl::Time started_at_;
  uint64_t started_ns_;
  TimerWheel wheel_;
  TimerWheel::Tick armed_for_ = TimerWheel::kNever;
  bool in_turn_ = false;
  bool stop_wanted_ = false;
  std::shared_ptr<Mailbox> mailbox_;
  OffLoop off_loop_;
  Resolver resolver_;
  std::unique_ptr<char[]> read_buffer_;
  std::string tls_records_;
  PipePool pipes_;
  const UvStream* accepted_ = nullptr;
  SocketAddress accepted_peer_;
  absl::flat_hash_set<UvStream*> kept_;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_NET_EVENT_LOOP_H_
