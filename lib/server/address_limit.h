#ifndef GATEHOUSE_LIB_SERVER_ADDRESS_LIMIT_H_
#define GATEHOUSE_LIB_SERVER_ADDRESS_LIMIT_H_

#include <mutex>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "lib/base/endpoint.h"

namespace gatehouse {

// Counts the connections of each client address over all workers; a /64 of IPv6
// is one address, since that is what a single client has at its disposal. Only
// used where a limit is configured: it is the one lock that workers share. Safe
// for all threads.
class AddressLimit {
 public:
  // False where `peer` has `most` connections already; else it counts.
  bool Enter(const SocketAddress& peer, int most) {
    const std::lock_guard<std::mutex> lock(mutex_);
    int& count = counts_[peer.ClientKey()];
    if (count >= most) return false;
    ++count;
    return true;
  }

  void Leave(const SocketAddress& peer) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found = counts_.find(peer.ClientKey());
    if (found != counts_.end() && --found->second == 0) counts_.erase(found);
  }

 private:
  std::mutex mutex_;
  absl::flat_hash_map<std::string, int> counts_;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_SERVER_ADDRESS_LIMIT_H_
