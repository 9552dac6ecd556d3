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
    const std::vector<SocketAddress>& own_listeners) {
  if (!config) return nullptr;
  auto relay = std::make_shared<MailRelay>();
  relay->protocol = &SmtpProtocol();
  relay->endpoint = config->endpoint;
  relay->upstream = MakeUpstreamSettings(config->upstream, tls, own_listeners);
  relay->user = config->user;
  relay->password = Secret(config->password);
  return relay;
}

std::shared_ptr<const MailSettings> MakeMailSettings(
    const Runtime& runtime, Network& network,
    const std::vector<SocketAddress>& own_listeners) {
  const SmtpConfig& config = *runtime.config.smtp;
  auto mail = std::make_shared<MailSettings>(config.mail);
  mail->fallback_relay =
      MakeRelay(config.fallback_relay, runtime.fallback_tls, own_listeners);
  mail->relay_host =
      MakeRelay(config.relay_host, runtime.relay_tls, own_listeners);
  mail->pool = std::make_shared<UpstreamPool>(network, config.pool);
  return mail;
}

class SmtpSessions final : public SessionFactory {
 public:
  SmtpSessions(const Runtime& runtime, Network& network, LogSink& log,
               const std::vector<SocketAddress>& own_listeners)
      : network_(network),
        log_(log),
        stores_(MakeSessionSettings(runtime, network, log, own_listeners)),
        mail_(MakeMailSettings(runtime, network, own_listeners)) {
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
    std::vector<std::shared_ptr<const SessionSettings>> probed;
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
  std::shared_ptr<const SessionSettings> home_;  // null: submission is routed
};

}  // namespace

std::unique_ptr<SessionFactory> NewSmtpSessions(
    const Runtime& runtime, Network& network, LogSink& log,
    const std::vector<SocketAddress>& own_listeners) {
  return std::make_unique<SmtpSessions>(runtime, network, log, own_listeners);
}

}  // namespace gatehouse
