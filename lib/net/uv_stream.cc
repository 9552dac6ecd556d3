#include "lib/net/uv_stream.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <utility>

#include "lib/net/socket.h"

namespace gatehouse {
namespace {

// One fast peer has so many buffers a turn, then the others have theirs.
constexpr int kReadsPerTurn = 4;

// CloseAfterFlush(): for what is queued, and then for the peer's own FIN,
// without which a late byte of the peer's would make the kernel answer with a
// reset that destroys our last reply on its way.
constexpr absl::Duration kFlushLimit = absl::Seconds(5);
constexpr absl::Duration kLingerLimit = absl::Seconds(2);

}  // namespace

std::unique_ptr<UvStream> UvStream::Open(EventLoop* loop, int fd,
                                         Failure::Side side) {
  std::unique_ptr<UvStream> stream(new UvStream(loop, fd, side));
  if (!loop->polls().Add(fd, kEvents, *stream)) return nullptr;
  return stream;
}

std::unique_ptr<UvStream> UvStream::Adopt(EventLoop* loop, int fd,
                                          Failure::Side side, uint32_t events) {
  std::unique_ptr<UvStream> stream(new UvStream(loop, fd, side));
  loop->polls().HandOver(fd, *stream);
  stream->readable_ = (events & (EPOLLIN | EPOLLRDHUP)) != 0;
  stream->hung_up_ = (events & EPOLLRDHUP) != 0;
  return stream;
}

UvStream::UvStream(EventLoop* loop, int fd, Failure::Side side)
    : loop_(loop), fd_(fd), side_(side) {}

UvStream::~UvStream() {
  if (finishing_) loop_->Release(this);
  Close();
}

void UvStream::Close() {
  if (dead()) return;
  loop_->polls().ForgetClosing(fd_, *this);
  close(std::exchange(fd_, -1));
  unsent_.Clear();
}

SocketAddress UvStream::peer() const { return PeerAddress(fd_); }
SocketAddress UvStream::local() const { return LocalAddress(fd_); }

// --- Events ------------------------------------------------------------------

void UvStream::OnEvents(uint32_t events) {
  if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
    readable_ = true;
  }
  if ((events & (EPOLLRDHUP | EPOLLHUP)) != 0) hung_up_ = true;
  if (finishing_) return ContinueFinishing();
  if ((events & EPOLLERR) != 0) {
    // What came before the error is read first, where it is wanted.
    if (!Read()) return;
    if (!dead()) Fail(PendingError(fd_));
    return;
  }
  if ((events & EPOLLOUT) != 0 && !Flush()) return;
  Read();
}

void UvStream::OnAgain() {
  if (finishing_) return ContinueFinishing();
  if (!Read()) return;
  if (error_ != 0 && !dead()) Fail(error_);
}

void UvStream::ScheduleError(int error) {
  error_ = error;
  unsent_.Clear();
  loop_->CallAgain(*this);
}

bool UvStream::Fail(int error) {
  return Report(Failure{
      .side = side_, .kind = KindOfError(error), .text = ErrorText(error)});
}

bool UvStream::Report(Failure failure) {
  Close();
  if (handler_ == nullptr) return true;
  PollSet& polls = loop_->polls();
  handler_->OnFailure(failure);
  return polls.alive();
}

// --- Reading -----------------------------------------------------------------

void UvStream::ResumeReading() {
  paused_ = false;
  if (readable_ && !dead()) loop_->CallAgain(*this);
}

bool UvStream::Read() {
  for (int i = 0; i < kReadsPerTurn; ++i) {
    if (!readable_ || !wants_data()) return true;
    if (!ReadOnce()) return false;
  }
  if (readable_ && wants_data()) loop_->CallAgain(*this);
  return true;
}

void UvStream::Unread(std::string_view bytes) {
  unread_ = std::make_unique<std::string>(bytes);
  readable_ = true;
  loop_->CallAgain(*this);
}

bool UvStream::ReadOnce() {
  if (unread_ != nullptr) {
    const std::unique_ptr<std::string> bytes = std::move(unread_);
    return Deliver(*bytes);
  }
  char* buffer = loop_->read_buffer();
  const ssize_t count = recv(fd_, buffer, EventLoop::kReadBufferBytes, 0);
  if (count < 0) {
    if (errno == EINTR) return true;
    if (errno != EAGAIN) return Fail(errno);
    readable_ = false;
    return true;
  }
  if (count == 0) return DeliverEof();
  // A short read has emptied the socket; what comes later is a new edge.
  const auto size = static_cast<size_t>(count);
  if (size < EventLoop::kReadBufferBytes && !hung_up_) readable_ = false;
  const bool alive = Deliver(std::string_view(buffer, size));
  explicit_bzero(buffer, size);  // it may have been a password
  return alive;
}

bool UvStream::Deliver(std::string_view bytes) {
  PollSet& polls = loop_->polls();
  handler_->OnData(bytes);
  return polls.alive();
}

bool UvStream::DeliverEof() {
  readable_ = false;
  eof_ = true;
  PollSet& polls = loop_->polls();
  handler_->OnEof();
  return polls.alive();
}

// --- Writing -----------------------------------------------------------------

void UvStream::Write(std::string_view bytes) {
  if (dead() || error_ != 0 || fin_wanted_) return;
  Send(bytes);
}

void UvStream::Send(std::string_view bytes) {
  if (unsent_.empty()) {
    ssize_t sent;
    do {
      sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0 && errno != EAGAIN) return ScheduleError(errno);
    if (sent > 0) bytes.remove_prefix(sent);
  }
  unsent_.Append(bytes);
}

bool UvStream::Flush() {
  if (unsent_.empty()) return true;
  const std::string_view bytes = unsent_.bytes();
  const ssize_t sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (sent < 0) {
    if (errno != EAGAIN && errno != EINTR) ScheduleError(errno);
    return true;
  }
  unsent_.Consume(sent);
  if (!unsent_.empty()) return true;
  if (fin_wanted_) SendFin();
  if (handler_ == nullptr) return true;
  PollSet& polls = loop_->polls();
  handler_->OnDrained();
  return polls.alive();
}

void UvStream::ShutdownWrite() {
  if (dead() || fin_wanted_) return;
  fin_wanted_ = true;
  if (unsent_.empty()) SendFin();
}

void UvStream::SendFin() {
  fin_sent_ = true;
  shutdown(fd_, SHUT_WR);
}

// --- TLS ---------------------------------------------------------------------

void UvStream::StartServerTls(const TlsServerContext& context) {
  ScheduleError(EPROTONOSUPPORT);
}

void UvStream::StartClientTls(const TlsClientContext& context,
                              std::string_view verify_name) {
  ScheduleError(EPROTONOSUPPORT);
}

std::unique_ptr<TlsSession> UvStream::tls_session() const { return nullptr; }

// --- Ends --------------------------------------------------------------------

void UvStream::Abort() {
  handler_ = nullptr;
  if (dead()) return;
  const linger reset = {.l_onoff = 1, .l_linger = 0};
  setsockopt(fd_, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
  Close();
}

void UvStream::FinishAndDelete() {
  handler_ = nullptr;
  finishing_ = true;
  loop_->Keep(this);
  ShutdownWrite();
  LingerFor(fin_sent_ ? kLingerLimit : kFlushLimit);
  ContinueFinishing();
}

void UvStream::LingerFor(absl::Duration limit) {
  linger_ = loop_->StartTimer(limit, [this] { delete this; });
}

void UvStream::ContinueFinishing() {
  if (!dead() && error_ == 0 && !fin_sent_) {
    Flush();
    if (fin_sent_) LingerFor(kLingerLimit);
  }
  if (dead() || error_ != 0) {
    delete this;
  } else if (readable_) {
    DrainInput();
  } else if (eof_ && fin_sent_) {
    delete this;
  }
}

void UvStream::DrainInput() {
  char* buffer = loop_->read_buffer();
  for (int i = 0; i < kReadsPerTurn; ++i) {
    const ssize_t count =
        recv(fd_, buffer, EventLoop::kReadBufferBytes, MSG_TRUNC);
    if (count == 0) eof_ = true;
    if (count < 0 && errno != EAGAIN && errno != EINTR) error_ = errno;
    if (count > 0) continue;
    readable_ = false;
    if (error_ != 0 || (eof_ && fin_sent_)) delete this;
    return;
  }
  loop_->CallAgain(*this);
}

}  // namespace gatehouse
