#include "lib/session/upstream_session.h"

#include <algorithm>
#include <utility>

#include "lib/protocol/proxy_header.h"
#include "lib/session/upstream_connector.h"

namespace gatehouse {
namespace {

// What the client hears where the store couldn't be spoken to at all.
LoginRefusal RefusalFor(const Failure& failure) {
  LoginRefusal refusal;
  refusal.kind = failure.kind == Failure::Kind::kConfiguration
                     ? LoginRefusal::Kind::kContactAdmin
                     : LoginRefusal::Kind::kUnavailable;
  return refusal;
}

// A probe has no client: the header then says that we speak for ourselves.
ProxyHeader HeaderFor(const ClientFacts& client) {
  ProxyHeader header;
  header.local = !client.client.is_set();
  header.source = client.client;
  header.destination = client.proxy;
  if (client.tls_active) {
    header.tls = ProxyTls{client.tls.version, client.tls.cipher,
                          client.tls.client_certificate_verified,
                          client.tls.client_identity};
    header.authority = client.tls.server_name;
  }
  return header;
}

// Reads downwards: connect, TLS if implicit, converse, done.
class UpstreamOpening : public Operation, private StreamHandler {
 public:
  UpstreamOpening(Network& network, const Protocol& protocol,
                  const UpstreamSettings& settings, UpstreamTarget target,
                  UpstreamOptions options,
                  absl::AnyInvocable<void(UpstreamOutcome)> done)
      : network_(network),
        protocol_(protocol),
        settings_(settings),
        target_(std::move(target)),
        options_(std::move(options)),
        forward_client_(ForwardClientFor(settings, target_.endpoint.host)),
        done_(std::move(done)) {}

  void Start() {
    began_ = network_.Now();
    options_.start_tls = target_.tls == TlsMode::kStartTls;
    options_.tls_active = target_.tls == TlsMode::kImplicit;
    // Who only asks what the upstream can do has no client to tell of.
    options_.forward_client =
        forward_client_ == ForwardClient::kProtocol &&
        options_.login.method != UpstreamLogin::Method::kProbe;
    step_ = ConnectUpstream(
        network_, settings_, target_.endpoint,
        [this](UpstreamConnected result) { OnConnected(std::move(result)); });
  }

 private:
  using ForwardClient = UpstreamSettings::ForwardClient;

  void OnConnected(UpstreamConnected result) {
    if (auto* failure = std::get_if<Failure>(&result)) {
      return Fail(std::move(*failure));
    }
    stream_ = std::move(std::get<std::unique_ptr<Stream>>(result));
    stream_->set_handler(this);
    step_ =
        network_.StartTimer(settings_.login_timeout, [this] { OnTimeout(); });
    if (forward_client_ == ForwardClient::kProxyV2) {
      stream_->Write(EncodeProxyHeader(HeaderFor(options_.client)));
    }
    if (target_.tls == TlsMode::kImplicit) return BeginTls();
    Converse();
  }

  void BeginTls() {
    if (settings_.tls_context == nullptr) {
      return Fail(Failure{Failure::Side::kLocal, Failure::Kind::kConfiguration,
                          Failure::Retry::kNo,
                          "the upstream needs TLS, but it isn't configured"});
    }
    stream_->StartClientTls(*settings_.tls_context, target_.endpoint.host);
    stream_->ResumeReading();
  }

  void OnTlsEstablished() override {
    if (machine_ == nullptr) return Converse();
    machine_->TlsEstablished();
    Pump();
  }

  void Converse() {
    connected_ = network_.Now();
    machine_ = protocol_.NewUpstream(std::move(options_));
    stream_->ResumeReading();
    Pump();
  }

  void OnData(std::string_view bytes) override {
    machine_->Feed(bytes);
    Pump();
  }

  void OnEof() override {
    if (machine_ == nullptr) return OnFailure(EarlyEnd());
    machine_->FeedEof();
    Pump();
  }

  void OnFailure(const Failure& failure) override {
    Failure upstream = failure;
    upstream.side = Failure::Side::kUpstream;
    upstream.text = target_.endpoint.ToString() + ": " + failure.text;
    Fail(std::move(upstream));
  }

  void OnTimeout() {
    std::string text = target_.endpoint.ToString() + ": no answer in time";
    if (machine_ != nullptr) {
      text += " (" + std::string(machine_->StateName()) + ")";
    }
    Fail(Failure{Failure::Side::kUpstream, Failure::Kind::kTimeout,
                 Failure::Retry::kNo, std::move(text)});
  }

  Failure EarlyEnd() const {
    return Failure{Failure::Side::kUpstream, Failure::Kind::kReset,
                   Failure::Retry::kNo, "closed before the TLS handshake"};
  }

  void Pump() {
    UpstreamEvent event = machine_->Next();
    std::string output = machine_->TakeOutput();
    stream_->Write(output);
    WipeString(output);
    if (std::holds_alternative<StartTls>(event)) return BeginTls();
    if (auto* ready = std::get_if<UpstreamReady>(&event)) {
      return Succeed(std::move(*ready));
    }
    if (auto* failed = std::get_if<UpstreamFailed>(&event)) {
      failed->failure.text =
          target_.endpoint.ToString() + ": " + failed->failure.text;
      return Finish(std::move(*failed));
    }
  }

  void Succeed(UpstreamReady ready) {
    stream_->PauseReading();
    stream_->set_handler(nullptr);
    UpstreamSession session;
    session.ready = std::move(ready);
    session.trailing = machine_->TakeTrailing();
    session.stream = std::move(stream_);
    Finish(std::move(session));
  }

  void Fail(Failure failure) {
    LoginRefusal refusal = RefusalFor(failure);
    Finish(UpstreamFailed{std::move(refusal), std::move(failure)});
  }

  // The owner may destroy this object from inside the callback.
  void Finish(std::variant<UpstreamSession, UpstreamFailed> result) {
    step_.reset();
    UpstreamOutcome outcome{std::move(result), absl::ZeroDuration(),
                            absl::ZeroDuration()};
    const absl::Time now = network_.Now();
    outcome.connecting = (machine_ == nullptr ? now : connected_) - began_;
    if (machine_ != nullptr) outcome.logging_in = now - connected_;
    if (stream_ != nullptr) Stream::CloseAfterFlush(std::move(stream_));
    auto done = std::move(done_);
    done(std::move(outcome));
  }

  Network& network_;
  const Protocol& protocol_;
  const UpstreamSettings& settings_;
  const UpstreamTarget target_;
  UpstreamOptions options_;
  const ForwardClient forward_client_;
  absl::AnyInvocable<void(UpstreamOutcome)> done_;
  absl::Time began_;
  absl::Time connected_;
  std::unique_ptr<Operation> step_;  // the connecting, then the login's limit
  std::unique_ptr<Stream> stream_;
  std::unique_ptr<UpstreamMachine> machine_;
};

}  // namespace

std::optional<UpstreamTarget> TargetOf(const SessionSettings& settings,
                                       const Location& location) {
  UpstreamTarget target;
  target.tls = settings.upstream.tls;
  if (location.host) {
    target.endpoint = *location.host;
    if (location.implicit_tls) {
      target.tls = *location.implicit_tls ? TlsMode::kImplicit : TlsMode::kNone;
    }
  } else if (settings.default_upstream) {
    target.endpoint = *settings.default_upstream;
  } else {
    return std::nullopt;
  }
  if (target.endpoint.port == 0) target.endpoint.port = settings.upstream.port;
  return target;
}

UpstreamSettings::ForwardClient ForwardClientFor(
    const UpstreamSettings& settings, std::string_view host) {
  const auto found =
      std::find_if(settings.hosts.begin(), settings.hosts.end(),
                   [&](const UpstreamSettings::HostException& exception) {
                     return exception.host.Matches(host);
                   });
  return found == settings.hosts.end() ? settings.forward_client
                                       : found->forward_client;
}

std::unique_ptr<Operation> OpenUpstreamSession(
    Network& network, const Protocol& protocol,
    const UpstreamSettings& settings, const UpstreamTarget& target,
    UpstreamOptions options, absl::AnyInvocable<void(UpstreamOutcome)> done) {
  auto opening = std::make_unique<UpstreamOpening>(
      network, protocol, settings, target, std::move(options), std::move(done));
  opening->Start();
  return opening;
}

}  // namespace gatehouse
