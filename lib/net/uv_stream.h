#ifndef GATEHOUSE_LIB_NET_UV_STREAM_H_
#define GATEHOUSE_LIB_NET_UV_STREAM_H_

#include <sys/epoll.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "lib/base/byte_queue.h"
#include "lib/base/failure.h"
#include "lib/net/event_loop.h"
#include "lib/net/pipe_pool.h"
#include "lib/net/stream.h"
#include "lib/net/tls_engine.h"

namespace gatehouse {

// A connected socket, and from StartServerTls() or StartClientTls() on also a
// TlsEngine. An idle one is these objects and the kernel's side.
//
// Data moves when an event or CallAgain() comes, never inside a call by the
// user; a call only writes what the kernel takes at once and remembers the
// rest. Events are edge triggered: `readable_` remembers the edge. Room to
// write is asked for only once there was none: most sessions never need it, and
// an accepted socket would be reported at once.
class UvStream final : public Stream, private PollTarget {
 public:
  static constexpr uint32_t kInputEvents = EPOLLIN | EPOLLRDHUP | EPOLLET;
  static constexpr uint32_t kAllEvents = kInputEvents | EPOLLOUT;

  // For a connected socket that no set watches yet. Null, and the socket
  // closed, where it can't be watched.
  static std::unique_ptr<UvStream> Open(EventLoop* loop, int fd,
                                        Failure::Side side);
  // For one that is watched with kAllEvents for `from` and had these events.
  static std::unique_ptr<UvStream> Adopt(EventLoop* loop, int fd,
                                         PollTarget& from, Failure::Side side,
                                         uint32_t events);
  ~UvStream() override;

  void set_handler(StreamHandler* handler) override { handler_ = handler; }
  void KeepAlive() override;
  void ResumeReading() override;
  void PauseReading() override { paused_ = true; }
  bool ends() const override { return hung_up_ && !reset_ && tls_ == nullptr; }
  void Unread(std::string_view bytes) override;
  void Write(std::string_view bytes) override { WriteWith(0, bytes); }
  void WriteMore(std::string_view bytes) override;
  size_t queued_bytes() const override;
  void ShutdownWrite() override;
  void StartServerTls(const TlsServerContext& context) override;
  void StartClientTls(const TlsClientContext& context,
                      std::string_view verify_name) override;
  std::unique_ptr<TlsSession> tls_session() const override;
  SocketAddress peer() const override;
  SocketAddress local() const override;

 private:
  // What the kernel hasn't taken yet, in this order.
  struct Unsent {
    std::unique_ptr<Pipe> piped;
    ByteQueue bytes;
  };

  UvStream(EventLoop* loop, int fd, Failure::Side side);

  void OnEvents(uint32_t events) override;
  void OnAgain() override;
  void FinishAndDelete() override;
  void AbortAndDelete() override;

  bool dead() const { return fd_ < 0; }
  bool handshaking() const { return tls_ != nullptr && !tls_->established(); }
  bool wants_data() const {
    return !dead() && !paused_ && !eof_ && handler_ != nullptr;
  }
  // A handshake goes on while its user doesn't want data.
  bool wants_input() const {
    return wants_data() || (handshaking() && !dead() && handler_ != nullptr);
  }

  // Those that call the handler give false when the stream has gone in it.
  bool Read();
  bool ReadOnce(size_t limit);
  bool ReadBulk();
  bool PassBulk(UvStream& sink, size_t readable);
  bool Deliver(std::string_view bytes);
  bool DeliverEof();
  bool EndOfInput();
  bool Flush();
  bool Fail(int error);
  bool Report(Failure failure);
  bool Decrypt(std::string_view records);
  bool Handshake();
  bool ReadPlaintext(bool& more);
  bool FailTls(const std::string& text);

  // As the sink of another stream's bulk.
  bool has_unsent() const { return unsent_ != nullptr; }
  bool takes_bulk() const {
    return !dead() && error_ == 0 && !fin_wanted_ && tls_ == nullptr &&
           !has_unsent();
  }
  ssize_t TakeBulk(int from, size_t limit);  // less than 0: minus errno
  void SendPiped(std::unique_ptr<Pipe> pipe);
  Unsent& unsent();
  void FlushQueue();
  void DropUnsent();

  void StartTls(std::unique_ptr<TlsEngine> engine);
  void SendRecords(int flags = 0);
  void LeaveSocketToFinish();
  // `flags` as for send(2).
  void WriteWith(int flags, std::string_view bytes);
  void Send(std::string_view bytes, int flags);
  void AwaitRoom();
  void SendFin();
  void Close();
  void ScheduleError(int error);
  void SettleError();

  void ContinueFinishing();
  void DrainInput();
  void LingerFor(absl::Duration limit);
  void AbortWhenTaken(absl::Time deadline);

  // Of these there are two for each idle session: what is rare is out of line.
  int fd_;  // -1: dead
  EventLoop* loop_;
  StreamHandler* handler_ = nullptr;
  std::unique_ptr<Unsent> unsent_;  // null: all is sent
  std::unique_ptr<TlsEngine> tls_;
  std::unique_ptr<std::string> unread_;  // Unread(), until it is read again
  std::unique_ptr<Operation> linger_;    // the limit of finishing
  int error_ = 0;                        // to be reported
  Failure::Side side_ : 2;
  bool paused_ : 1 = true;
  bool readable_ : 1 = false;  // there may be something to read
  bool hung_up_ : 1 = false;   // a FIN is, or follows, what can be read
  bool reset_ : 1 = false;     // an error follows what can be read
  bool bulk_ : 1 = false;      // the last read was a big one
  bool watches_output_ : 1 = false;
  bool eof_ : 1 = false;  // the handler has heard OnEof()
  bool fin_wanted_ : 1 = false;
  bool fin_sent_ : 1 = false;
  bool finishing_ : 1 = false;  // given away: nobody but us owns this
  bool aborting_ : 1 = false;   // and it ends with a reset
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_NET_UV_STREAM_H_
