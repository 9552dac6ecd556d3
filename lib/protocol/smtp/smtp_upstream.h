#ifndef GATEHOUSE_LIB_PROTOCOL_SMTP_SMTP_UPSTREAM_H_
#define GATEHOUSE_LIB_PROTOCOL_SMTP_SMTP_UPSTREAM_H_

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "lib/protocol/machine.h"
#include "lib/protocol/smtp/smtp_keywords.h"
#include "lib/protocol/smtp/smtp_reply.h"
#include "lib/protocol/smtp/smtp_reply_reader.h"

namespace gatehouse {

// Sets up a connection to an SMTP server or, with LHLO in EHLO's place, an LMTP
// server (RFC 2033 §4.1): greeting, EHLO, STARTTLS and EHLO again where asked
// for, XCLIENT and EHLO again, then AUTH (RFC 4954) as UpstreamLogin says.
//
// One command at a time: what the server says before it is asked is a protocol
// error (RFC 3207 §6, CVE-2021-38371).
//
// `UpstreamReady::capabilities` are the lines of the last EHLO answer: none of
// a server that knows HELO only, which may be handed mail as it is. With
// Method::kXclient the user's name goes up as LOGIN, and the login is over
// when the server has taken it.
class SmtpUpstream final : public UpstreamMachine {
 public:
  enum class Dialect { kSmtp, kLmtp };
  SmtpUpstream(Dialect dialect, UpstreamOptions options);

  void Feed(std::string_view bytes) override;
  void FeedEof() override;
  bool input_wanted() const override;
  std::string TakeOutput() override;
  std::string TakeTrailing() override;
  std::string_view StateName() const override;
  UpstreamEvent Next() override;
  void TlsEstablished() override;

 private:
  enum class State {
    kAwaitGreeting,
    kAwaitEhlo,
    kAwaitHelo,
    kAwaitStartTls,
    kAwaitTls,
    kAwaitXclient,
    kAwaitEhloAfterXclient,
    kAwaitAuth,
    kReady,
    kFailed,
    kHandedOver,
  };
  using Outcome = std::optional<UpstreamEvent>;  // nothing: read on

  Outcome OnReply(SmtpReply reply);
  Outcome OnGreeting(const SmtpReply& reply);
  Outcome OnEhlo(SmtpReply reply);
  Outcome OnHelo(const SmtpReply& reply);
  Outcome OnStartTls(const SmtpReply& reply);
  Outcome OnXclient(const SmtpReply& reply);
  Outcome OnAuth(const SmtpReply& reply);

  Outcome AfterEhlo();
  Outcome BeginXclient();
  Outcome BeginLogin();
  Outcome BeginAuth();
  Outcome BeginAuthLogin();
  Outcome AnswerChallenge(std::string_view challenge);
  Outcome Ready();

  Outcome AskEhlo(State next);
  Outcome Ask(std::initializer_list<std::string_view> command, State next);
  Outcome Refused(const SmtpReply& reply);
  bool FallsBackToHelo(const SmtpReply& reply) const;
  Outcome Unlike(std::string_view expected);
  Outcome Fail(LoginRefusal::Kind refusal, Failure::Kind kind,
               std::string_view text);
  bool OffersMechanism(std::string_view mechanism) const;
  bool XclientWanted() const;

  const Dialect dialect_;
  UpstreamOptions options_;
  State state_ = State::kAwaitGreeting;
  SmtpReplyReader reader_;
  std::string output_;
  bool eof_ = false;
  SmtpKeywordLines offered_;
  // Base64 answers that the server has yet to ask for, in their order.
  Secret next_response_, last_response_;
  std::string sasl_challenge_;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_PROTOCOL_SMTP_SMTP_UPSTREAM_H_
