#include "lib/server/smtp_sessions.h"

#include <optional>
#include <utility>

#include "lib/protocol/smtp/smtp_protocol.h"
#include "lib/session/mail_session.h"
#include "lib/session/mail_settings.h"
#include "lib/session/session.h"
#include "lib/session/upstream_pool.h"

namespace gatehouse {
namespace {

std::shared_ptr<const MailRelay> MakeRelay(
    const std::optional<RelayConfig>& config,
    const std::shared_ptr<const TlsClientContext>& tls,
    const UpstreamKnowledge& knowledge,
    const std::vector<SocketAddress>& own_listeners) {
  if (!config) return nullptr;
  auto relay = std::make_shared<MailRelay>();
  relay->protocol = &SmtpProtocol();
  relay->endpoint = config->endpoint;
  relay->upstream = MakeUpstreamSettings(config->upstream, tls, own_listeners);
  relay->user = config->user;
  relay->password = Secret(config->password);
  if (knowledge.capabilities != nullptr) {
    relay->capabilities =
        std::make_shared<CapabilitiesView>(knowledge.capabilities);
  }
  return relay;
}

std::shared_ptr<const MailSettings> MakeMailSettings(
    const Runtime& runtime, Network& network,
    const std::vector<SocketAddress>& own_listeners) {
  const SmtpConfig& config = *runtime.config.smtp;
  auto mail = std::make_shared<MailSettings>(config.mail);
  mail->fallback_relay = MakeRelay(config.fallback_relay, runtime.fallback_tls,
                                   runtime.fallback_knowledge, own_listeners);
  mail->relay_host = MakeRelay(config.relay_host, runtime.relay_tls,
                               runtime.relay_knowledge, own_listeners);
  mail->pool = std::make_shared<UpstreamPool>(network, config.pool);
  return mail;
}

// For the capability probe: a relay is an upstream that is always asked.
std::shared_ptr<const SessionSettings> MakeProbedRelay(
    const Runtime& runtime, const MailRelay& relay, const RelayConfig& config,
    std::shared_ptr<const TlsClientContext> tls,
    const UpstreamKnowledge& knowledge,
    const std::vector<SocketAddress>& own_listeners) {
  auto probed = std::make_shared<SessionSettings>();
  probed->protocol = relay.protocol;
  probed->host_name = runtime.config.host_name;
  probed->default_upstream = relay.endpoint;
  probed->upstream =
      MakeUpstreamSettings(config.upstream, std::move(tls), own_listeners);
  probed->capabilities = relay.capabilities;
  probed->upstreams_met = knowledge.met;
  return probed;
}

// Of the relays whose capabilities are learned.
std::vector<std::shared_ptr<const SessionSettings>> MakeProbedRelays(
    const Runtime& runtime, const MailSettings& mail,
    const std::vector<SocketAddress>& own_listeners) {
  const SmtpConfig& config = *runtime.config.smtp;
  std::vector<std::shared_ptr<const SessionSettings>> probed;
  const auto add = [&](const MailRelay* relay,
                       const std::optional<RelayConfig>& relay_config,
                       const std::shared_ptr<const TlsClientContext>& tls,
                       const UpstreamKnowledge& knowledge) {
    if (relay == nullptr || knowledge.met == nullptr) return;
    probed.push_back(MakeProbedRelay(runtime, *relay, *relay_config, tls,
                                     knowledge, own_listeners));
  };
  add(mail.relay_host.get(), config.relay_host, runtime.relay_tls,
      runtime.relay_knowledge);
  add(mail.fallback_relay.get(), config.fallback_relay, runtime.fallback_tls,
      runtime.fallback_knowledge);
  return probed;
}

class SmtpSessions final : public SessionFactory {
 public:
  SmtpSessions(const Runtime& runtime, Network& network, LogSink& log,
               const std::vector<SocketAddress>& own_listeners)
      : network_(network),
        log_(log),
        stores_(MakeSessionSettings(runtime, network, log, own_listeners)),
        mail_(MakeMailSettings(runtime, network, own_listeners)),
        relays_(MakeProbedRelays(runtime, *mail_, own_listeners)) {
    if (runtime.config.smtp->submission == SmtpConfig::SubmissionMode::kHome) {
      home_ = MakeHomeSettings(runtime, *stores_, own_listeners);
    }
  }

  std::unique_ptr<ClientSession> NewSession(
      std::shared_ptr<const ListenerSettings> listener,
      std::unique_ptr<Stream> downstream, SessionOwner& owner) override {
    if (listener->role == MailRole::kSubmission && home_ != nullptr) {
      return std::make_unique<Session>(network_, log_, home_,
                                       std::move(listener),
                                       std::move(downstream), owner);
    }
    return std::make_unique<MailSession>(network_, log_, stores_, mail_,
                                         std::move(listener),
                                         std::move(downstream), owner);
  }

  const SessionSettings& settings() const override {
    return home_ != nullptr ? *home_ : *stores_;
  }

  std::vector<std::shared_ptr<const SessionSettings>> probed() const override {
    std::vector<std::shared_ptr<const SessionSettings>> probed = relays_;
    for (const auto& settings : {stores_, home_}) {
      if (settings != nullptr && settings->upstreams_met != nullptr) {
        probed.push_back(settings);
      }
    }
    return probed;
  }

  bool in_use() const override {
    return stores_.use_count() > 1 ||
           (home_ != nullptr && home_.use_count() > 1);
  }

 private:
  Network& network_;
  LogSink& log_;
  const std::shared_ptr<const SessionSettings> stores_;
  const std::shared_ptr<const MailSettings> mail_;
  // Each relay's, for the probe.
  const std::vector<std::shared_ptr<const SessionSettings>> relays_;
  std::shared_ptr<const SessionSettings> home_;  // null: submission is routed
};

}  // namespace

std::unique_ptr<SessionFactory> NewSmtpSessions(
    const Runtime& runtime, Network& network, LogSink& log,
    const std::vector<SocketAddress>& own_listeners) {
  return std::make_unique<SmtpSessions>(runtime, network, log, own_listeners);
}

}  // namespace gatehouse
