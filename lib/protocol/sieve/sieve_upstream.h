#ifndef GATEHOUSE_LIB_PROTOCOL_SIEVE_SIEVE_UPSTREAM_H_
#define GATEHOUSE_LIB_PROTOCOL_SIEVE_SIEVE_UPSTREAM_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/protocol/buffered_machine.h"
#include "lib/protocol/sieve/sieve_parser.h"

namespace gatehouse {

// Logs in to a ManageSieve server: its greeting with capabilities, STARTTLS
// where asked for and the capabilities again, XCLIENT, AUTHENTICATE.
//
// One command at a time: what comes before its question is a protocol error.
// Referrals are not followed: where a mailbox lives is the directory's to say.
//
// `UpstreamReady::capabilities` are in the unit of SieveProtocol().
class SieveUpstream final : public BufferedMachine<UpstreamMachine> {
 public:
  explicit SieveUpstream(UpstreamOptions options);

  bool input_wanted() const override;
  std::string_view StateName() const override;
  UpstreamEvent Next() override;
  void TlsEstablished() override;

 private:
  enum class State {
    kAwaitGreeting,  // also the list after TLS
    kAwaitStartTls,
    kAwaitTls,
    kAwaitXclient,
    kAwaitAuthenticate,
    kReady,
    kFailed,
  };
  using Words = std::vector<SieveWord>;
  using Outcome = std::optional<UpstreamEvent>;  // nothing: read on
  struct Reply;

  bool logged_in() const override { return state_ == State::kReady; }

  Outcome OnLine(const Words& words);
  Outcome OnGreeting(const Words& words);
  Outcome OnCapability(const Words& words);
  Outcome OnStartTls(const Reply& reply);
  Outcome OnXclient(const Reply& reply);
  Outcome OnAuthenticate(const Words& words);

  Outcome AfterGreeting();
  Outcome BeginAuthenticate();
  Outcome AnswerChallenge(std::string_view challenge);
  Outcome Ready();

  Outcome Ask(std::string command, State next);
  Outcome Refused(const Reply& reply);
  Outcome Unlike(std::string_view expected);
  Outcome Fail(LoginRefusal::Kind refusal, Failure::Kind kind,
               std::string_view text);
  std::optional<std::string_view> Offered(std::string_view capability) const;

  UpstreamOptions options_;
  State state_ = State::kAwaitGreeting;
  SieveParser parser_;
  std::vector<std::string> capabilities_;
  size_t capability_bytes_ = 0;
  std::string sasl_challenge_;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_PROTOCOL_SIEVE_SIEVE_UPSTREAM_H_
