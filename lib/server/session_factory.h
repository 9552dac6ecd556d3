#ifndef GATEHOUSE_LIB_SERVER_SESSION_FACTORY_H_
#define GATEHOUSE_LIB_SERVER_SESSION_FACTORY_H_

#include <memory>
#include <vector>

#include "lib/base/endpoint.h"
#include "lib/base/log.h"
#include "lib/net/network.h"
#include "lib/server/runtime.h"
#include "lib/session/client_session.h"
#include "lib/session/session_settings.h"

namespace gatehouse {

// Makes the sessions of one configuration on one worker, and keeps what they
// share. On the worker's thread.
class SessionFactory {
 public:
  virtual ~SessionFactory() = default;

  virtual std::unique_ptr<ClientSession> NewSession(
      std::shared_ptr<const ListenerSettings> listener,
      std::unique_ptr<Stream> downstream, SessionOwner& owner) = 0;

  // Of the sessions that are joined to a store. Their directory is everybody's.
  virtual const SessionSettings& settings() const = 0;

  // Those whose upstreams are to be asked for their capabilities.
  virtual std::vector<std::shared_ptr<const SessionSettings>> probed()
      const = 0;

  // Whether a session has something of this factory's. It is kept as long, for
  // a directory must not go in one of its own callbacks, and a session's end
  // may stand in one.
  virtual bool in_use() const = 0;
};

// Which kind a service has (Service::new_sessions). `network` and `log` outlive
// the factory; `own_listeners` are never an upstream.
using NewSessionFactory = std::unique_ptr<SessionFactory> (*)(
    const Runtime& runtime, Network& network, LogSink& log,
    const std::vector<SocketAddress>& own_listeners);

// Sessions that log in to a store and are joined to it.
std::unique_ptr<SessionFactory> NewLoginSessions(
    const Runtime& runtime, Network& network, LogSink& log,
    const std::vector<SocketAddress>& own_listeners);

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_SERVER_SESSION_FACTORY_H_
