#include "lib/net/event_loop.h"

#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>

#include <algorithm>
#include <utility>

#include "lib/base/check.h"
#include "lib/net/uv_connect.h"
#include "lib/net/uv_listener.h"
#include "lib/net/uv_stream.h"

namespace gatehouse {
namespace {

constexpr uint64_t kTickNs = 10'000'000;

// Calls that ask for further calls get so many rounds before the kernel is
// asked again.
constexpr int kRoundsPerTurn = 4;

// splice(2) into a socket whose peer has gone raises SIGPIPE, and knows no
// MSG_NOSIGNAL. A library has no right to the process's signal handling, so the
// loop's thread alone keeps the signal off while it runs.
class SigpipeKeptOff {
 public:
  SigpipeKeptOff() {
    sigemptyset(&sigpipe_);
    sigaddset(&sigpipe_, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &sigpipe_, &before_);
  }
  ~SigpipeKeptOff() {
    if (sigismember(&before_, SIGPIPE)) return;
    const timespec at_once = {};
    while (sigtimedwait(&sigpipe_, nullptr, &at_once) > 0) {
    }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }

 private:
  sigset_t sigpipe_;
  sigset_t before_;
};

}  // namespace

std::unique_ptr<UvNetwork> UvNetwork::Create() {
  return std::make_unique<EventLoop>();
}

// What is done between two waits: time stands still, and what was asked for
// is done at the end.
class EventLoop::Turn {
 public:
  explicit Turn(EventLoop* loop) : loop_(loop) {
    loop_->in_turn_ = true;
    loop_->now_ns_ = uv_hrtime();
  }
  ~Turn() {
    for (int i = 0; i < kRoundsPerTurn && loop_->polls_.again_wanted(); ++i) {
      loop_->polls_.RunAgain();
    }
    if (loop_->polls_.again_wanted()) {
      uv_idle_start(&loop_->idle_, OnIdle);
    } else {
      uv_idle_stop(&loop_->idle_);
    }
    loop_->ArmTimer();
    loop_->in_turn_ = false;
  }

 private:
  EventLoop* loop_;
};

class EventLoop::WheelTimer final : public TimerWheel::Timer {
 public:
  WheelTimer(TimerWheel& wheel, TimerWheel::Tick due,
             absl::AnyInvocable<void()> done)
      : done_(std::move(done)) {
    wheel.Start(*this, due);
  }

 private:
  void OnDue() override {
    absl::AnyInvocable<void()> done = std::move(done_);
    done();
  }

  absl::AnyInvocable<void()> done_;
};

// --- Life --------------------------------------------------------------------

EventLoop::EventLoop()
    : now_ns_(uv_hrtime()),
      started_at_(absl::Now()),
      started_ns_(now_ns_),
      wheel_(TickOf(now_ns_)),
      mailbox_(std::make_shared<Mailbox>([this] { uv_async_send(&mail_); })),
      off_loop_(mailbox_),
      resolver_(this, LookUpHost),
      read_buffer_(new char[2 * kBulkReadBytes]) {
  const bool made = uv_loop_init(&loop_) == 0 &&
                    polls_.Add(uv_backend_fd(&loop_), EPOLLIN, libuv_) &&
                    uv_timer_init(&loop_, &timer_) == 0 &&
                    uv_async_init(&loop_, &mail_, OnMail) == 0 &&
                    uv_idle_init(&loop_, &idle_) == 0;
  GATEHOUSE_CHECK(made, "no event loop to be had");
  loop_.data = this;
}

EventLoop::~EventLoop() {
  while (!kept_.empty()) delete *kept_.begin();
  mailbox_->Close();
  for (uv_handle_t* handle : {reinterpret_cast<uv_handle_t*>(&timer_),
                              reinterpret_cast<uv_handle_t*>(&mail_),
                              reinterpret_cast<uv_handle_t*>(&idle_)}) {
    uv_close(handle, nullptr);
  }
  uv_run(&loop_, UV_RUN_DEFAULT);
  const int closed = uv_loop_close(&loop_);
  GATEHOUSE_CHECK(closed == 0, "a handle is left in the loop");
}

void EventLoop::Run() {
  const SigpipeKeptOff sigpipe;
  libuv_.woken = true;  // it may never have looked at its own descriptors
  while (!stop_wanted_) {
    int timeout_ms = LibuvTimeoutMs();
    if (libuv_.woken || timeout_ms == 0) {
      libuv_.woken = false;
      uv_run(&loop_, UV_RUN_NOWAIT);
      if (stop_wanted_) break;
      timeout_ms = LibuvTimeoutMs();
    }
    if (!polls_.Wait(timeout_ms)) continue;
    Turn turn(this);
    polls_.Dispatch();
  }
  stop_wanted_ = false;
}

// Until libuv has something to do by itself; -1: it has nothing.
int EventLoop::LibuvTimeoutMs() {
  uv_update_time(&loop_);
  return uv_backend_timeout(&loop_);
}

void EventLoop::Stop() {
  Post([this] { stop_wanted_ = true; });
}

// --- libuv's calls -----------------------------------------------------------

void EventLoop::OnTimer(uv_timer_t* handle) {
  EventLoop* self = static_cast<EventLoop*>(handle->loop->data);
  Turn turn(self);
  self->armed_for_ = TimerWheel::kNever;
  self->RunDueTimers();
}

void EventLoop::OnMail(uv_async_t* handle) {
  EventLoop* self = static_cast<EventLoop*>(handle->loop->data);
  Turn turn(self);
  for (Mailbox::Task& task : self->mailbox_->TakeAll()) task();
}

void EventLoop::OnIdle(uv_idle_t* handle) {
  // The turn's end does what is to be done.
  Turn turn(static_cast<EventLoop*>(handle->loop->data));
}

// --- Time --------------------------------------------------------------------

absl::Time EventLoop::Now() {
  if (!in_turn_) now_ns_ = uv_hrtime();
  return started_at_ + absl::Nanoseconds(now_ns_ - started_ns_);
}

TimerWheel::Tick EventLoop::TickOf(uint64_t nanoseconds) const {
  return nanoseconds / kTickNs;
}

void EventLoop::RunDueTimers() { wheel_.Advance(TickOf(now_ns_)); }

void EventLoop::ArmTimer() {
  const TimerWheel::Tick wake = wheel_.NextWake();
  if (wake == armed_for_) return;
  armed_for_ = wake;
  if (wake == TimerWheel::kNever) {
    uv_timer_stop(&timer_);
    return;
  }
  uv_update_time(&loop_);
  const uint64_t now = uv_hrtime();
  const uint64_t due = wake * kTickNs;
  const uint64_t delay_ms = due > now ? (due - now + 999'999) / 1'000'000 : 0;
  uv_timer_start(&timer_, OnTimer, delay_ms, 0);
}

void EventLoop::ComeRound() {
  if (!in_turn_) uv_idle_start(&idle_, OnIdle);
}

void EventLoop::CallAgain(PollTarget& target) {
  polls_.CallAgain(target);
  ComeRound();
}

// --- Network -----------------------------------------------------------------

absl::StatusOr<std::unique_ptr<Listener>> EventLoop::Listen(
    const SocketAddress& address, const ListenOptions& options,
    AcceptCallback on_accept) {
  return UvListener::Open(this, address, options, std::move(on_accept));
}

std::unique_ptr<Operation> EventLoop::Connect(const SocketAddress& address,
                                              const ConnectOptions& options,
                                              ConnectCallback done) {
  return std::make_unique<UvConnect>(this, address, options, std::move(done));
}

std::unique_ptr<Operation> EventLoop::Resolve(std::string_view host,
                                              ResolveCallback done) {
  return resolver_.Resolve(host, std::move(done));
}

std::unique_ptr<Operation> EventLoop::StartTimer(
    absl::Duration delay, absl::AnyInvocable<void()> done) {
  // A delay that would overflow is as good as none that ever ends.
  constexpr absl::Duration kLongest = absl::Hours(24 * 365 * 100);
  const absl::Duration bounded =
      std::clamp(delay, absl::ZeroDuration(), kLongest);
  const uint64_t now = in_turn_ ? now_ns_ : uv_hrtime();
  const uint64_t due = now + absl::ToInt64Nanoseconds(bounded);
  auto timer = std::make_unique<WheelTimer>(wheel_, TickOf(due + kTickNs - 1),
                                            std::move(done));
  ComeRound();
  return timer;
}

std::unique_ptr<Operation> EventLoop::Defer(absl::AnyInvocable<void()> done) {
  ComeRound();
  return std::make_unique<DeferredCall>(&polls_, std::move(done));
}

std::unique_ptr<Operation> EventLoop::WatchFd(
    int fd, bool readable, bool writable, absl::AnyInvocable<void()> ready) {
  const uint32_t events = (readable ? EPOLLIN | EPOLLRDHUP : 0) |
                          (writable ? static_cast<uint32_t>(EPOLLOUT) : 0);
  return std::make_unique<FdWatch>(&polls_, &watches_, fd, events,
                                   std::move(ready));
}

std::unique_ptr<Operation> EventLoop::RunOffLoop(
    BlockingKind kind, absl::AnyInvocable<void()> work,
    absl::AnyInvocable<void()> done) {
  return off_loop_.Run(kind, std::move(work), std::move(done));
}

void EventLoop::Post(absl::AnyInvocable<void()> task) {
  mailbox_->Put(std::move(task));
}

}  // namespace gatehouse
