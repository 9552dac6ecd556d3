// Rules: RFC 5804 §1.3 (response codes), §1.6 and §1.7 (greeting), §2.1
// (AUTHENTICATE), §2.2 (STARTTLS).
//
//   greeting -> [STARTTLS -> TLS -> greeting] -> [XCLIENT] -> AUTHENTICATE
//            -> ready

#include "lib/protocol/sieve/sieve_upstream.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "lib/base/check.h"
#include "lib/base/string_bridge.h"
#include "lib/protocol/capability_words.h"
#include "lib/protocol/dovecot_xclient.h"
#include "lib/protocol/sasl.h"

namespace gatehouse {
namespace {

// How much of the store's text goes into our log.
constexpr size_t kLoggedTextBytes = 200;

bool EqualsIgnoringCase(std::string_view a, std::string_view b) {
  return absl::EqualsIgnoreCase(ToAbsl(a), ToAbsl(b));
}

}  // namespace

// `OK (CODE "x") "text"`; kOther where the words are none of OK, NO, BYE.
struct SieveUpstream::Reply {
  enum class Kind { kOk, kNo, kBye, kOther };

  explicit Reply(const Words& words) {
    if (words.empty()) return;
    kind = words[0].Is("OK")    ? Kind::kOk
           : words[0].Is("NO")  ? Kind::kNo
           : words[0].Is("BYE") ? Kind::kBye
                                : Kind::kOther;
    if (words.size() > 2 && words[1].kind == SieveWord::Kind::kOpen) {
      code = words[2].text.Reveal();
    }
    if (words.back().IsString()) text = words.back().text.Reveal();
  }
  bool ok() const { return kind == Kind::kOk; }
  bool refuses() const { return kind == Kind::kNo || kind == Kind::kBye; }

  Kind kind = Kind::kOther;
  std::string_view code;
  std::string_view text;
};

SieveUpstream::SieveUpstream(UpstreamOptions options)
    : options_(std::move(options)),
      parser_(options_.line_bytes, options_.line_bytes) {}

bool SieveUpstream::input_wanted() const {
  return input_.size() <= options_.line_bytes;
}

std::string_view SieveUpstream::StateName() const {
  switch (state_) {
    case State::kAwaitGreeting:
      return "AwaitGreeting";
    case State::kAwaitStartTls:
      return "AwaitStartTls";
    case State::kAwaitTls:
      return "AwaitTls";
    case State::kAwaitXclient:
      return "AwaitXclient";
    case State::kAwaitAuthenticate:
      return "AwaitAuthenticate";
    case State::kReady:
      return "Ready";
    case State::kFailed:
      return "Failed";
  }
  return "";
}

UpstreamEvent SieveUpstream::Next() {
  Words words;
  while (state_ < State::kReady && state_ != State::kAwaitTls) {
    Outcome outcome;
    switch (parser_.Next(input_, words)) {
      case SieveParser::Status::kNeedData:
        if (!eof_) return NeedData();
        outcome = Fail(LoginRefusal::Kind::kUnavailable, Failure::Kind::kReset,
                       "closed before the login was answered");
        break;
      case SieveParser::Status::kTooLong:
        outcome = Unlike("a shorter line");
        break;
      case SieveParser::Status::kBadLine:
        outcome = Unlike("ManageSieve's syntax");
        break;
      case SieveParser::Status::kLine:
        outcome = OnLine(words);
        break;
    }
    if (outcome) return std::move(*outcome);
  }
  return NeedData();
}

SieveUpstream::Outcome SieveUpstream::OnLine(const Words& words) {
  switch (state_) {
    case State::kAwaitGreeting:
      return OnGreeting(words);
    case State::kAwaitStartTls:
      return OnStartTls(Reply(words));
    case State::kAwaitXclient:
      return OnXclient(Reply(words));
    case State::kAwaitAuthenticate:
      return OnAuthenticate(words);
    default:
      return std::nullopt;
  }
}

// --- Before the login --------------------------------------------------------

SieveUpstream::Outcome SieveUpstream::OnGreeting(const Words& words) {
  if (!words.empty() && words[0].IsString()) return OnCapability(words);
  const Reply reply(words);
  if (reply.refuses()) {
    return Fail(LoginRefusal::Kind::kUnavailable, Failure::Kind::kRefused,
                "refused in its greeting");
  }
  // §1.7: a greeting without these two is some other protocol's.
  if (!reply.ok() || !Offered("IMPLEMENTATION") || !Offered("SIEVE")) {
    return Unlike("a ManageSieve greeting");
  }
  return AfterGreeting();
}

SieveUpstream::Outcome SieveUpstream::OnCapability(const Words& words) {
  if (words.size() > 2 || !words.back().IsString()) {
    return Unlike("a capability");
  }
  std::string capability(words[0].text.Reveal());
  if (words.size() == 2 && !words[1].text.empty()) {
    capability.append(" ").append(words[1].text.Reveal());
  }
  capability_bytes_ += capability.size() + 1;
  if (capability_bytes_ > options_.unasked_bytes) {
    return Unlike("the end of its capabilities");
  }
  capabilities_.push_back(std::move(capability));
  return std::nullopt;
}

SieveUpstream::Outcome SieveUpstream::AfterGreeting() {
  if (options_.start_tls && !options_.tls_active) {
    if (Offered("STARTTLS")) return Ask("STARTTLS", State::kAwaitStartTls);
    return Fail(LoginRefusal::Kind::kUnavailable, Failure::Kind::kTls,
                "doesn't offer STARTTLS");
  }
  if (options_.login.method == UpstreamLogin::Method::kProbe) {
    if (Outcome early = Ask("LOGOUT", State::kReady)) return early;
    return Ready();
  }
  if (options_.forward_client && Offered("XCLIENT")) {
    return Ask(DovecotXclient(options_.client, options_.proxy_ttl),
               State::kAwaitXclient);
  }
  return BeginAuthenticate();
}

SieveUpstream::Outcome SieveUpstream::OnStartTls(const Reply& reply) {
  if (!reply.ok()) {
    return Fail(LoginRefusal::Kind::kUnavailable, Failure::Kind::kTls,
                "refused STARTTLS");
  }
  // What follows in plaintext was injected, or is from a store that doesn't
  // know what it does.
  if (!input_.empty()) return Unlike("TLS");
  state_ = State::kAwaitTls;
  return StartTls();
}

void SieveUpstream::TlsEstablished() {
  GATEHOUSE_CHECK(state_ == State::kAwaitTls, "TLS wasn't asked for");
  options_.tls_active = true;
  capabilities_.clear();
  capability_bytes_ = 0;
  state_ = State::kAwaitGreeting;
}

SieveUpstream::Outcome SieveUpstream::OnXclient(const Reply& reply) {
  // Going on would give the store our own address for the client's.
  if (!reply.ok()) {
    return Fail(LoginRefusal::Kind::kUnavailable, Failure::Kind::kRefused,
                "refused XCLIENT");
  }
  return BeginAuthenticate();
}

// --- The login ---------------------------------------------------------------

SieveUpstream::Outcome SieveUpstream::BeginAuthenticate() {
  const UpstreamLogin& login = options_.login;
  GATEHOUSE_CHECK(login.has_secret(), "only SMTP has such a login");
  const std::string_view mechanism = UpstreamMechanism(login);
  if (!HoldsWord(SplitWords(Offered("SASL").value_or("")), mechanism)) {
    return Fail(LoginRefusal::Kind::kContactAdmin,
                Failure::Kind::kConfiguration,
                "doesn't offer SASL " + std::string(mechanism));
  }
  const Secret response = EncodeBase64(UpstreamMessage(login));
  std::string command;
  // Reserved, so that no copy of a secret stays behind in memory.
  command.reserve(response.Reveal().size() + mechanism.size() + 64);
  command.append("AUTHENTICATE \"").append(mechanism).append("\" ");
  AppendSieveString(response.Reveal(), SieveSender::kClient, command);
  return Ask(std::move(command), State::kAwaitAuthenticate);
}

SieveUpstream::Outcome SieveUpstream::OnAuthenticate(const Words& words) {
  if (words.size() == 1 && words[0].IsString()) {
    return AnswerChallenge(words[0].text.Reveal());
  }
  const Reply reply(words);
  if (reply.ok()) return Ready();
  if (reply.refuses()) return Refused(reply);
  return Unlike("an answer to AUTHENTICATE");
}

SieveUpstream::Outcome SieveUpstream::AnswerChallenge(
    std::string_view challenge) {
  // PLAIN has one step; a token's second one tells why it was refused.
  if (options_.login.method != UpstreamLogin::Method::kToken ||
      !sasl_challenge_.empty() || challenge.empty()) {
    return Unlike("the end of AUTHENTICATE");
  }
  sasl_challenge_ = DecodeBase64(challenge).value_or("");
  std::string answer;
  AppendSieveString(TokenErrorResponse(options_.login.token_mechanism),
                    SieveSender::kClient, answer);
  return Ask(std::move(answer), State::kAwaitAuthenticate);
}

SieveUpstream::Outcome SieveUpstream::Ready() {
  state_ = State::kReady;
  options_.login.secret.Wipe();
  return UpstreamReady{std::move(capabilities_)};
}

// --- One command at a time, and what goes wrong ------------------------------

SieveUpstream::Outcome SieveUpstream::Ask(std::string command, State next) {
  if (!input_.empty()) {
    WipeString(command);
    return Unlike("a question before an answer");
  }
  AppendLine(output_, {command});
  WipeString(command);
  state_ = next;
  return std::nullopt;
}

SieveUpstream::Outcome SieveUpstream::Refused(const Reply& reply) {
  struct Meaning {
    std::string_view code;
    LoginRefusal::Kind kind;
  };
  static constexpr Meaning kMeanings[] = {
      {"TRYLATER", LoginRefusal::Kind::kUnavailable},
      {"QUOTA", LoginRefusal::Kind::kOverQuota},
      // The operator's settings for this leg and the store's don't agree.
      {"ENCRYPT-NEEDED", LoginRefusal::Kind::kContactAdmin},
      {"AUTH-TOO-WEAK", LoginRefusal::Kind::kContactAdmin},
      {"TRANSITION-NEEDED", LoginRefusal::Kind::kContactAdmin},
      {"REFERRAL", LoginRefusal::Kind::kContactAdmin},
  };
  // BYE: the store closes, whoever the user is.
  LoginRefusal::Kind kind = reply.kind == Reply::Kind::kBye
                                ? LoginRefusal::Kind::kUnavailable
                                : LoginRefusal::Kind::kCredentials;
  const std::string_view code = reply.code.substr(0, reply.code.find('/'));
  for (const Meaning& meaning : kMeanings) {
    if (EqualsIgnoringCase(code, meaning.code)) kind = meaning.kind;
  }
  std::string text = "refused the login";
  if (!RepeatsSecret(reply.text, options_.login)) {
    text.append(": ").append(reply.text.substr(0, kLoggedTextBytes));
  }
  Outcome outcome = Fail(kind, Failure::Kind::kRefused, text);
  std::get<UpstreamFailed>(*outcome).refusal.sasl_challenge =
      std::move(sasl_challenge_);
  return outcome;
}

SieveUpstream::Outcome SieveUpstream::Unlike(std::string_view expected) {
  return Fail(
      LoginRefusal::Kind::kUnavailable, Failure::Kind::kProtocol,
      "expected " + std::string(expected) + " in " + std::string(StateName()));
}

SieveUpstream::Outcome SieveUpstream::Fail(LoginRefusal::Kind refusal,
                                           Failure::Kind kind,
                                           std::string_view text) {
  state_ = State::kFailed;
  options_.login.secret.Wipe();
  UpstreamFailed failed;
  failed.refusal.kind = refusal;
  failed.failure = Failure{Failure::Side::kUpstream, kind, Failure::Retry::kNo,
                           std::string(text)};
  return failed;
}

// The capability's value, "" where it has none.
std::optional<std::string_view> SieveUpstream::Offered(
    std::string_view capability) const {
  for (const std::string_view line : capabilities_) {
    const size_t space = std::min(line.find(' '), line.size());
    if (!EqualsIgnoringCase(line.substr(0, space), capability)) continue;
    return line.substr(std::min(space + 1, line.size()));
  }
  return std::nullopt;
}

}  // namespace gatehouse
