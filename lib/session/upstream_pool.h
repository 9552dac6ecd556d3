#ifndef GATEHOUSE_LIB_SESSION_UPSTREAM_POOL_H_
#define GATEHOUSE_LIB_SESSION_UPSTREAM_POOL_H_

#include <cstddef>
#include <list>
#include <memory>
#include <string>
#include <string_view>

#include "lib/net/network.h"
#include "lib/session/mail_connection.h"
#include "lib/session/mail_settings.h"

namespace gatehouse {

// A worker's idle connections to SMTP and LMTP servers, kept for the next
// transaction. Made for one configuration, used on its network's thread only;
// destroying it cuts them.
//
// A connection that ends or speaks while it lies here is dropped at once. One
// that has died without a word is found out by its next user, who takes the
// first answer for what it is worth and opens another one.
class UpstreamPool {
 public:
  // `network` outlives the pool.
  UpstreamPool(Network& network, const UpstreamPoolLimits& limits);
  ~UpstreamPool();

  // Under which connections are kept. A `scope` is the session that alone may
  // use them again; empty: everybody.
  static std::string Name(std::string_view scope, std::string_view host);

  // The youngest idle connection that was kept under this name, without a
  // transaction; null where there is none. Its user is to be set.
  std::unique_ptr<MailConnection> Take(std::string_view name);

  // Keeps a connection, within the limits, that isn't in the middle of a
  // message. A transaction that is open on it is given up by RSET.
  void Keep(std::string_view name, std::unique_ptr<MailConnection> connection);

  // Closes what was kept for one session.
  void CloseScope(std::string_view scope);

  size_t idle() const { return idle_.size(); }

 private:
  class Idle;
  using Idles = std::list<std::unique_ptr<Idle>>;  // the oldest first

  void Remove(const Idle* idle);

  Network& network_;
  const UpstreamPoolLimits limits_;
  Idles idle_;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_SESSION_UPSTREAM_POOL_H_
