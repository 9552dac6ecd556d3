#ifndef GATEHOUSE_LIB_PROTOCOL_IMAP_IMAP_DOWNSTREAM_H_
#define GATEHOUSE_LIB_PROTOCOL_IMAP_IMAP_DOWNSTREAM_H_

#include <optional>
#include <string>
#include <string_view>

#include "lib/protocol/buffered_machine.h"
#include "lib/protocol/imap/imap_parser.h"
#include "lib/protocol/sasl.h"

namespace gatehouse {

// Talks IMAP (RFC 3501, RFC 9051) to a mail client until it has logged in:
// CAPABILITY, NOOP, ID, STARTTLS, LOGIN, AUTHENTICATE and LOGOUT; everything
// else is BAD. See machine.h for the contract.
//
// - What arrives behind STARTTLS in the clear is dropped (RFC 9051 §6.2.1).
// - While a verdict is awaited, input is held unread, up to
//   limits.held_bytes; only a LOGOUT that comes next is obeyed: it abandons the
//   login. What else is held is the store's (TakeTrailing()).
// - limits.line_bytes is for all lines of one command; beyond it, and for a
//   LITERAL+ beyond limits.literal_bytes, the connection ends, since what
//   follows can't be told from commands. A synchronizing literal that is too
//   large is refused with [TOOBIG], and the session goes on.
// - limits.commands, bad_commands and failed_logins end it with BYE. A failed
//   login is one that blames the client's credentials.
// - Of what a client says by ID, x-proxy-ttl alone is heeded, and by nobody's
//   leave: it can but lower LoginAttempt::proxy_ttl. Two front ends that are
//   each other's upstream end their loop by it.
// - A client that speaks HTTP is cut off without a word.
class ImapDownstream final : public BufferedMachine<DownstreamMachine> {
 public:
  explicit ImapDownstream(DownstreamOptions options);

  bool input_wanted() const override;
  std::string_view StateName() const override;
  DownstreamEvent Next() override;
  void TlsEstablished(const TlsFacts& facts) override;
  void LoginAccepted(const UpstreamReady& upstream) override;
  void LoginRefused(const LoginRefusal& refusal) override;
  void Shutdown(ShutdownReason reason) override;

 private:
  enum class State {
    kAwaitCommand,
    kAwaitLiteral,
    kAwaitSasl,
    kAwaitTokenAnswer,  // the client's answer to a refused token's challenge
    kAwaitTls,
    kAwaitVerdict,
    kAccepted,
    kClosed,
  };
  using Outcome = std::optional<DownstreamEvent>;  // nothing: read on
  struct Command;
  struct CommandRule;
  static const CommandRule kCommandRules[];

  bool logged_in() const override { return state_ == State::kAccepted; }
  bool deaf() const override {
    return state_ == State::kClosed || state_ == State::kAwaitTls;
  }

  enum class Completeness { kWhole, kBroken, kAwaitsLiteral, kAwaitsTooLarge };

  static const CommandRule* FindRule(std::string_view name);

  Outcome ReadCommand();
  bool AcceptLiteral(std::string_view text);
  Outcome OnText(std::string_view text, Completeness completeness);
  Outcome OnCapability(const Command& command);
  Outcome OnNoop(const Command& command);
  Outcome OnId(const Command& command);
  Outcome OnStartTls(const Command& command);
  Outcome OnLogin(const Command& command);
  Outcome OnAuthenticate(const Command& command);
  Outcome OnLogout(const Command& command);

  Outcome ReadSaslLine();
  Outcome OnSaslStep(SaslStep step);
  Outcome Attempt(LoginAttempt attempt);
  Outcome AbandonedByLogout();
  Outcome Refuse(LoginRefusal::Kind kind);

  Outcome Answer(std::string_view tag, std::string_view reply);
  Outcome Bad(std::string_view tag, std::string_view text);
  Outcome BadArguments(const Command& command);
  Outcome NeedsEncryption(std::string_view tag);
  Outcome End(std::string_view last_line, Closed::Reason reason);
  void Consume(size_t size);

  DownstreamOptions options_;
  State state_ = State::kAwaitCommand;
  ImapCommandFramer command_framer_;
  LineFramer line_framer_;
  SaslExchange sasl_;
  std::string tag_;                                   // of the login under way
  Credentials credentials_ = Credentials::kPassword;  // likewise
  LoginRefusal::Kind pending_refusal_ = LoginRefusal::Kind::kCredentials;
  int proxy_ttl_ = kMostProxyHops;  // of the login to come
  int commands_ = 0;
  int bad_commands_ = 0;
  int failed_logins_ = 0;
  Closed closed_;  // in state kClosed
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_PROTOCOL_IMAP_IMAP_DOWNSTREAM_H_
