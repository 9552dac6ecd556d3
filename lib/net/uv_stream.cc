#include "lib/net/uv_stream.h"

#include <errno.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "lib/base/check.h"
#include "lib/net/socket.h"

namespace gatehouse {
namespace {

// One fast peer has so many buffers a turn, then the others have theirs.
constexpr int kReadsPerTurn = 4;

// Below this, copying is cheaper than three system calls.
constexpr int kLeastBulkBytes = 16 * 1024;

// Whoever wants to know how the bytes end sees at least so many of them: the
// last line.
constexpr int kUnpassedBytes = 256;

// A read of so much begins a bulk: the next may be of kBulkReadBytes.
constexpr size_t kBulkBeginsBytes = EventLoop::kReadBytes;

// Encrypted and sent at once: the records are still in the core's nearest cache
// when the kernel copies them.
constexpr size_t kEncryptedAtOnceBytes = 64 * 1024;

// A buffer for records that has grown beyond this is given back.
constexpr size_t kRecordsKeptBytes = 256 * 1024;

// CloseAfterFlush(): for what is queued, and then for the peer's own FIN,
// without which a late byte of the peer's would make the kernel answer with a
// reset that destroys our last reply on its way.
constexpr absl::Duration kFlushLimit = absl::Seconds(5);
constexpr absl::Duration kLingerLimit = absl::Seconds(2);
// AbortAfterFlush(): how often we look whether the peer has all.
constexpr absl::Duration kAcknowledgedPoll = absl::Milliseconds(10);

}  // namespace

std::unique_ptr<UvStream> UvStream::Open(EventLoop* loop, int fd,
                                         Failure::Side side) {
  std::unique_ptr<UvStream> stream(new UvStream(loop, fd, side));
  if (loop->polls().Add(fd, kInputEvents, *stream)) return stream;
  stream->fd_ = -1;
  close(fd);
  return nullptr;
}

std::unique_ptr<UvStream> UvStream::Adopt(EventLoop* loop, int fd,
                                          PollTarget& from, Failure::Side side,
                                          uint32_t events) {
  std::unique_ptr<UvStream> stream(new UvStream(loop, fd, side));
  loop->polls().HandOver(from, *stream);
  stream->watches_output_ = true;
  stream->readable_ = (events & (EPOLLIN | EPOLLRDHUP)) != 0;
  stream->hung_up_ = (events & EPOLLRDHUP) != 0;
  return stream;
}

UvStream::UvStream(EventLoop* loop, int fd, Failure::Side side)
    : fd_(fd), loop_(loop), side_(side) {}

UvStream::~UvStream() {
  if (finishing_) loop_->Release(this);
  Close();
}

void UvStream::Close() {
  if (dead()) return;
  loop_->polls().ForgetClosing(*this);
  close(std::exchange(fd_, -1));
  if (loop_->accepted_peer(this) != nullptr) loop_->set_accepted(nullptr, {});
  DropUnsent();
}

SocketAddress UvStream::peer() const {
  const SocketAddress* known = loop_->accepted_peer(this);
  return known != nullptr ? *known : PeerAddress(fd_);
}
SocketAddress UvStream::local() const { return LocalAddress(fd_); }

// --- Events ------------------------------------------------------------------

void UvStream::OnEvents(uint32_t events) {
  if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
    readable_ = true;
  }
  if ((events & (EPOLLRDHUP | EPOLLHUP)) != 0) hung_up_ = true;
  if (finishing_) return ContinueFinishing();
  if ((events & EPOLLERR) != 0) {
    reset_ = true;
    // What came before the error is read first, where it is wanted. Asking for
    // the error would take it away, and recv() would then speak of an EOF.
    if (!Read() || dead() || (readable_ && wants_input())) return;
    if (error_ == 0) error_ = PendingError(fd_);
    SettleError();
    return;
  }
  if ((events & EPOLLOUT) != 0 && !Flush()) return;
  Read();
}

void UvStream::OnAgain() {
  if (finishing_) return ContinueFinishing();
  if (tls_ != nullptr && wants_input() && !Decrypt({})) return;
  if (Read()) SettleError();
}

void UvStream::SettleError() {
  if (error_ == 0 || dead() || (readable_ && wants_input())) return;
  // The peer had sent its FIN before the reset: all that it said before is
  // good, and is still to be read.
  if (error_ == EPIPE && !eof_) return;
  Fail(error_);
}

void UvStream::ScheduleError(int error) {
  error_ = error;
  DropUnsent();
  loop_->CallAgain(*this);
}

void UvStream::DropUnsent() {
  if (!has_unsent()) return;
  if (unsent_->piped != nullptr) {
    loop_->pipes().GiveBack(std::move(unsent_->piped));
  }
  unsent_.reset();
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

void UvStream::KeepAlive() {
  if (!dead()) SetKeepAlive(fd_);
}

// --- Reading -----------------------------------------------------------------

void UvStream::ResumeReading() {
  paused_ = false;
  if (dead()) return;
  if (readable_ || (tls_ != nullptr && tls_->has_input())) {
    loop_->CallAgain(*this);
  }
}

bool UvStream::Read() {
  for (int i = 0; i < kReadsPerTurn; ++i) {
    if (!readable_ || !wants_input()) return true;
    const bool alive = bulk_ ? ReadBulk() : ReadOnce(EventLoop::kReadBytes);
    if (!alive) return false;
  }
  if (readable_ && wants_input()) loop_->CallAgain(*this);
  return true;
}

void UvStream::Unread(std::string_view bytes) {
  GATEHOUSE_CHECK(tls_ == nullptr, "Unread() is for what comes before TLS");
  unread_ = std::make_unique<std::string>(bytes);
  readable_ = true;
  loop_->CallAgain(*this);
}

bool UvStream::ReadOnce(size_t limit) {
  if (unread_ != nullptr) {
    const std::unique_ptr<std::string> bytes = std::move(unread_);
    return tls_ != nullptr ? Decrypt(*bytes) : Deliver(*bytes);
  }
  char* buffer = loop_->read_buffer();
  const ssize_t count = recv(fd_, buffer, limit, 0);
  if (count < 0) {
    if (errno == EINTR) return true;
    if (errno != EAGAIN) return Fail(errno);
    readable_ = false;
    return true;
  }
  if (count == 0) return EndOfInput();
  // A short read has emptied the socket; what comes later is a new edge.
  const auto size = static_cast<size_t>(count);
  if (size < limit && !hung_up_) readable_ = false;
  bulk_ = size >= kBulkBeginsBytes;
  const std::string_view bytes(buffer, size);
  if (tls_ != nullptr) return Decrypt(bytes);
  const bool alive = Deliver(bytes);
  // It may have been a password, but not where all goes from one side to the
  // other: there the login is over.
  if (limit < EventLoop::kBulkReadBytes) explicit_bzero(buffer, size);
  return alive;
}

bool UvStream::Deliver(std::string_view bytes) {
  PollSet& polls = loop_->polls();
  handler_->OnData(bytes);
  return polls.alive();
}

// What a session may hold stays small: more is read at once only where the sink
// has taken all so far.
bool UvStream::ReadBulk() {
  auto* sink = static_cast<UvStream*>(handler_->BulkSink());
  if (sink == nullptr || sink->queued_bytes() > 0) {
    return ReadOnce(EventLoop::kReadBytes);
  }
  int readable = 0;
  if (tls_ == nullptr && sink->takes_bulk()) ioctl(fd_, FIONREAD, &readable);
  if (readable >= kLeastBulkBytes) return PassBulk(*sink, readable);
  return ReadOnce(EventLoop::kBulkReadBytes);
}

bool UvStream::PassBulk(UvStream& sink, size_t readable) {
  const ssize_t passed = sink.TakeBulk(fd_, readable - kUnpassedBytes);
  if (passed < 0 && passed != -EAGAIN) return Fail(-passed);
  if (passed <= 0) return ReadOnce(EventLoop::kBulkReadBytes);
  PollSet& polls = loop_->polls();
  handler_->OnBulkPassed(passed);
  return polls.alive();
}

bool UvStream::EndOfInput() {
  readable_ = false;
  // EPIPE: the FIN came first, and the reset answered what we wrote later.
  if (error_ != 0 && error_ != EPIPE) return Fail(error_);
  if (tls_ == nullptr) return DeliverEof();
  // Whoever cut this off would like half a message to be taken for a whole.
  return Report(Failure{.side = side_,
                        .kind = Failure::Kind::kReset,
                        .text = "the connection ended without TLS's "
                                "close_notify"});
}

bool UvStream::DeliverEof() {
  eof_ = true;
  PollSet& polls = loop_->polls();
  handler_->OnEof();
  return polls.alive();
}

// --- Writing -----------------------------------------------------------------

void UvStream::WriteMore(std::string_view bytes) { WriteWith(MSG_MORE, bytes); }

void UvStream::WriteWith(int flags, std::string_view bytes) {
  if (bytes.empty() || dead() || error_ != 0 || fin_wanted_) return;
  if (tls_ == nullptr) return Send(bytes, flags);
  while (!bytes.empty()) {
    tls_->Write(bytes.substr(0, kEncryptedAtOnceBytes), loop_->tls_records());
    bytes.remove_prefix(std::min(bytes.size(), kEncryptedAtOnceBytes));
    SendRecords(bytes.empty() ? flags : MSG_MORE);
  }
}

size_t UvStream::queued_bytes() const {
  size_t count = tls_ != nullptr ? tls_->held_bytes() : 0;
  if (!has_unsent()) return count;
  if (unsent_->piped != nullptr) count += unsent_->piped->held_bytes();
  return count + unsent_->bytes.size();
}

UvStream::Unsent& UvStream::unsent() {
  if (unsent_ == nullptr) unsent_ = std::make_unique<Unsent>();
  return *unsent_;
}

ssize_t UvStream::TakeBulk(int from, size_t limit) {
  std::unique_ptr<Pipe> pipe = loop_->pipes().Take();
  if (pipe == nullptr) return 0;
  const ssize_t count = pipe->Fill(from, limit);
  const int error = errno;
  SendPiped(std::move(pipe));
  return count < 0 ? -error : count;
}

void UvStream::SendPiped(std::unique_ptr<Pipe> pipe) {
  while (pipe->held_bytes() > 0) {
    const ssize_t count = pipe->Empty(fd_);
    if (count > 0 || (count < 0 && errno == EINTR)) continue;
    if (count < 0 && errno != EAGAIN) {
      ScheduleError(errno);
      break;
    }
    unsent().piped = std::move(pipe);
    return AwaitRoom();
  }
  loop_->pipes().GiveBack(std::move(pipe));
}

void UvStream::Send(std::string_view bytes, int flags) {
  if (!has_unsent()) {
    ssize_t sent;
    do {
      sent = send(fd_, bytes.data(), bytes.size(), flags | MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0 && errno != EAGAIN) return ScheduleError(errno);
    if (sent > 0) bytes.remove_prefix(sent);
  }
  if (bytes.empty()) return;
  unsent().bytes.Append(bytes);
  AwaitRoom();
}

void UvStream::AwaitRoom() {
  if (watches_output_) return;
  watches_output_ = true;
  loop_->polls().Modify(fd_, kAllEvents, *this);
}

void UvStream::FlushQueue() {
  const std::string_view bytes = unsent_->bytes.bytes();
  const ssize_t sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (sent >= 0) {
    unsent_->bytes.Consume(sent);
  } else if (errno != EAGAIN && errno != EINTR) {
    ScheduleError(errno);
  }
}

bool UvStream::Flush() {
  if (!has_unsent()) return true;
  if (unsent_->piped != nullptr) SendPiped(std::move(unsent_->piped));
  if (error_ == 0 && unsent_->piped == nullptr && !unsent_->bytes.empty()) {
    FlushQueue();
  }
  if (error_ != 0 || queued_bytes() > 0) return true;
  unsent_.reset();
  if (fin_wanted_) SendFin();
  if (handler_ == nullptr) return true;
  PollSet& polls = loop_->polls();
  handler_->OnDrained();
  return polls.alive();
}

void UvStream::ShutdownWrite() {
  if (dead() || fin_wanted_) return;
  if (tls_ != nullptr && error_ == 0) {
    tls_->CloseNotify(loop_->tls_records());
    SendRecords(MSG_MORE);
  }
  fin_wanted_ = true;
  if (!has_unsent()) SendFin();
}

void UvStream::SendFin() {
  fin_sent_ = true;
  // Where nothing more is awaited, the close() that follows is enough.
  if (!finishing_ || !eof_) shutdown(fd_, SHUT_WR);
}

// --- TLS ---------------------------------------------------------------------

void UvStream::StartServerTls(const TlsServerContext& context) {
  StartTls(TlsEngine::ForServer(context));
}

void UvStream::StartClientTls(const TlsClientContext& context,
                              std::string_view verify_name) {
  StartTls(TlsEngine::ForClient(context, verify_name));
}

void UvStream::StartTls(std::unique_ptr<TlsEngine> engine) {
  tls_ = std::move(engine);
  loop_->CallAgain(*this);
}

std::unique_ptr<TlsSession> UvStream::tls_session() const {
  return tls_ != nullptr ? tls_->Session() : nullptr;
}

void UvStream::SendRecords(int flags) {
  std::string& records = loop_->tls_records();
  if (!records.empty() && !dead() && error_ == 0) Send(records, flags);
  records.clear();
  if (records.capacity() > kRecordsKeptBytes) records.shrink_to_fit();
}

bool UvStream::Decrypt(std::string_view records) {
  tls_->Feed(records);
  if (handshaking() && !Handshake()) return false;
  bool more = true;
  while (more && tls_->established() && wants_data()) {
    if (!ReadPlaintext(more)) return false;
  }
  tls_->HoldInput();
  return true;
}

bool UvStream::Handshake() {
  const TlsEngine::Status status = tls_->Handshake(loop_->tls_records());
  SendRecords();
  if (status == TlsEngine::Status::kNeedsInput) return true;
  if (status != TlsEngine::Status::kOk) return FailTls(tls_->error_text());
  PollSet& polls = loop_->polls();
  handler_->OnTlsEstablished();
  return polls.alive();
}

bool UvStream::ReadPlaintext(bool& more) {
  char* buffer = loop_->plaintext_buffer();
  size_t count = 0;
  const TlsEngine::Status status = tls_->Read(buffer, EventLoop::kBulkReadBytes,
                                              count, loop_->tls_records());
  SendRecords();
  switch (status) {
    case TlsEngine::Status::kOk: {
      const bool alive = Deliver(std::string_view(buffer, count));
      explicit_bzero(buffer, count);
      return alive;
    }
    case TlsEngine::Status::kNeedsInput:
      more = false;
      return true;
    case TlsEngine::Status::kClosed:
      return DeliverEof();
    case TlsEngine::Status::kFailed:
      return FailTls(tls_->error_text());
  }
  return true;
}

bool UvStream::FailTls(const std::string& text) {
  LeaveSocketToFinish();
  return Report(
      Failure{.side = side_, .kind = Failure::Kind::kTls, .text = text});
}

void UvStream::LeaveSocketToFinish() {
  // The alert that tells the peer why has to arrive: the socket ends in the
  // same way as after CloseAfterFlush(), while this stream is dead at once.
  uint32_t events = 0;
  if (readable_) events |= EPOLLIN;
  if (hung_up_) events |= EPOLLRDHUP;
  auto rest = Adopt(loop_, std::exchange(fd_, -1), *this, side_, events);
  rest->watches_output_ = watches_output_;
  rest->unsent_ = std::move(unsent_);
  CloseAfterFlush(std::move(rest));
}

// --- Ends --------------------------------------------------------------------

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

void UvStream::AbortAndDelete() {
  handler_ = nullptr;
  finishing_ = true;
  aborting_ = true;
  loop_->Keep(this);
  AbortWhenTaken(loop_->Now() + kFlushLimit);
}

// A reset takes back what the peer hasn't acknowledged, and nothing tells us
// when it has.
void UvStream::AbortWhenTaken(absl::Time deadline) {
  int unacknowledged = 0;
  if (!dead()) ioctl(fd_, SIOCOUTQ, &unacknowledged);
  const bool taken =
      dead() || error_ != 0 || (!has_unsent() && unacknowledged == 0);
  if (!taken && loop_->Now() < deadline) {
    linger_ = loop_->StartTimer(kAcknowledgedPoll,
                                [this, deadline] { AbortWhenTaken(deadline); });
    return;
  }
  if (!dead()) {
    const linger reset = {.l_onoff = 1, .l_linger = 0};
    setsockopt(fd_, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
  }
  delete this;
}

void UvStream::ContinueFinishing() {
  if (aborting_) {
    if (!dead() && error_ == 0) Flush();
    return;
  }
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
        recv(fd_, buffer, EventLoop::kBulkReadBytes, MSG_TRUNC);
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
