#ifndef GATEHOUSE_BENCHMARKS_LOAD_POLLER_H_
#define GATEHOUSE_BENCHMARKS_LOAD_POLLER_H_

#include <cstdint>

namespace gatehouse::load {

// One thread's epoll set. Every descriptor is watched edge-triggered for
// everything, so that a connection costs one epoll_ctl in its life; a handler
// reads and writes until the kernel says EAGAIN.
class Poller {
 public:
  class Handler {
   public:
    // `events`: EPOLLIN and so on. May delete any handler but those of the
    // same Wait() that haven't been called yet.
    virtual void OnReady(uint32_t events) = 0;

   protected:
    ~Handler() = default;
  };

  Poller();
  ~Poller();
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  // Until the descriptor is closed. `handler` must live as long.
  void Watch(int fd, Handler* handler);

  // Calls the handlers of what is ready, waiting for at most `timeout_ms` (-1:
  // for ever). Returns how many were called.
  int Wait(int timeout_ms);

 private:
  const int epoll_fd_;
};

}  // namespace gatehouse::load

#endif  // GATEHOUSE_BENCHMARKS_LOAD_POLLER_H_
