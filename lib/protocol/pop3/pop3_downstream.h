#ifndef GATEHOUSE_LIB_PROTOCOL_POP3_POP3_DOWNSTREAM_H_
#define GATEHOUSE_LIB_PROTOCOL_POP3_POP3_DOWNSTREAM_H_

#include <optional>
#include <string>
#include <string_view>

#include "lib/base/secret.h"
#include "lib/protocol/buffered_machine.h"
#include "lib/protocol/sasl.h"

namespace gatehouse {

// Answers a POP3 client in the AUTHORIZATION state (RFC 1939 §4): CAPA, STLS,
// USER and PASS, AUTH, UTF8, NOOP, QUIT. APOP is neither offered nor
// understood: the greeting has no timestamp, since no directory could check the
// digest.
//
// Before login only what holds afterwards too is announced: TOP, UIDL, EXPIRE,
// LOGIN-DELAY and UTF8 as `upstream_capabilities` have them. A UTF8 that was
// answered +OK is set in LoginAttempt::utf8, for the upstream to hear as well.
//
// Lines end in CRLF; a bare LF, a bare CR or NUL is refused with the line that
// holds it. A line beyond limits.line_bytes ends the conversation.
class Pop3Downstream final : public BufferedMachine<DownstreamMachine> {
 public:
  explicit Pop3Downstream(DownstreamOptions options);

  bool input_wanted() const override;
  std::string TakeOutput() override;
  std::string_view StateName() const override;
  DownstreamEvent Next() override;
  void TlsEstablished(const TlsFacts& facts) override;
  void LoginAccepted(const UpstreamReady& upstream) override;
  void LoginRefused(const LoginRefusal& refusal) override;
  void Shutdown(ShutdownReason reason) override;

 private:
  enum class State {
    kAwaitCommand,
    kAwaitSasl,
    kAwaitSaslEnd,  // the client's answer to why its token was refused
    kAwaitTls,
    kAwaitVerdict,
    kAccepted,
    kClosed,
  };
  using Outcome = std::optional<DownstreamEvent>;  // nothing: read on
  struct Command;
  static const Command kCommands[];

  bool logged_in() const override { return state_ == State::kAccepted; }
  bool deaf() const override { return state_ == State::kClosed; }

  bool AwaitsLine() const;
  Outcome OnLine(std::string_view line);
  Outcome OnCommand(std::string_view line);
  Outcome OnCapa(std::string_view arguments);
  Outcome OnStls(std::string_view arguments);
  Outcome OnUser(std::string_view arguments);
  Outcome OnPass(std::string_view arguments);
  Outcome OnAuth(std::string_view arguments);
  Outcome OnUtf8(std::string_view arguments);
  Outcome OnNoop(std::string_view arguments);
  Outcome OnQuit(std::string_view arguments);
  Outcome OnLater(std::string_view arguments);
  Outcome OnSaslLine(std::string_view line);

  Outcome Attempt(LoginAttempt attempt);
  Outcome Say(std::string_view reply);
  Outcome Bad(std::string_view text);
  Outcome Close(Closed::Reason reason, std::string_view text);
  Outcome OnSaslStep(SaslStep step);
  Outcome OnSaslError(SaslError error);
  Outcome Refuse(LoginRefusal::Kind kind);

  void ListCapabilities();
  std::string MechanismList(std::string_view separator) const;
  const std::string* LearnedLine(std::string_view name) const;

  DownstreamOptions options_;
  State state_ = State::kAwaitCommand;
  bool greeted_ = false;
  std::optional<Closed> closing_;  // for Next() to tell
  int commands_ = 0;
  int bad_commands_ = 0;
  int failed_logins_ = 0;
  std::optional<std::string> user_;  // after USER
  bool utf8_ = false;
  SaslExchange sasl_;
  Credentials attempted_ = Credentials::kPassword;
  LoginRefusal::Kind refusal_ = LoginRefusal::Kind::kCredentials;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_PROTOCOL_POP3_POP3_DOWNSTREAM_H_
