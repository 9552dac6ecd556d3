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
      new UvListener(loop, *fd, std::move(on_accept)));
  if (!loop->polls().Add(*fd, EPOLLIN, *listener)) {
    return absl::ResourceExhaustedError("listen on " + address.ToString() +
                                        ": " + ErrorText(errno));
  }
  return listener;
}

UvListener::UvListener(EventLoop* loop, int fd,
                       Network::AcceptCallback on_accept)
    : loop_(loop),
      fd_(fd),
      on_accept_(
          std::make_shared<Network::AcceptCallback>(std::move(on_accept))) {}

UvListener::~UvListener() {
  loop_->polls().ForgetClosing(*this);
  close(fd_);
}

SocketAddress UvListener::local() const { return LocalAddress(fd_); }

void UvListener::OnEvents(uint32_t events) {
  PollSet& polls = loop_->polls();
  const auto on_accept = on_accept_;
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    const int fd = accept4(fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      if (IsExhaustion(errno)) Pause();
      // Of the others, those that aren't EAGAIN belong to one connection that
      // has gone already; the next event comes for the rest.
      return;
    }
    auto stream = UvStream::Open(loop_, fd, Failure::Side::kDownstream);
    if (stream != nullptr) (*on_accept)(std::move(stream));
    if (!polls.alive()) return;
  }
}

void UvListener::Pause() {
  loop_->polls().Modify(fd_, 0, *this);
  pause_ = loop_->StartTimer(
      kExhaustedPause, [this] { loop_->polls().Modify(fd_, EPOLLIN, *this); });
}

}  // namespace gatehouse
