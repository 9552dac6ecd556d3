#include "benchmarks/load/store_worker.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>

#include "benchmarks/load/sample_data.h"
#include "benchmarks/load/sockets.h"

namespace gatehouse::load {
namespace {

constexpr size_t kReadBytes = 256 * 1024;

}  // namespace

// Deletes itself when the connection ends.
class StoreWorker::Connection final : public Poller::Handler {
 public:
  Connection(StoreWorker& worker, int fd,
             std::unique_ptr<StoreProtocol> protocol)
      : worker_(worker), fd_(fd), protocol_(std::move(protocol)) {
    ++worker_.counts_.connections;
    reply_.text = protocol_->Greeting();
    worker_.poller_.Watch(fd_, this);
  }

  void OnReady(uint32_t events) override {
    if (!WriteReply() || ((events & EPOLLIN) && !ReadAll(events)) ||
        !TakeAll()) {
      delete this;
    }
  }

 private:
  ~Connection() { close(fd_); }

  bool reply_pending() const {
    return !reply_.text.empty() || reply_.bulk_bytes > 0 ||
           !reply_.tail.empty();
  }

  // Each false: the connection is over.
  bool ReadAll(uint32_t events) {
    std::vector<char>& buffer = worker_.read_buffer_;
    while (true) {
      ssize_t count = recv(fd_, buffer.data(), buffer.size(), 0);
      if (count < 0) return errno == EAGAIN;
      if (count == 0) return false;
      worker_.counts_.bytes_in += count;
      input_.append(buffer.data(), count);
      if (!TakeAll()) return false;
      bool fin_follows = events & EPOLLRDHUP;
      if (static_cast<size_t>(count) < buffer.size() && !fin_follows) {
        return true;
      }
    }
  }

  bool TakeAll() {
    while (!reply_pending() && !input_.empty()) {
      size_t taken = protocol_->Take(input_, reply_);
      if (!WriteReply()) return false;
      if (taken == 0) return true;
      input_.erase(0, taken);
    }
    if (input_.empty()) std::string().swap(input_);
    return true;
  }

  bool WriteReply() {
    if (!WriteText(reply_.text)) return false;
    if (reply_.text.empty() && !WriteBulk()) return false;
    if (reply_.text.empty() && reply_.bulk_bytes == 0 &&
        !WriteText(reply_.tail)) {
      return false;
    }
    return reply_pending() || !reply_.close;
  }

  bool WriteText(std::string& text) {
    if (text.empty()) return true;
    ssize_t count = Send(text);
    if (count < 0) return errno == EAGAIN;
    text.erase(0, count);
    if (text.empty()) std::string().swap(text);
    return true;
  }

  bool WriteBulk() {
    while (reply_.bulk_bytes > 0) {
      ssize_t count = Send(BulkAt(bulk_sent_).substr(0, reply_.bulk_bytes));
      if (count < 0) return errno == EAGAIN;
      bulk_sent_ += count;
      reply_.bulk_bytes -= count;
    }
    bulk_sent_ = 0;
    return true;
  }

  ssize_t Send(std::string_view bytes) {
    ssize_t count = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count > 0) worker_.counts_.bytes_out += count;
    return count;
  }

  StoreWorker& worker_;
  const int fd_;
  const std::unique_ptr<StoreProtocol> protocol_;
  std::string input_;
  StoreReply reply_;
  uint64_t bulk_sent_ = 0;
};

class StoreWorker::Acceptor final : public Poller::Handler {
 public:
  Acceptor(StoreWorker& worker, int listener, MakeProtocol make_protocol)
      : worker_(worker),
        listener_(listener),
        make_protocol_(std::move(make_protocol)) {
    worker_.poller_.Watch(listener_, this);
  }
  ~Acceptor() { close(listener_); }

  void OnReady(uint32_t events) override {
    for (int fd = AcceptFrom(listener_); fd >= 0; fd = AcceptFrom(listener_)) {
      new Connection(worker_, fd, make_protocol_());
    }
  }

 private:
  StoreWorker& worker_;
  const int listener_;
  const MakeProtocol make_protocol_;
};

StoreWorker::StoreWorker(StoreCounts& counts)
    : counts_(counts), read_buffer_(kReadBytes) {}

StoreWorker::~StoreWorker() = default;

void StoreWorker::Serve(int listener, MakeProtocol make_protocol) {
  acceptors_.push_back(
      std::make_unique<Acceptor>(*this, listener, std::move(make_protocol)));
}

void StoreWorker::Run() {
  while (true) poller_.Wait(-1);
}

}  // namespace gatehouse::load
