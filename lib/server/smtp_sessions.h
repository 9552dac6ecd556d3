#ifndef GATEHOUSE_LIB_SERVER_SMTP_SESSIONS_H_
#define GATEHOUSE_LIB_SERVER_SMTP_SESSIONS_H_

#include <memory>
#include <vector>

#include "lib/server/session_factory.h"

namespace gatehouse {

// Sessions of smtprouter, by the role of the listener: mail is routed by
// recipient, or a user who submits is joined to the own host.
std::unique_ptr<SessionFactory> NewSmtpSessions(
    const Runtime& runtime, Network& network, LogSink& log,
    const std::vector<SocketAddress>& own_listeners);

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_SERVER_SMTP_SESSIONS_H_
