// Rules: RFC 5321 §3.1, §4.1.1.1 (greeting, EHLO), §4.2 (replies); RFC 2033
// §4.1 (LHLO); RFC 3207 §4 (STARTTLS); RFC 4954 §4 and §6 (AUTH and its
// codes); RFC 3463 (enhanced codes); postfix.org/XCLIENT_README.
//
//   greeting -> EHLO -> [STARTTLS -> TLS -> EHLO] -> [XCLIENT -> EHLO]
//            -> [AUTH] -> ready
//   greeting -> EHLO (unknown to the server) -> HELO -> ready

#include "lib/protocol/smtp/smtp_upstream.h"

#include <algorithm>
#include <utility>

#include "lib/base/check.h"
#include "lib/protocol/sasl.h"
#include "lib/protocol/smtp/smtp_xclient.h"

namespace gatehouse {
namespace {

// RFC 4954 §4: with an initial response AUTH must not become longer, CRLF
// included.
constexpr size_t kLongestCommandBytes = 512;
// How much of the server's text goes into our log.
constexpr size_t kLoggedTextBytes = 200;

constexpr int kServiceReady = 220;
constexpr int kOk = 250;
constexpr int kUnknownCommand = 500;
constexpr int kCommandNotImplemented = 502;
constexpr int kAuthenticated = 235;
constexpr int kChallenge = 334;

}  // namespace

SmtpUpstream::SmtpUpstream(Dialect dialect, UpstreamOptions options)
    : dialect_(dialect),
      options_(std::move(options)),
      reader_(options_.line_bytes) {}

void SmtpUpstream::Feed(std::string_view bytes) {
  GATEHOUSE_CHECK(state_ != State::kHandedOver, "handed over");
  reader_.Feed(bytes);
}

void SmtpUpstream::FeedEof() {
  GATEHOUSE_CHECK(state_ != State::kHandedOver, "handed over");
  eof_ = true;
}

bool SmtpUpstream::input_wanted() const {
  return reader_.unread_bytes() <= options_.line_bytes;
}

std::string SmtpUpstream::TakeOutput() { return std::exchange(output_, ""); }

std::string SmtpUpstream::TakeTrailing() {
  GATEHOUSE_CHECK(state_ == State::kReady, "no login to hand over");
  state_ = State::kHandedOver;
  return reader_.TakeUnread();
}

std::string_view SmtpUpstream::StateName() const {
  switch (state_) {
    case State::kAwaitGreeting:
      return "AwaitGreeting";
    case State::kAwaitEhlo:
      return "AwaitEhlo";
    case State::kAwaitHelo:
      return "AwaitHelo";
    case State::kAwaitStartTls:
      return "AwaitStartTls";
    case State::kAwaitTls:
      return "AwaitTls";
    case State::kAwaitXclient:
      return "AwaitXclient";
    case State::kAwaitEhloAfterXclient:
      return "AwaitEhloAfterXclient";
    case State::kAwaitAuth:
      return "AwaitAuth";
    case State::kReady:
      return "Ready";
    case State::kFailed:
      return "Failed";
    case State::kHandedOver:
      return "HandedOver";
  }
  return "";
}

UpstreamEvent SmtpUpstream::Next() {
  while (state_ < State::kReady && state_ != State::kAwaitTls) {
    SmtpReply reply;
    switch (reader_.Next(reply)) {
      case SmtpReplyReader::Status::kReply:
        if (Outcome outcome = OnReply(std::move(reply))) {
          return std::move(*outcome);
        }
        continue;
      case SmtpReplyReader::Status::kBroken:
        return *Unlike("an SMTP reply");
      case SmtpReplyReader::Status::kNeedData:
        if (!eof_) return NeedData();
        return *Fail(LoginRefusal::Kind::kUnavailable, Failure::Kind::kReset,
                     "closed before the login was answered");
    }
  }
  return NeedData();
}

SmtpUpstream::Outcome SmtpUpstream::OnReply(SmtpReply reply) {
  switch (state_) {
    case State::kAwaitGreeting:
      return OnGreeting(reply);
    case State::kAwaitEhlo:
    case State::kAwaitEhloAfterXclient:
      return OnEhlo(std::move(reply));
    case State::kAwaitHelo:
      return OnHelo(reply);
    case State::kAwaitStartTls:
      return OnStartTls(reply);
    case State::kAwaitXclient:
      return OnXclient(reply);
    case State::kAwaitAuth:
      return OnAuth(reply);
    default:
      return std::nullopt;
  }
}

// --- Before the login --------------------------------------------------------

SmtpUpstream::Outcome SmtpUpstream::OnGreeting(const SmtpReply& reply) {
  if (reply.temporary() || reply.permanent()) {
    return Fail(LoginRefusal::Kind::kUnavailable, Failure::Kind::kRefused,
                "refused in its greeting: " + Summary(reply));
  }
  if (reply.code != kServiceReady) return Unlike("a greeting");
  return AskEhlo(State::kAwaitEhlo);
}

SmtpUpstream::Outcome SmtpUpstream::AskEhlo(State next) {
  const std::string_view verb = dialect_ == Dialect::kLmtp ? "LHLO " : "EHLO ";
  return Ask({verb, options_.host_name}, next);
}

SmtpUpstream::Outcome SmtpUpstream::OnEhlo(SmtpReply reply) {
  if (FallsBackToHelo(reply)) {
    return Ask({"HELO ", options_.host_name}, State::kAwaitHelo);
  }
  if (reply.temporary() || reply.permanent()) {
    return Fail(LoginRefusal::Kind::kUnavailable, Failure::Kind::kRefused,
                "refused EHLO: " + Summary(reply));
  }
  if (reply.code != kOk) return Unlike("an answer to EHLO");
  // The first line greets, the others hold a keyword each.
  reply.lines.erase(reply.lines.begin());
  offered_ = std::move(reply.lines);
  if (options_.start_tls && !options_.tls_active) {
    return Ask({"STARTTLS"}, State::kAwaitStartTls);
  }
  return AfterEhlo();
}

// RFC 5321 §3.2: where the command isn't known, and nothing is wanted that EHLO
// alone can offer. Whoever stands between us and a server can answer EHLO so:
// TLS and AUTH aren't given up for that. LMTP has no HELO (RFC 2033 §4.1).
bool SmtpUpstream::FallsBackToHelo(const SmtpReply& reply) const {
  using Method = UpstreamLogin::Method;
  const bool unknown =
      reply.code == kUnknownCommand || reply.code == kCommandNotImplemented;
  const bool needs_ehlo = (options_.start_tls && !options_.tls_active) ||
                          (options_.login.method != Method::kNone &&
                           options_.login.method != Method::kProbe);
  return unknown && !needs_ehlo && dialect_ == Dialect::kSmtp &&
         state_ == State::kAwaitEhlo;
}

SmtpUpstream::Outcome SmtpUpstream::OnHelo(const SmtpReply& reply) {
  if (reply.temporary() || reply.permanent()) {
    return Fail(LoginRefusal::Kind::kUnavailable, Failure::Kind::kRefused,
                "refused HELO: " + Summary(reply));
  }
  if (reply.code != kOk) return Unlike("an answer to HELO");
  offered_.clear();  // also what was offered before TLS
  return AfterEhlo();
}

SmtpUpstream::Outcome SmtpUpstream::OnStartTls(const SmtpReply& reply) {
  if (reply.code != kServiceReady) {
    return Fail(LoginRefusal::Kind::kUnavailable, Failure::Kind::kTls,
                "refused STARTTLS: " + Summary(reply));
  }
  // What follows in plaintext was injected, or is from a server that doesn't
  // know what it does.
  if (!reader_.empty()) return Unlike("TLS");
  state_ = State::kAwaitTls;
  return StartTls();
}

void SmtpUpstream::TlsEstablished() {
  GATEHOUSE_CHECK(state_ == State::kAwaitTls, "TLS wasn't asked for");
  options_.tls_active = true;
  AskEhlo(State::kAwaitEhlo);
}

SmtpUpstream::Outcome SmtpUpstream::AfterEhlo() {
  if (options_.login.method == UpstreamLogin::Method::kProbe) {
    if (!reader_.empty()) return Unlike("a question before an answer");
    output_ += "QUIT\r\n";
    return Ready();
  }
  if (state_ == State::kAwaitEhlo && XclientWanted()) return BeginXclient();
  return BeginLogin();
}

bool SmtpUpstream::XclientWanted() const {
  if (options_.login.method == UpstreamLogin::Method::kXclient) return true;
  return options_.forward_client &&
         FindSmtpKeyword(offered_, "XCLIENT") != nullptr;
}

SmtpUpstream::Outcome SmtpUpstream::BeginXclient() {
  std::string_view user;
  if (options_.login.method == UpstreamLogin::Method::kXclient) {
    if (!HasSmtpParameter(offered_, "XCLIENT", "LOGIN")) {
      return Fail(LoginRefusal::Kind::kContactAdmin,
                  Failure::Kind::kConfiguration,
                  "doesn't offer us XCLIENT with LOGIN");
    }
    user = options_.login.user;
  }
  return Ask({SmtpXclient(options_.client, user, offered_)},
             State::kAwaitXclient);
}

// The server begins anew, as the other client's server: it greets again.
SmtpUpstream::Outcome SmtpUpstream::OnXclient(const SmtpReply& reply) {
  // Going on would give the server our own address for the client's.
  if (!reply.positive()) {
    return Fail(LoginRefusal::Kind::kUnavailable, Failure::Kind::kRefused,
                "refused XCLIENT: " + Summary(reply));
  }
  return AskEhlo(State::kAwaitEhloAfterXclient);
}

// --- The login ---------------------------------------------------------------

SmtpUpstream::Outcome SmtpUpstream::BeginLogin() {
  const UpstreamLogin& login = options_.login;
  switch (login.method) {
    case UpstreamLogin::Method::kProbe:
    case UpstreamLogin::Method::kNone:
    case UpstreamLogin::Method::kXclient:
      return Ready();
    case UpstreamLogin::Method::kToken:
    case UpstreamLogin::Method::kMasterUser:
      return BeginAuth();
    case UpstreamLogin::Method::kPassword:
      break;
  }
  if (!OffersMechanism("PLAIN") && OffersMechanism("LOGIN")) {
    return BeginAuthLogin();
  }
  return BeginAuth();
}

SmtpUpstream::Outcome SmtpUpstream::BeginAuth() {
  const std::string_view mechanism = UpstreamMechanism(options_.login);
  if (!OffersMechanism(mechanism)) {
    return Fail(LoginRefusal::Kind::kContactAdmin,
                Failure::Kind::kConfiguration,
                "doesn't offer SASL " + std::string(mechanism));
  }
  Secret response = EncodeBase64(UpstreamMessage(options_.login));
  if (response.empty()) response = Secret("=");
  const size_t command_bytes = std::string_view("AUTH  \r\n").size() +
                               mechanism.size() + response.Reveal().size();
  if (command_bytes <= kLongestCommandBytes) {
    return Ask({"AUTH ", mechanism, " ", response.Reveal()}, State::kAwaitAuth);
  }
  next_response_ = std::move(response);
  return Ask({"AUTH ", mechanism}, State::kAwaitAuth);
}

SmtpUpstream::Outcome SmtpUpstream::BeginAuthLogin() {
  next_response_ = Secret(EncodeBase64(options_.login.user));
  last_response_ = EncodeBase64(options_.login.secret);
  return Ask({"AUTH LOGIN"}, State::kAwaitAuth);
}

SmtpUpstream::Outcome SmtpUpstream::OnAuth(const SmtpReply& reply) {
  if (reply.code == kAuthenticated) return Ready();
  if (reply.temporary() || reply.permanent()) return Refused(reply);
  if (reply.code == kChallenge && reply.lines.size() == 1) {
    return AnswerChallenge(reply.lines.front());
  }
  return Unlike("an answer to AUTH");
}

SmtpUpstream::Outcome SmtpUpstream::AnswerChallenge(
    std::string_view challenge) {
  if (!next_response_.empty()) {
    const Secret response = std::move(next_response_);
    next_response_ = std::move(last_response_);
    return Ask({response.Reveal()}, State::kAwaitAuth);
  }
  // A password is told once; a token's second step tells why it was refused.
  if (options_.login.method != UpstreamLogin::Method::kToken ||
      !sasl_challenge_.empty() || challenge.empty()) {
    return Unlike("the end of AUTH");
  }
  sasl_challenge_ = DecodeBase64(challenge).value_or("");
  return Ask({TokenErrorResponse(options_.login.token_mechanism)},
             State::kAwaitAuth);
}

SmtpUpstream::Outcome SmtpUpstream::Ready() {
  state_ = State::kReady;
  options_.login.secret.Wipe();
  return UpstreamReady{std::move(offered_)};
}

// --- One command at a time, and what goes wrong ------------------------------

SmtpUpstream::Outcome SmtpUpstream::Ask(
    std::initializer_list<std::string_view> command, State next) {
  if (!reader_.empty()) return Unlike("a question before an answer");
  AppendLine(output_, command);
  state_ = next;
  return std::nullopt;
}

SmtpUpstream::Outcome SmtpUpstream::Refused(const SmtpReply& reply) {
  using Kind = LoginRefusal::Kind;
  Kind kind = Kind::kContactAdmin;  // AUTH isn't known, or not so, or not here
  if (reply.temporary()) {
    kind = Kind::kUnavailable;
  } else if (reply.enhanced == "5.2.2") {
    kind = Kind::kOverQuota;
  } else if (reply.code == 535) {
    kind = Kind::kCredentials;
  }
  std::string text = "refused the login";
  const std::string summary = Summary(reply);
  if (!RepeatsSecret(summary, options_.login)) text += ": " + summary;
  Outcome outcome = Fail(kind, Failure::Kind::kRefused, text);
  std::get<UpstreamFailed>(*outcome).refusal.sasl_challenge =
      std::move(sasl_challenge_);
  return outcome;
}

SmtpUpstream::Outcome SmtpUpstream::Unlike(std::string_view expected) {
  return Fail(
      LoginRefusal::Kind::kUnavailable, Failure::Kind::kProtocol,
      "expected " + std::string(expected) + " in " + std::string(StateName()));
}

SmtpUpstream::Outcome SmtpUpstream::Fail(LoginRefusal::Kind refusal,
                                         Failure::Kind kind,
                                         std::string_view text) {
  state_ = State::kFailed;
  options_.login.secret.Wipe();
  UpstreamFailed failed;
  failed.refusal.kind = refusal;
  failed.failure = Failure{Failure::Side::kUpstream, kind, Failure::Retry::kNo,
                           std::string(text.substr(0, kLoggedTextBytes))};
  return failed;
}

bool SmtpUpstream::OffersMechanism(std::string_view mechanism) const {
  return HasSmtpParameter(offered_, "AUTH", mechanism);
}

}  // namespace gatehouse
