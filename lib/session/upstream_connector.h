#ifndef GATEHOUSE_LIB_SESSION_UPSTREAM_CONNECTOR_H_
#define GATEHOUSE_LIB_SESSION_UPSTREAM_CONNECTOR_H_

#include <memory>
#include <variant>

#include "absl/functional/any_invocable.h"
#include "lib/base/endpoint.h"
#include "lib/base/failure.h"
#include "lib/net/network.h"
#include "lib/session/session_settings.h"

namespace gatehouse {

using UpstreamConnected = std::variant<std::unique_ptr<Stream>, Failure>;

// Resolves `endpoint`, whose port must be set, keeps the addresses that
// `settings.rules` allow, and connects to the first that answers, from the next
// of `settings.source_addresses` that has a port left. No TLS is
// begun: that belongs to whoever speaks first on the stream. `done` is called
// once, later; the settings must live until then. A host that isn't allowed is
// Failure{kConfiguration}: nothing was sent anywhere.
std::unique_ptr<Operation> ConnectUpstream(
    Network& network, const UpstreamSettings& settings,
    const Endpoint& endpoint, absl::AnyInvocable<void(UpstreamConnected)> done);

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_SESSION_UPSTREAM_CONNECTOR_H_
