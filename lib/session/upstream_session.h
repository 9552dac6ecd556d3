#ifndef GATEHOUSE_LIB_SESSION_UPSTREAM_SESSION_H_
#define GATEHOUSE_LIB_SESSION_UPSTREAM_SESSION_H_

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "lib/directory/directory.h"
#include "lib/net/network.h"
#include "lib/protocol/machine.h"
#include "lib/session/session_settings.h"

namespace gatehouse {

// A store, and how to speak to it.
struct UpstreamTarget {
  Endpoint endpoint;  // port set
  TlsMode tls = TlsMode::kNone;
};

// The store of `location`, with the settings' port and TLS where it doesn't say
// its own: the default upstream where it names no host; nothing where there is
// none either.
std::optional<UpstreamTarget> TargetOf(const SessionSettings& settings,
                                       const Location& location);

// How an upstream at `host`, as the directory writes it, hears of the client.
UpstreamSettings::ForwardClient ForwardClientFor(
    const UpstreamSettings& settings, std::string_view host);

// A store that has let us in.
struct UpstreamSession {
  std::unique_ptr<Stream> stream;  // paused, without handler
  UpstreamReady ready;
  std::string trailing;  // what the store sent behind its answer
};

struct UpstreamOutcome {
  std::variant<UpstreamSession, UpstreamFailed> result;
  absl::Duration connecting;  // resolving, TCP, implicit TLS
  absl::Duration logging_in;  // greeting to answer, STARTTLS included
};

// Connects to `target` and drives the protocol's upstream machine to its end:
// one attempt, never a second one elsewhere, so a password goes out at most
// once. `options.start_tls`, `tls_active` and `forward_client` are set here.
// `settings` must live until `done` is called, once and later.
std::unique_ptr<Operation> OpenUpstreamSession(
    Network& network, const Protocol& protocol,
    const UpstreamSettings& settings, const UpstreamTarget& target,
    UpstreamOptions options, absl::AnyInvocable<void(UpstreamOutcome)> done);

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_SESSION_UPSTREAM_SESSION_H_
