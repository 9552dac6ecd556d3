#include "lib/net/uv_connect.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <utility>

#include "lib/net/socket.h"
#include "lib/net/uv_stream.h"

namespace gatehouse {

UvConnect::UvConnect(EventLoop* loop, const SocketAddress& address,
                     const ConnectOptions& options,
                     Network::ConnectCallback done)
    : loop_(loop), address_(address), done_(std::move(done)) {
  Start(options);
  if (error_ != 0) {
    loop_->CallAgain(*this);
  } else {
    deadline_ = loop_->StartTimer(options.timeout, [this] { Fail(ETIMEDOUT); });
  }
}

UvConnect::~UvConnect() { CloseSocket(); }

void UvConnect::Start(const ConnectOptions& options) {
  const int fd = OpenConnectingSocket(address_, options.source);
  if (fd < 0) {
    error_ = -fd;
    return;
  }
  fd_ = fd;
  if ((connect(fd_, address_.raw(), address_.raw_size()) != 0 &&
       errno != EINPROGRESS) ||
      !loop_->polls().Add(fd_, UvStream::kAllEvents, *this)) {
    error_ = errno;
    close(std::exchange(fd_, -1));  // nobody watches it
  }
}

void UvConnect::OnEvents(uint32_t events) {
  if ((events & (EPOLLERR | EPOLLHUP)) != 0) {
    const int error = PendingError(fd_);
    if (error != 0) return Fail(error);
  }
  // An event without EPOLLOUT is none of a connection that is established.
  if ((events & EPOLLOUT) != 0) Succeed(events);
}

void UvConnect::OnAgain() { Fail(error_); }

void UvConnect::CloseSocket() {
  if (fd_ < 0) return;
  loop_->polls().ForgetClosing(*this);
  close(std::exchange(fd_, -1));
}

void UvConnect::Succeed(uint32_t events) {
  deadline_.reset();
  auto stream = UvStream::Adopt(loop_, std::exchange(fd_, -1), *this,
                                Failure::Side::kUpstream, events);
  Network::ConnectCallback done = std::move(done_);
  done(std::move(stream));
}

void UvConnect::Fail(int error) {
  CloseSocket();
  deadline_.reset();
  Failure::Kind kind = KindOfError(error);
  if (kind == Failure::Kind::kReset) kind = Failure::Kind::kUnreachable;
  Network::ConnectCallback done = std::move(done_);
  done(Failure{
      .side = Failure::Side::kUpstream,
      .kind = kind,
      .retry = Failure::Retry::kSafe,
      .text = "connect to " + address_.ToString() + ": " + ErrorText(error)});
}

}  // namespace gatehouse
