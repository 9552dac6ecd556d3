#ifndef GATEHOUSE_LIB_NET_UV_LISTENER_H_
#define GATEHOUSE_LIB_NET_UV_LISTENER_H_

#include <memory>

#include "absl/status/statusor.h"
#include "lib/net/event_loop.h"

namespace gatehouse {

// Accepts connections in batches. Without descriptors left it pauses: clients
// wait in the backlog, and those who are in are served. The observer hears of
// the pauses that follow each other as of one.
class UvListener final : public Listener, private PollTarget {
 public:
  static absl::StatusOr<std::unique_ptr<Listener>> Open(
      EventLoop* loop, const SocketAddress& address,
      const ListenOptions& options, Network::AcceptCallback on_accept);
  ~UvListener() override;

  SocketAddress local() const override;

 private:
  UvListener(EventLoop* loop, int fd, ListenerObserver* observer,
             Network::AcceptCallback on_accept);
  void OnEvents(uint32_t events) override;
  void Pause(int error);
  void EndPauses();

  EventLoop* loop_;
  int fd_;
  // Shared with the call under way, in which the listener may go.
  std::shared_ptr<Network::AcceptCallback> on_accept_;
  ListenerObserver* const observer_;
  std::unique_ptr<Operation> pause_;
  std::unique_ptr<Operation> calm_;  // set while pauses follow each other
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_NET_UV_LISTENER_H_
