#include "lib/session/upstream_connector.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace gatehouse {
namespace {

Failure NotAllowed(const Endpoint& endpoint, std::string_view why) {
  return Failure{Failure::Side::kDirectory, Failure::Kind::kConfiguration,
                 Failure::Retry::kNo,
                 endpoint.ToString() + ": " + std::string(why)};
}

bool PortAllowed(const UpstreamRules& rules, uint16_t port) {
  return rules.ports.empty() ||
         std::find(rules.ports.begin(), rules.ports.end(), port) !=
             rules.ports.end();
}

bool NameAllowed(const UpstreamRules& rules, std::string_view host) {
  return rules.hosts.empty() ||
         std::any_of(
             rules.hosts.begin(), rules.hosts.end(),
             [&](const HostPattern& own) { return own.MatchesName(host); });
}

bool AddressAllowed(const UpstreamRules& rules, const SocketAddress& address) {
  return std::any_of(
      rules.hosts.begin(), rules.hosts.end(),
      [&](const HostPattern& own) { return own.MatchesAddress(address); });
}

// A connection that ends at a listener of this very process: same port, and
// the listener's address, or for a wildcard listener any address of this host
// (which the kernel then also chooses as the source).
bool LeadsToOurselves(const UpstreamRules& rules, const Stream& stream,
                      uint16_t port) {
  const bool may = std::any_of(
      rules.own_listeners.begin(), rules.own_listeners.end(),
      [port](const SocketAddress& own) { return own.port() == port; });
  if (!may) return false;  // without asking the kernel
  const SocketAddress peer = stream.peer().Unmapped();
  SocketAddress self = stream.local().Unmapped();
  self.set_port(peer.port());
  return std::any_of(rules.own_listeners.begin(), rules.own_listeners.end(),
                     [&](const SocketAddress& own) {
                       if (own.port() != peer.port()) return false;
                       return own.Unmapped() == peer ||
                              (own.IsWildcard() && self == peer);
                     });
}

// The addresses are tried one after another; the attempt that is under way is
// `step_`.
class UpstreamConnector : public Operation {
 public:
  UpstreamConnector(Network& network, const UpstreamSettings& settings,
                    Endpoint endpoint,
                    absl::AnyInvocable<void(UpstreamConnected)> done)
      : network_(network),
        settings_(settings),
        endpoint_(std::move(endpoint)),
        done_(std::move(done)) {}

  void Start() {
    if (!PortAllowed(settings_.rules, endpoint_.port)) {
      step_ = network_.Defer(
          [this] { Finish(NotAllowed(endpoint_, "port isn't allowed")); });
      return;
    }
    step_ = network_.Resolve(
        endpoint_.host, [this](auto result) { OnResolved(std::move(result)); });
  }

 private:
  void OnResolved(Network::ResolveResult result) {
    if (auto* failure = std::get_if<Failure>(&result)) {
      return Finish(AtUpstream(std::move(*failure)));
    }
    const UpstreamRules& rules = settings_.rules;
    const bool any = NameAllowed(rules, endpoint_.host);
    for (SocketAddress& address : std::get<0>(result)) {
      if (!any && !AddressAllowed(rules, address)) continue;
      address.set_port(endpoint_.port);
      addresses_.push_back(address);
    }
    if (addresses_.empty()) {
      return Finish(NotAllowed(endpoint_, "host isn't in allowedHosts"));
    }
    TryNext();
  }

  void TryNext() {
    const bool v6 = addresses_[next_++].is_v6();
    const auto& sources = settings_.source_addresses;
    more_sources_ = std::count_if(
        sources.begin(), sources.end(),
        [v6](const SocketAddress& source) { return source.is_v6() == v6; });
    TryFromNextSource();
  }

  void TryFromNextSource() {
    const SocketAddress& address = addresses_[next_ - 1];
    ConnectOptions options;
    options.timeout = settings_.connect_timeout;
    if (more_sources_ > 0) options.source = NextSource(address.is_v6());
    step_ = network_.Connect(address, options, [this](auto result) {
      OnConnected(std::move(result));
    });
  }

  // There must be one of this family.
  const SocketAddress& NextSource(bool v6) {
    --more_sources_;
    const auto& sources = settings_.source_addresses;
    while (true) {
      const uint32_t turn = settings_.source_turn->fetch_add(1);
      const SocketAddress& source = sources[turn % sources.size()];
      if (source.is_v6() == v6) return source;
    }
  }

  void OnConnected(Network::ConnectResult result) {
    if (auto* failure = std::get_if<Failure>(&result)) {
      // No port left at this source, or the machine doesn't have it.
      if (failure->kind == Failure::Kind::kExhausted && more_sources_ > 0) {
        return TryFromNextSource();
      }
      if (next_ < addresses_.size()) return TryNext();
      return Finish(AtUpstream(std::move(*failure)));
    }
    auto& stream = std::get<std::unique_ptr<Stream>>(result);
    if (LeadsToOurselves(settings_.rules, *stream, endpoint_.port)) {
      return Finish(NotAllowed(endpoint_, "that is this proxy itself"));
    }
    Finish(std::move(stream));
  }

  Failure AtUpstream(Failure failure) const {
    failure.side = Failure::Side::kUpstream;
    failure.text = endpoint_.ToString() + ": " + failure.text;
    return failure;
  }

  // The owner may destroy this object from inside the callback.
  void Finish(UpstreamConnected result) {
    auto done = std::move(done_);
    done(std::move(result));
  }

  Network& network_;
  const UpstreamSettings& settings_;
  const Endpoint endpoint_;
  absl::AnyInvocable<void(UpstreamConnected)> done_;
  std::vector<SocketAddress> addresses_;
  size_t next_ = 0;
  size_t more_sources_ = 0;  // that this address wasn't tried from
  std::unique_ptr<Operation> step_;
};

}  // namespace

std::unique_ptr<Operation> ConnectUpstream(
    Network& network, const UpstreamSettings& settings,
    const Endpoint& endpoint,
    absl::AnyInvocable<void(UpstreamConnected)> done) {
  auto connector = std::make_unique<UpstreamConnector>(
      network, settings, endpoint, std::move(done));
  connector->Start();
  return connector;
}

}  // namespace gatehouse
