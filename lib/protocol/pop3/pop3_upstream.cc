// Rules: RFC 1939 §3 (replies), §7 (USER, PASS); RFC 2449 §4 (line lengths), §8
// (response codes); RFC 2595 §4 (STLS); RFC 3206 (AUTH, SYS/TEMP, SYS/PERM);
// RFC 5034 §4 (AUTH); RFC 6856 §2.1 (UTF8).
//
//   greeting -> [STLS -> TLS] -> [CAPA] -> [XCLIENT] -> [UTF8]
//            -> AUTH [-> CAPA] | USER -> PASS -> ready

#include "lib/protocol/pop3/pop3_upstream.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "lib/base/check.h"
#include "lib/base/string_bridge.h"
#include "lib/protocol/dovecot_xclient.h"
#include "lib/protocol/sasl.h"

namespace gatehouse {
namespace {

// RFC 2449 §4: a command line, CRLF included. RFC 5034 §4 forbids an initial
// response that would make AUTH longer.
constexpr size_t kLongestCommandBytes = 255;
// How much of the store's text goes into our log.
constexpr size_t kLoggedTextBytes = 200;

bool EqualsIgnoringCase(std::string_view a, std::string_view b) {
  return absl::EqualsIgnoreCase(ToAbsl(a), ToAbsl(b));
}

std::string_view TakeWord(std::string_view& text) {
  const size_t space = std::min(text.find(' '), text.size());
  const std::string_view word = text.substr(0, space);
  text.remove_prefix(std::min(space + 1, text.size()));
  return word;
}

// A refusal's reason, where its code tells it.
std::optional<LoginRefusal::Kind> MeaningOf(std::string_view code) {
  struct Meaning {
    std::string_view code;
    LoginRefusal::Kind kind;
  };
  static constexpr Meaning kMeanings[] = {
      {"AUTH", LoginRefusal::Kind::kCredentials},
      {"SYS/TEMP", LoginRefusal::Kind::kUnavailable},
      {"SYS/PERM", LoginRefusal::Kind::kContactAdmin},
      {"IN-USE", LoginRefusal::Kind::kInUse},
      {"LOGIN-DELAY", LoginRefusal::Kind::kLoginDelay},
  };
  for (const Meaning& known : kMeanings) {
    if (EqualsIgnoringCase(code, known.code)) return known.kind;
  }
  return std::nullopt;
}

// What USER and PASS can carry: the session has refused control characters
// already, but a canonical name comes from the directory.
bool FitsCommand(std::string_view text) {
  return std::none_of(text.begin(), text.end(),
                      [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

}  // namespace

// A status line: "+OK text", "-ERR [code] text", or "+ challenge".
struct Pop3Upstream::Reply {
  enum class Kind { kOk, kErr, kChallenge, kOther };

  explicit Reply(std::string_view line) : text(line) {
    const std::string_view status = TakeWord(text);
    kind = status == "+OK"    ? Kind::kOk
           : status == "-ERR" ? Kind::kErr
           : status == "+"    ? Kind::kChallenge
                              : Kind::kOther;
    const size_t close = text.find(']');
    if (text.starts_with('[') && close != std::string_view::npos) {
      code = text.substr(1, close - 1);
    }
  }
  bool ok() const { return kind == Kind::kOk; }

  Kind kind = Kind::kOther;
  std::string_view text;
  std::string_view code;
};

Pop3Upstream::Pop3Upstream(UpstreamOptions options)
    : options_(std::move(options)) {}

bool Pop3Upstream::input_wanted() const {
  return input_.size() <= options_.line_bytes;
}

std::string_view Pop3Upstream::StateName() const {
  switch (state_) {
    case State::kAwaitGreeting:
      return "AwaitGreeting";
    case State::kAwaitStls:
      return "AwaitStls";
    case State::kAwaitTls:
      return "AwaitTls";
    case State::kAwaitCapa:
      return "AwaitCapa";
    case State::kAwaitCapaLine:
      return "AwaitCapaLine";
    case State::kAwaitXclient:
      return "AwaitXclient";
    case State::kAwaitUtf8:
      return "AwaitUtf8";
    case State::kAwaitAuth:
      return "AwaitAuth";
    case State::kAwaitUser:
      return "AwaitUser";
    case State::kAwaitPass:
      return "AwaitPass";
    case State::kReady:
      return "Ready";
    case State::kFailed:
      return "Failed";
  }
  return "";
}

UpstreamEvent Pop3Upstream::Next() {
  while (state_ < State::kReady && state_ != State::kAwaitTls) {
    const std::string_view bytes = input_.bytes();
    const size_t end = bytes.find("\r\n");
    if (std::min(end, bytes.size()) > options_.line_bytes) {
      return *Fail(LoginRefusal::Kind::kUnavailable, Failure::Kind::kProtocol,
                   "a reply line is too long");
    }
    if (end == std::string_view::npos) {
      if (!eof_) return NeedData();
      if (!unexplained_.empty()) return *Refused(Reply(unexplained_));
      return *Fail(LoginRefusal::Kind::kUnavailable, Failure::Kind::kReset,
                   "closed before the login was answered");
    }
    const std::string line(bytes.substr(0, end));
    input_.Consume(end + 2);
    if (Outcome outcome = OnLine(line)) return std::move(*outcome);
  }
  return NeedData();
}

Pop3Upstream::Outcome Pop3Upstream::OnLine(std::string_view line) {
  switch (state_) {
    case State::kAwaitGreeting:
      return OnGreeting(Reply(line));
    case State::kAwaitStls:
      return OnStls(Reply(line));
    case State::kAwaitCapa:
      return OnCapa(Reply(line));
    case State::kAwaitCapaLine:
      return OnCapaLine(line);
    case State::kAwaitXclient:
      return OnXclient(Reply(line));
    case State::kAwaitUtf8:
      return OnUtf8(Reply(line));
    case State::kAwaitAuth:
      return OnAuth(Reply(line));
    case State::kAwaitUser:
      return OnUser(Reply(line));
    case State::kAwaitPass:
      return OnPass(Reply(line));
    default:
      return std::nullopt;
  }
}

// --- Before the login --------------------------------------------------------

Pop3Upstream::Outcome Pop3Upstream::OnGreeting(const Reply& reply) {
  if (reply.kind == Reply::Kind::kErr) {
    return Fail(LoginRefusal::Kind::kUnavailable, Failure::Kind::kRefused,
                "refused in its greeting");
  }
  if (!reply.ok()) return Unlike("a POP3 greeting");
  // Dovecot tells a trusted front end so in its greeting.
  xclient_offered_ = EqualsIgnoringCase(reply.code, "XCLIENT");
  if (options_.start_tls && !options_.tls_active) {
    return Ask({"STLS"}, State::kAwaitStls);
  }
  return BeforeLogin();
}

Pop3Upstream::Outcome Pop3Upstream::OnStls(const Reply& reply) {
  if (!reply.ok()) {
    return Fail(LoginRefusal::Kind::kUnavailable, Failure::Kind::kTls,
                "refused STLS");
  }
  // What follows in plaintext was injected, or is from a store that doesn't
  // know what it does.
  if (!input_.empty()) return Unlike("TLS");
  state_ = State::kAwaitTls;
  return StartTls();
}

void Pop3Upstream::TlsEstablished() {
  GATEHOUSE_CHECK(state_ == State::kAwaitTls, "TLS wasn't asked for");
  options_.tls_active = true;
  BeforeLogin();
}

Pop3Upstream::Outcome Pop3Upstream::BeforeLogin() {
  // Whether XCLIENT is offered must be known of this very store.
  trusting_ = options_.expected_capabilities != nullptr &&
              options_.login.has_secret() &&
              (!options_.forward_client || xclient_offered_);
  trusting_ = trusting_ && OffersMechanism(UpstreamMechanism(options_.login));
  return trusting_ ? TellClient() : Ask({"CAPA"}, State::kAwaitCapa);
}

Pop3Upstream::Outcome Pop3Upstream::OnCapa(const Reply& reply) {
  if (reply.ok()) {
    state_ = State::kAwaitCapaLine;
    return std::nullopt;
  }
  // A store of RFC 1939 alone.
  if (reply.kind == Reply::Kind::kErr) return AfterCapa();
  return Unlike("a CAPA reply");
}

Pop3Upstream::Outcome Pop3Upstream::OnCapaLine(std::string_view line) {
  if (line == ".") return AfterCapa();
  if (line.starts_with('.')) line.remove_prefix(1);
  capability_bytes_ += line.size() + 1;
  if (capability_bytes_ > options_.unasked_bytes) {
    return Unlike("the end of its CAPA list");
  }
  capabilities_.emplace_back(line);
  return std::nullopt;
}

Pop3Upstream::Outcome Pop3Upstream::AfterCapa() {
  if (!unexplained_.empty()) {
    return OffersMechanism(UpstreamMechanism(options_.login))
               ? Refused(Reply(unexplained_))
               : BeginLogin();
  }
  if (options_.login.method == UpstreamLogin::Method::kProbe) {
    if (!input_.empty()) return Unlike("a question before an answer");
    output_ += "QUIT\r\n";
    return Ready();
  }
  return TellClient();
}

Pop3Upstream::Outcome Pop3Upstream::TellClient() {
  if (options_.forward_client && (xclient_offered_ || Offers("XCLIENT"))) {
    return Ask({DovecotXclient(options_.client, options_.proxy_ttl)},
               State::kAwaitXclient);
  }
  return AfterXclient();
}

Pop3Upstream::Outcome Pop3Upstream::OnXclient(const Reply& reply) {
  // Going on would give the store our own address for the client's.
  if (!reply.ok()) {
    return Fail(LoginRefusal::Kind::kUnavailable, Failure::Kind::kRefused,
                "refused XCLIENT");
  }
  return AfterXclient();
}

Pop3Upstream::Outcome Pop3Upstream::AfterXclient() {
  if (options_.login.utf8) return Ask({"UTF8"}, State::kAwaitUtf8);
  return BeginLogin();
}

Pop3Upstream::Outcome Pop3Upstream::OnUtf8(const Reply& reply) {
  if (!reply.ok()) {
    return Fail(LoginRefusal::Kind::kUnavailable, Failure::Kind::kRefused,
                "refused UTF8, which all upstreams had offered");
  }
  return BeginLogin();
}

// --- The login ---------------------------------------------------------------

Pop3Upstream::Outcome Pop3Upstream::BeginLogin() {
  const UpstreamLogin& login = options_.login;
  GATEHOUSE_CHECK(login.has_secret(), "only SMTP has such a login");
  if (login.method == UpstreamLogin::Method::kPassword &&
      !OffersMechanism("PLAIN")) {
    return BeginUserPass();
  }
  return BeginAuth();
}

Pop3Upstream::Outcome Pop3Upstream::BeginAuth() {
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
  sasl_response_ = std::move(response);
  return Ask({"AUTH ", mechanism}, State::kAwaitAuth);
}

Pop3Upstream::Outcome Pop3Upstream::OnAuth(const Reply& reply) {
  if (reply.ok()) return Ready();
  if (reply.kind == Reply::Kind::kErr) {
    return trusting_ && !MeaningOf(reply.code) ? OnUnexplained(reply)
                                               : Refused(reply);
  }
  if (reply.kind == Reply::Kind::kChallenge) return AnswerChallenge(reply.text);
  return Unlike("an answer to AUTH");
}

// A wrong password, or a store that is unlike the others?
Pop3Upstream::Outcome Pop3Upstream::OnUnexplained(const Reply& reply) {
  trusting_ = false;
  unexplained_.assign("-ERR ").append(reply.text);
  return Ask({"CAPA"}, State::kAwaitCapa);
}

Pop3Upstream::Outcome Pop3Upstream::AnswerChallenge(
    std::string_view challenge) {
  if (!sasl_response_.empty()) {
    const Secret response = std::move(sasl_response_);
    return Ask({response.Reveal()}, State::kAwaitAuth);
  }
  // PLAIN has one step; a token's second one tells why it was refused.
  if (options_.login.method != UpstreamLogin::Method::kToken ||
      !sasl_challenge_.empty() || challenge.empty()) {
    return Unlike("the end of AUTH");
  }
  sasl_challenge_ = DecodeBase64(challenge).value_or("");
  return Ask({TokenErrorResponse(options_.login.token_mechanism)},
             State::kAwaitAuth);
}

Pop3Upstream::Outcome Pop3Upstream::BeginUserPass() {
  // A store without CAPA, or one that says so, takes USER.
  if (!capabilities_.empty() && !Offers("USER")) {
    return Fail(LoginRefusal::Kind::kContactAdmin,
                Failure::Kind::kConfiguration,
                "offers neither SASL PLAIN nor USER");
  }
  if (!FitsCommand(options_.login.user) ||
      !FitsCommand(options_.login.secret.Reveal())) {
    return Fail(LoginRefusal::Kind::kContactAdmin,
                Failure::Kind::kConfiguration,
                "USER and PASS can't carry the user's name or password");
  }
  return Ask({"USER ", options_.login.user}, State::kAwaitUser);
}

Pop3Upstream::Outcome Pop3Upstream::OnUser(const Reply& reply) {
  if (reply.kind == Reply::Kind::kErr) return Refused(reply);
  if (!reply.ok()) return Unlike("an answer to USER");
  return Ask({"PASS ", options_.login.secret.Reveal()}, State::kAwaitPass);
}

Pop3Upstream::Outcome Pop3Upstream::OnPass(const Reply& reply) {
  if (reply.ok()) return Ready();
  if (reply.kind == Reply::Kind::kErr) return Refused(reply);
  return Unlike("an answer to PASS");
}

Pop3Upstream::Outcome Pop3Upstream::Ready() {
  state_ = State::kReady;
  options_.login.secret.Wipe();
  return UpstreamReady{std::move(capabilities_)};
}

// --- One command at a time, and what goes wrong ------------------------------

Pop3Upstream::Outcome Pop3Upstream::Ask(
    std::initializer_list<std::string_view> command, State next) {
  if (!input_.empty()) return Unlike("a question before an answer");
  AppendLine(output_, command);
  state_ = next;
  return std::nullopt;
}

Pop3Upstream::Outcome Pop3Upstream::Refused(const Reply& reply) {
  const auto meaning = MeaningOf(reply.code);
  LoginRefusal::Kind kind = meaning.value_or(LoginRefusal::Kind::kCredentials);
  // No code says that a mailbox is full: stores say it in words, at most behind
  // the one that blames nobody (RFC 3206 §4).
  const bool unclear = !meaning || kind == LoginRefusal::Kind::kContactAdmin;
  const std::string words = absl::AsciiStrToLower(ToAbsl(reply.text));
  if (unclear && words.find("quota") != std::string::npos) {
    kind = LoginRefusal::Kind::kOverQuota;
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

Pop3Upstream::Outcome Pop3Upstream::Unlike(std::string_view expected) {
  return Fail(
      LoginRefusal::Kind::kUnavailable, Failure::Kind::kProtocol,
      "expected " + std::string(expected) + " in " + std::string(StateName()));
}

Pop3Upstream::Outcome Pop3Upstream::Fail(LoginRefusal::Kind refusal,
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

bool Pop3Upstream::Offers(std::string_view capability) const {
  return std::any_of(capabilities_.begin(), capabilities_.end(),
                     [&](std::string_view line) {
                       return EqualsIgnoringCase(TakeWord(line), capability);
                     });
}

bool Pop3Upstream::OffersMechanism(std::string_view mechanism) const {
  const auto& lines =
      trusting_ ? *options_.expected_capabilities : capabilities_;
  for (std::string_view line : lines) {
    if (!EqualsIgnoringCase(TakeWord(line), "SASL")) continue;
    while (!line.empty()) {
      if (EqualsIgnoringCase(TakeWord(line), mechanism)) return true;
    }
  }
  return false;
}

}  // namespace gatehouse
