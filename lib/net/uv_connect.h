#ifndef GATEHOUSE_LIB_NET_UV_CONNECT_H_
#define GATEHOUSE_LIB_NET_UV_CONNECT_H_

#include <memory>

#include "lib/net/event_loop.h"

namespace gatehouse {

// A connection on its way.
class UvConnect final : public Operation, private PollTarget {
 public:
  UvConnect(EventLoop* loop, const SocketAddress& address,
            const ConnectOptions& options, Network::ConnectCallback done);
  ~UvConnect() override;

 private:
  void Start(const ConnectOptions& options);
  void OnEvents(uint32_t events) override;
  void OnAgain() override;  // reports error_
  void CloseSocket();
  void Succeed(uint32_t events);
  void Fail(int error);

  EventLoop* loop_;
  SocketAddress address_;
  int fd_ = -1;
  int error_ = 0;
  std::unique_ptr<Operation> deadline_;
  Network::ConnectCallback done_;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_NET_UV_CONNECT_H_
