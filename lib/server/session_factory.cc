#include "lib/server/session_factory.h"

#include <utility>

#include "lib/session/session.h"

namespace gatehouse {
namespace {

class LoginSessions : public SessionFactory {
 public:
  LoginSessions(Network& network, LogSink& log,
                std::shared_ptr<const SessionSettings> settings)
      : network_(network), log_(log), settings_(std::move(settings)) {}

  std::unique_ptr<ClientSession> NewSession(
      std::shared_ptr<const ListenerSettings> listener,
      std::unique_ptr<Stream> downstream, SessionOwner& owner) override {
    return std::make_unique<Session>(network_, log_, settings_,
                                     std::move(listener), std::move(downstream),
                                     owner);
  }

  const SessionSettings& settings() const override { return *settings_; }

  std::vector<std::shared_ptr<const SessionSettings>> probed() const override {
    if (settings_->upstreams_met == nullptr) return {};
    return {settings_};
  }

  bool in_use() const override { return settings_.use_count() > 1; }

 private:
  Network& network_;
  LogSink& log_;
  const std::shared_ptr<const SessionSettings> settings_;
};

}  // namespace

std::unique_ptr<SessionFactory> NewLoginSessions(
    const Runtime& runtime, Network& network, LogSink& log,
    const std::vector<SocketAddress>& own_listeners) {
  return std::make_unique<LoginSessions>(
      network, log, MakeSessionSettings(runtime, network, log, own_listeners));
}

}  // namespace gatehouse
