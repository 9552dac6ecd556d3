#ifndef GATEHOUSE_LIB_SESSION_UPSTREAM_POOL_H_
#define GATEHOUSE_LIB_SESSION_UPSTREAM_POOL_H_

#include "lib/net/network.h"
#include "lib/session/mail_settings.h"

namespace gatehouse {

// A worker's idle connections to SMTP and LMTP servers, kept for the next
// transaction. Made for one configuration, used on its network's thread only;
// destroying it closes them.
class UpstreamPool {
 public:
  // `network` outlives the pool.
  UpstreamPool(Network& network, const UpstreamPoolLimits& limits);
  ~UpstreamPool();
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_SESSION_UPSTREAM_POOL_H_
