#ifndef GATEHOUSE_LIB_SESSION_MAIL_LOGIN_H_
#define GATEHOUSE_LIB_SESSION_MAIL_LOGIN_H_

#include <memory>
#include <string_view>
#include <variant>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "lib/base/log.h"
#include "lib/directory/directory.h"
#include "lib/net/network.h"
#include "lib/protocol/events.h"
#include "lib/session/login_identity.h"
#include "lib/session/session_record.h"
#include "lib/session/session_settings.h"

namespace gatehouse {

// One AUTH of routed submission: the directory judges the password, since no
// upstream will hear it, and says which account it is. A verified certificate
// (EXTERNAL) has been judged by the handshake.
class MailLogin {
 public:
  // The account, or what the client is told: a refusal from which a guesser
  // could learn comes as late as that of every other login (failureDelay).
  using Verdict = std::variant<Location, LoginRefusal>;

  // All outlive the login. `done` is called once, later, and may destroy it.
  // In `record` it notes user, mechanism, waits and refusals.
  MailLogin(Network& network, LogSink& log, const SessionSettings& settings,
            SessionRecord& record, LoginAttempt attempt,
            absl::AnyInvocable<void(Verdict)> done);

  void Start();

 private:
  void Locate(std::string_view user);
  void OnAuthenticated(AuthenticateResult result);
  void OnLocated(LocateResult result);
  void OnDenied(Denial denial, std::string_view name);
  void OnFailure(const Failure& failure);
  void Refuse(LoginRefusal::Kind kind);

  Network& network_;
  LogSink& log_;
  const SessionSettings& settings_;
  SessionRecord& record_;
  LoginAttempt attempt_;
  LoginIdentity identity_;
  absl::AnyInvocable<void(Verdict)> done_;
  const absl::Time began_;
  std::unique_ptr<Operation> wait_;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_SESSION_MAIL_LOGIN_H_
