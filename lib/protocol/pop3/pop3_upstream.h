#ifndef GATEHOUSE_LIB_PROTOCOL_POP3_POP3_UPSTREAM_H_
#define GATEHOUSE_LIB_PROTOCOL_POP3_POP3_UPSTREAM_H_

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/protocol/buffered_machine.h"

namespace gatehouse {

// Logs in to a POP3 store: greeting, STLS where asked for, CAPA, XCLIENT, UTF8,
// then AUTH (RFC 5034) where the store offers the mechanism, else USER and PASS
// (RFC 1939 §7).
//
// Where the mechanism is expected of all stores, CAPA is asked only when AUTH
// was refused without a reason: the mechanism, or the password?
//
// One command at a time: what the store sends before it is asked is a protocol
// error, so neither an injected reply (RFC 2595 §4, CVE-2021-38371) nor a
// doubled greeting is ever taken for an answer. QUIT is only said by a probe,
// before any login: after one it would delete mail.
//
// `UpstreamReady::capabilities` are the store's CAPA lines before login, if it
// was asked.
class Pop3Upstream final : public BufferedMachine<UpstreamMachine> {
 public:
  explicit Pop3Upstream(UpstreamOptions options);

  bool input_wanted() const override;
  std::string_view StateName() const override;
  UpstreamEvent Next() override;
  void TlsEstablished() override;

 private:
  enum class State {
    kAwaitGreeting,
    kAwaitStls,
    kAwaitTls,
    kAwaitCapa,
    kAwaitCapaLine,
    kAwaitXclient,
    kAwaitUtf8,
    kAwaitAuth,
    kAwaitUser,
    kAwaitPass,
    kReady,
    kFailed,
  };
  using Outcome = std::optional<UpstreamEvent>;  // nothing: read on
  struct Reply;

  bool logged_in() const override { return state_ == State::kReady; }

  Outcome OnLine(std::string_view line);
  Outcome OnGreeting(const Reply& reply);
  Outcome OnStls(const Reply& reply);
  Outcome OnCapa(const Reply& reply);
  Outcome OnCapaLine(std::string_view line);
  Outcome OnXclient(const Reply& reply);
  Outcome OnUtf8(const Reply& reply);
  Outcome OnAuth(const Reply& reply);
  Outcome OnUnexplained(const Reply& reply);
  Outcome OnUser(const Reply& reply);
  Outcome OnPass(const Reply& reply);

  Outcome BeforeLogin();
  Outcome AfterCapa();
  Outcome TellClient();
  Outcome AfterXclient();
  Outcome BeginLogin();
  Outcome BeginAuth();
  Outcome BeginUserPass();
  Outcome AnswerChallenge(std::string_view challenge);
  Outcome Ready();

  Outcome Ask(std::initializer_list<std::string_view> command, State next);
  Outcome Refused(const Reply& reply);
  Outcome Unlike(std::string_view expected);
  Outcome Fail(LoginRefusal::Kind refusal, Failure::Kind kind,
               std::string_view text);
  bool Offers(std::string_view capability) const;
  bool OffersMechanism(std::string_view mechanism) const;

  UpstreamOptions options_;
  State state_ = State::kAwaitGreeting;
  bool xclient_offered_ = false;
  std::vector<std::string> capabilities_;
  size_t capability_bytes_ = 0;
  bool trusting_ = false;    // going by what is expected, not by capabilities_
  std::string unexplained_;  // the text that refused AUTH, while CAPA is asked
  Secret sasl_response_;     // base64, where it didn't fit beside AUTH
  std::string sasl_challenge_;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_PROTOCOL_POP3_POP3_UPSTREAM_H_
