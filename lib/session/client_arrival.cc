#include "lib/session/client_arrival.h"

#include <algorithm>

namespace gatehouse {

bool OwesProxyHeader(const ListenerSettings& listener,
                     const SocketAddress& peer) {
  const auto& balancers = listener.proxy_protocol_from;
  return std::any_of(
      balancers.begin(), balancers.end(),
      [&peer](const Cidr& block) { return block.Contains(peer); });
}

void NoteClient(const ProxyHeader& header, SessionRecord& record) {
  if (!header.local) record.peer = header.source.Unmapped();
}

TlsFacts FactsOf(const TlsSession& session) {
  TlsFacts facts;
  facts.version = session.version;
  facts.cipher = session.cipher;
  facts.server_name = session.server_name;
  facts.client_certificate_verified = session.peer_verified;
  facts.client_identity = session.peer_identity;
  return facts;
}

DownstreamOptions DownstreamOptionsFor(const SessionSettings& settings,
                                       const ListenerSettings& listener,
                                       const SessionRecord& record,
                                       const TlsFacts& tls) {
  DownstreamOptions options;
  options.host_name = settings.host_name;
  options.tls_active = listener.tls == TlsMode::kImplicit;
  options.tls = tls;
  options.start_tls_offered = listener.tls == TlsMode::kStartTls;
  options.plaintext_login_allowed =
      settings.plaintext_login == PlaintextLogin::kAlways ||
      (settings.plaintext_login == PlaintextLogin::kLoopback &&
       record.peer.IsLoopback());
  options.token_mechanisms = settings.token_mechanisms;
  options.external_mechanism = settings.external_mechanism;
  options.limits = settings.limits;
  if (settings.capabilities != nullptr) {
    options.upstream_capabilities = settings.capabilities->Get();
  }
  return options;
}

}  // namespace gatehouse
