#include "lib/net/uv_listener.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <utility>

#include "lib/net/socket.h"
#include "lib/net/uv_stream.h"

namespace gatehouse {
namespace {

// So many at once, then the connections that are there have their turn.
constexpr int kAcceptsPerTurn = 32;
constexpr absl::Duration kExhaustedPause = absl::Milliseconds(100);
// So long without a pause, and the pauses are over: a log that hears of each
// end wouldn't be read any more.
constexpr absl::Duration kCalm = absl::Seconds(5);

bool IsExhaustion(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS ||
         error == ENOMEM;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Listener>> UvListener::Open(
    EventLoop* loop, const SocketAddress& address, const ListenOptions& options,
    Network::AcceptCallback on_accept) {
  absl::StatusOr<int> fd = OpenListeningSocket(address, options);
  if (!fd.ok()) return fd.status();
  std::unique_ptr<UvListener> listener(
      new UvListener(loop, *fd, options.observer, std::move(on_accept)));
  if (!loop->polls().Add(*fd, EPOLLIN, *listener)) {
    return absl::ResourceExhaustedError("listen on " + address.ToString() +
                                        ": " + ErrorText(errno));
  }
  return listener;
}

UvListener::UvListener(EventLoop* loop, int fd, ListenerObserver* observer,
                       Network::AcceptCallback on_accept)
    : loop_(loop),
      fd_(fd),
      on_accept_(
          std::make_shared<Network::AcceptCallback>(std::move(on_accept))),
      observer_(observer) {}

UvListener::~UvListener() {
  if (calm_ != nullptr) EndPauses();
  loop_->polls().ForgetClosing(*this);
  close(fd_);
}

SocketAddress UvListener::local() const { return LocalAddress(fd_); }

void UvListener::OnEvents(uint32_t events) {
  // What may outlive this listener, which may go in the call below.
  EventLoop& loop = *loop_;
  const auto on_accept = on_accept_;
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    sockaddr_in6 storage = {};
    auto* peer = reinterpret_cast<sockaddr*>(&storage);
    socklen_t size = sizeof(storage);
    const int fd = accept4(fd_, peer, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      if (IsExhaustion(errno)) Pause(errno);
      // Of the others, those that aren't EAGAIN belong to one connection that
      // has gone already; the next event comes for the rest.
      return;
    }
    auto stream = UvStream::Open(loop_, fd, Failure::Side::kDownstream);
    if (stream == nullptr) continue;
    loop.set_accepted(stream.get(), SocketAddress::FromSockaddr(peer));
    (*on_accept)(std::move(stream));
    loop.set_accepted(nullptr, {});
    if (!loop.polls().alive()) return;
  }
}

void UvListener::Pause(int error) {
  loop_->polls().Modify(fd_, 0, *this);
  pause_ = loop_->StartTimer(
      kExhaustedPause, [this] { loop_->polls().Modify(fd_, EPOLLIN, *this); });
  const bool first = calm_ == nullptr;
  calm_ = loop_->StartTimer(kCalm, [this] { EndPauses(); });
  if (first && observer_ != nullptr) {
    observer_->OnAcceptPaused(ErrorText(error));
  }
}

void UvListener::EndPauses() {
  calm_.reset();
  if (observer_ != nullptr) observer_->OnAcceptResumed();
}

}  // namespace gatehouse
