#ifndef GATEHOUSE_LIB_PROTOCOL_SIEVE_SIEVE_DOWNSTREAM_H_
#define GATEHOUSE_LIB_PROTOCOL_SIEVE_SIEVE_DOWNSTREAM_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/protocol/buffered_machine.h"
#include "lib/protocol/sasl.h"
#include "lib/protocol/sieve/sieve_parser.h"

namespace gatehouse {

// Answers a ManageSieve client before login (RFC 5804 §1.4): AUTHENTICATE,
// STARTTLS, CAPABILITY, NOOP, LOGOUT. Nothing else is heard, no referral is
// given, and UNAUTHENTICATE is never announced.
//
// The greeting, CAPABILITY's answer and the list after STARTTLS are one list.
// SIEVE, NOTIFY, MAXREDIRECTS and VERSION in it are the upstreams', from
// `upstream_capabilities` in the unit of SieveProtocol().
//
// A line with its literals may have limits.line_bytes; one beyond ends the
// conversation, since what follows can't be told from commands.
class SieveDownstream final : public BufferedMachine<DownstreamMachine> {
 public:
  explicit SieveDownstream(DownstreamOptions options);

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
  using Words = std::vector<SieveWord>;
  using Outcome = std::optional<DownstreamEvent>;  // nothing: read on
  struct Command;
  static const Command kCommands[];

  bool logged_in() const override { return state_ == State::kAccepted; }
  bool deaf() const override { return state_ == State::kClosed; }

  bool AwaitsLine() const;
  Outcome OnLine(const Words& words);
  Outcome OnBadLine();
  Outcome OnCommand(const Words& words);
  Outcome OnAuthenticate(const Words& words);
  Outcome OnCapability(const Words& words);
  Outcome OnLogout(const Words& words);
  Outcome OnNoop(const Words& words);
  Outcome OnStartTls(const Words& words);
  Outcome OnSaslLine(const Words& words);
  Outcome OnSaslStep(SaslStep step);
  Outcome OnSaslError(SaslError error);
  Outcome Refuse(LoginRefusal::Kind kind);

  Outcome Say(std::string_view reply);
  Outcome Bad(std::string_view reply);
  Outcome Close(Closed::Reason reason, std::string_view text);
  void ListCapabilities(std::string_view ok_text);
  void ListCapability(std::string_view name, std::string_view value);
  std::optional<std::string_view> LearnedValue(std::string_view name) const;
  std::string MechanismList() const;

  DownstreamOptions options_;
  State state_ = State::kAwaitCommand;
  SieveParser parser_;
  bool greeted_ = false;
  std::optional<Closed> closing_;  // for Next() to tell
  int commands_ = 0;
  int bad_commands_ = 0;
  int failed_logins_ = 0;
  SaslExchange sasl_;
  Credentials attempted_ = Credentials::kPassword;
  LoginRefusal::Kind refusal_ = LoginRefusal::Kind::kCredentials;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_PROTOCOL_SIEVE_SIEVE_DOWNSTREAM_H_
