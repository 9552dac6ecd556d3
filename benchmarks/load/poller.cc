#include "benchmarks/load/poller.h"

#include <sys/epoll.h>
#include <unistd.h>

#include "benchmarks/load/sockets.h"

namespace gatehouse::load {

Poller::Poller() : epoll_fd_(Require(epoll_create1(EPOLL_CLOEXEC), "epoll")) {}

Poller::~Poller() { close(epoll_fd_); }

void Poller::Watch(int fd, Handler* handler) {
  epoll_event event = {};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.ptr = handler;
  Require(epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event), "epoll_ctl");
}

int Poller::Wait(int timeout_ms) {
  constexpr int kBatch = 256;
  epoll_event events[kBatch];
  int count = epoll_wait(epoll_fd_, events, kBatch, timeout_ms);
  for (int i = 0; i < count; ++i) {
    static_cast<Handler*>(events[i].data.ptr)->OnReady(events[i].events);
  }
  return count;
}

}  // namespace gatehouse::load
