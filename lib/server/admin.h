#ifndef GATEHOUSE_LIB_SERVER_ADMIN_H_
#define GATEHOUSE_LIB_SERVER_ADMIN_H_

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "lib/directory/live_map.h"
#include "lib/net/network.h"
#include "lib/server/stats.h"

namespace gatehouse {

// The operator's door: HTTP/1.0 on an address of its own, GET only, one answer
// a connection.
//   /metrics   Prometheus text
//   /healthz   200 "ok", or 503 "draining" from SIGTERM on: a load balancer
//              then sends no more clients
// It has no password: bind it to loopback or to a network for operators.
class Admin {
 public:
  // Lives on `network`'s thread once that runs; destroyed after it has ended.
  static absl::StatusOr<std::unique_ptr<Admin>> Open(
      Network& network, const SocketAddress& address, std::string_view service,
      std::vector<std::shared_ptr<WorkerStats>> stats);
  ~Admin();

  SocketAddress local() const { return listener_->local(); }
  void set_draining() { draining_ = true; }  // from any thread
  void set_live_maps(LiveMaps maps);         // likewise

 private:
  class Request;

  Admin(Network& network, std::string_view service,
        std::vector<std::shared_ptr<WorkerStats>> stats);
  void OnAccept(std::unique_ptr<Stream> stream);
  std::string Answer(std::string_view request_line) const;
  void Forget(Request* request);

  Network& network_;
  const std::string service_;
  const std::vector<std::shared_ptr<WorkerStats>> stats_;
  std::atomic<bool> draining_ = false;
  mutable std::mutex live_maps_mutex_;
  LiveMaps live_maps_;
  std::unique_ptr<Listener> listener_;
  absl::flat_hash_map<Request*, std::unique_ptr<Request>> requests_;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_SERVER_ADMIN_H_
