#ifndef GATEHOUSE_LIB_SESSION_CLIENT_ARRIVAL_H_
#define GATEHOUSE_LIB_SESSION_CLIENT_ARRIVAL_H_

#include <string>
#include <string_view>

#include "lib/net/stream.h"
#include "lib/protocol/events.h"
#include "lib/protocol/machine.h"
#include "lib/protocol/proxy_header.h"
#include "lib/session/session_record.h"
#include "lib/session/session_settings.h"

namespace gatehouse {

// What every kind of session does alike with a client that has just come.

// Whether this peer, a balancer, must begin with a PROXY protocol header.
bool OwesProxyHeader(const ListenerSettings& listener,
                     const SocketAddress& peer);

// Takes over what it has said of the client. Of one whose address it doesn't
// know nobody may think that it is the balancer, which may stand next to us
// (PlaintextLogin::kLoopback): the peer is unset then.
void NoteClient(const ProxyHeader& header, SessionRecord& record);

TlsFacts FactsOf(const TlsSession& session);

// What the downstream machine of a client of this listener may offer.
DownstreamOptions DownstreamOptionsFor(const SessionSettings& settings,
                                       const ListenerSettings& listener,
                                       const SessionRecord& record,
                                       const TlsFacts& tls);

// Replies that a client leaves unread; beyond, its commands aren't read either.
inline constexpr size_t kMostUnreadReplyBytes = 16384;

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_SESSION_CLIENT_ARRIVAL_H_
