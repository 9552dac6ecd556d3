#ifndef GATEHOUSE_LIB_NET_UV_NETWORK_H_
#define GATEHOUSE_LIB_NET_UV_NETWORK_H_

#include <memory>

#include "lib/net/network.h"

namespace gatehouse {

// The real Network: libuv's event loop, Linux sockets, BoringSSL. One per
// worker thread. Everything it has made (streams, listeners, operations) must
// be destroyed before it; streams given away with CloseAfterFlush() are cut
// off when it goes.
//
// Sockets have TCP_NODELAY set, accepted ones keep-alive too. A worker that runs out of
// descriptors stops accepting for a moment instead of failing.
class UvNetwork : public Network {
 public:
  static std::unique_ptr<UvNetwork> Create();

  // Runs the loop until Stop(). The thread that calls is the loop's thread
  // from then on; before, the thread that made it may set things up.
  virtual void Run() = 0;

  // From any thread: ends Run() soon. May be called before Run().
  virtual void Stop() = 0;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_NET_UV_NETWORK_H_
