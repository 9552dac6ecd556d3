#ifndef GATEHOUSE_LIB_SESSION_SESSION_H_
#define GATEHOUSE_LIB_SESSION_SESSION_H_

#include <memory>

#include "lib/base/log.h"
#include "lib/net/network.h"
#include "lib/protocol/machine.h"
#include "lib/session/client_session.h"
#include "lib/session/login.h"
#include "lib/session/session_record.h"
#include "lib/session/session_settings.h"
#include "lib/splice/splice.h"

namespace gatehouse {

// The session of a client who logs in: a Login, then a Splice.
//
// An embedder writes:
//   auto session = std::make_unique<Session>(network, log, settings, listener,
//                                            std::move(stream), owner);
//   session->Start();
class Session final : public ClientSession, public SpliceOwner {
 public:
  // `network`, `log` and `owner` outlive the session.
  Session(Network& network, LogSink& log,
          std::shared_ptr<const SessionSettings> settings,
          std::shared_ptr<const ListenerSettings> listener,
          std::unique_ptr<Stream> downstream, SessionOwner& owner);
  ~Session() override;

  void Start() override;
  void EndUnlessJoined(DownstreamMachine::ShutdownReason reason) override;
  // In a pause of the store's output (Splice::EndInPause).
  void EndJoined() override;
  void LookAgain() override;
  bool joined() const override { return joined_; }
  const SessionRecord& record() const override { return record_; }

 private:
  void OnLogin(Login::Outcome outcome);
  void Finish();

  // SpliceOwner:
  std::string_view LastWords() const override;
  AnswerProgress AfterCommand(std::string_view line) const override;
  AnswerProgress AfterAnswer(AnswerProgress before,
                             std::string_view line) const override;
  void OnSpliceEnd(const SpliceResult& result) override;

  Network& network_;
  LogSink& log_;
  SessionOwner& owner_;
  const std::shared_ptr<const SessionSettings> settings_;
  const std::shared_ptr<const ListenerSettings> listener_;
  SessionRecord record_;
  bool joined_ = false;
  std::unique_ptr<Login> login_;    // until joined
  std::unique_ptr<Splice> splice_;  // from then on
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_SESSION_SESSION_H_
