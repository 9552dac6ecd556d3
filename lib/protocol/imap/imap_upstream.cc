// Rules: RFC 9051 and RFC 3501 §6.1, §6.2, §7.1; RFC 2595 §3.1 (STARTTLS);
// RFC 2971 (ID); RFC 4959 (SASL-IR); RFC 5530 (response codes); RFC 7888
// (LITERAL+, LITERAL-); RFC 7628 §3.2.3 (a refused token).
//
//   kAwaitGreeting [-> kAwaitStartTls -> kAwaitTls] [-> kAwaitCapability]
//     [-> kAwaitId] -> kAwaitLogin [-> kAwaitFinalCapability]
//     -> kReady
//   any -> kFailed

#include "lib/protocol/imap/imap_upstream.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "lib/base/check.h"
#include "lib/base/string_bridge.h"
#include "lib/protocol/imap/imap_capabilities.h"
#include "lib/protocol/sasl.h"

namespace gatehouse {
namespace {

// RFC 7888 §5: the longest literal that LITERAL- lets us send unasked.
constexpr size_t kLiteralMinusBytes = 4096;
// Stores that have SASL-IR still limit a command's line, Dovecot to a few KiB;
// a longer token goes on a line of its own.
constexpr size_t kLongestInitialResponseBytes = 2048;
// Around names and passwords: tag, command, spaces, literal marks.
constexpr size_t kCommandRoomBytes = 80;
// How much of the store's words goes into our log.
constexpr size_t kLoggedCodeBytes = 40;
constexpr size_t kLoggedTextBytes = 200;

bool EqualsIgnoringCase(std::string_view a, std::string_view b) {
  return absl::EqualsIgnoreCase(ToAbsl(a), ToAbsl(b));
}

}  // namespace

ImapUpstream::ImapUpstream(UpstreamOptions options)
    : options_(std::move(options)), line_framer_(options_.line_bytes) {}

ImapUpstream::~ImapUpstream() {
  for (std::string& piece : pieces_) WipeString(piece);
}

// --- Bytes in and out --------------------------------------------------------

bool ImapUpstream::input_wanted() const {
  return input_.size() < options_.line_bytes;
}

std::string_view ImapUpstream::StateName() const {
  switch (state_) {
    case State::kAwaitGreeting:
      return "AwaitGreeting";
    case State::kAwaitStartTls:
      return "AwaitStartTls";
    case State::kAwaitTls:
      return "AwaitTls";
    case State::kAwaitCapability:
      return "AwaitCapability";
    case State::kAwaitId:
      return "AwaitId";
    case State::kAwaitLogin:
      return "AwaitLogin";
    case State::kAwaitFinalCapability:
      return "AwaitFinalCapability";
    case State::kReady:
      return "Ready";
    case State::kFailed:
      return "Failed";
  }
  return "";
}

// --- Steps -------------------------------------------------------------------

UpstreamEvent ImapUpstream::Next() {
  for (;;) {
    if (state_ == State::kAwaitTls || state_ == State::kReady ||
        state_ == State::kFailed) {
      return NeedData{};
    }
    const auto found = line_framer_.Find(input_.bytes());
    Outcome outcome;
    if (found.status == LineFramer::Status::kNeedData) {
      if (!eof_) return NeedData{};
      outcome = Fail(LoginRefusal::Kind::kUnavailable, Failure::Kind::kReset,
                     "closed the connection");
    } else if (found.status == LineFramer::Status::kLine) {
      outcome = OnLine(found.line);
      input_.Consume(found.size);
      consumed_bytes_ += found.size;
    } else {
      outcome = Unlike("a line");
    }
    if (state_ == State::kAwaitTls && !input_.empty()) {
      outcome = Unlike("silence behind STARTTLS");
    }
    if (outcome) return *std::move(outcome);
  }
}

ImapUpstream::Outcome ImapUpstream::OnLine(std::string_view line) {
  const ImapResponse response = ParseImapResponse(line);
  if (state_ == State::kAwaitGreeting) return OnGreeting(response);
  const bool early = consumed_bytes_ < early_until_;
  switch (response.kind) {
    case ImapResponse::Kind::kUntagged:
      return OnUntagged(response, line, early);
    case ImapResponse::Kind::kContinuation:
      return early ? Unlike("to be asked first") : OnContinuation(response);
    case ImapResponse::Kind::kTagged:
      return early ? Unlike("to be asked first") : OnTagged(response);
    case ImapResponse::Kind::kOther:
      break;
  }
  return Unlike("a response");
}

// --- Greeting, STARTTLS, CAPABILITY, ID --------------------------------------

ImapUpstream::Outcome ImapUpstream::OnGreeting(const ImapResponse& response) {
  if (response.kind != ImapResponse::Kind::kUntagged) {
    return Unlike("a greeting");
  }
  if (response.status == ImapResponse::Status::kBye) return SaidBye();
  if (response.status != ImapResponse::Status::kOk) {
    return Unlike("a greeting with OK");
  }
  if (EqualsIgnoringCase(response.code, "CAPABILITY")) {
    LearnCapabilities(response.code_text);
  }
  if (options_.start_tls && !options_.tls_active) return BeginStartTls();
  if (capabilities_known_) return AfterCapability();
  return Ask("CAPABILITY", State::kAwaitCapability);
}

ImapUpstream::Outcome ImapUpstream::BeginStartTls() {
  if (capabilities_known_ && !Offers("STARTTLS")) {
    return Fail(LoginRefusal::Kind::kUnavailable, Failure::Kind::kTls,
                "doesn't offer STARTTLS");
  }
  return Ask("STARTTLS", State::kAwaitStartTls);
}

ImapUpstream::Outcome ImapUpstream::OnStartTls(const ImapResponse& response) {
  if (response.status != ImapResponse::Status::kOk) {
    return Fail(LoginRefusal::Kind::kUnavailable, Failure::Kind::kTls,
                "refused STARTTLS");
  }
  state_ = State::kAwaitTls;
  return StartTls{};
}

void ImapUpstream::TlsEstablished() {
  GATEHOUSE_CHECK(state_ == State::kAwaitTls, "no TLS was begun");
  options_.tls_active = true;
  capabilities_.clear();
  capabilities_known_ = false;
  Ask("CAPABILITY", State::kAwaitCapability);
}

ImapUpstream::Outcome ImapUpstream::AfterCapability() {
  if (options_.login.method == UpstreamLogin::Method::kProbe) {
    Ask("LOGOUT", State::kReady);
    return Ready();
  }
  if (options_.forward_client && Offers("ID")) {
    return Ask(IdCommand(), State::kAwaitId);
  }
  return BeginLogin();
}

// The fields that Dovecot takes from front ends it trusts.
std::string ImapUpstream::IdCommand() const {
  std::string command = "ID (";
  const auto add = [&command](std::string_view field, std::string_view value) {
    if (!IsQuotable(value)) return;
    if (!command.ends_with('(')) command += ' ';
    AppendQuoted(field, command);
    command += ' ';
    AppendQuoted(value, command);
  };
  const auto add_address = [&add](std::string_view ip, std::string_view port,
                                  const SocketAddress& address) {
    if (!address.is_set()) return;
    add(ip, address.AddressText());
    add(port, std::to_string(address.port()));
  };
  const ClientFacts& client = options_.client;
  if (!client.session_id.empty()) add("x-session-id", client.session_id);
  add_address("x-originating-ip", "x-originating-port", client.client);
  add_address("x-connected-ip", "x-connected-port", client.proxy);
  add("x-proxy-ttl", std::to_string(options_.proxy_ttl));
  command += ')';
  return command;
}

// --- The login ---------------------------------------------------------------

ImapUpstream::Outcome ImapUpstream::BeginLogin() {
  const UpstreamLogin& login = options_.login;
  GATEHOUSE_CHECK(login.has_secret(), "only SMTP has such a login");
  const bool has_nul =
      login.secret.Reveal().find('\0') != std::string_view::npos;
  if (has_nul || !IsLoginName(login.user)) {
    return Misconfigured("can't be given this name or password");
  }
  if (login.method == UpstreamLogin::Method::kPassword &&
      !Offers("AUTH=PLAIN")) {
    return BeginLoginCommand();
  }
  return BeginAuthenticate();
}

ImapUpstream::Outcome ImapUpstream::BeginAuthenticate() {
  const std::string_view mechanism = UpstreamMechanism(options_.login);
  if (!Offers("AUTH=" + std::string(mechanism))) {
    return Misconfigured("doesn't offer SASL " + std::string(mechanism));
  }
  const Secret response = EncodeBase64(UpstreamMessage(options_.login));
  const std::string_view base64 = response.Reveal();
  std::string& command = BeginPieces(base64.size());
  command.append("AUTHENTICATE ").append(mechanism);
  if (Offers("SASL-IR") && base64.size() <= kLongestInitialResponseBytes) {
    command.append(" ").append(base64).append("\r\n");
  } else {
    command.append("\r\n");
    pieces_[1].reserve(base64.size() + 2);
    pieces_[1].append(base64).append("\r\n");
  }
  return SendLogin();
}

ImapUpstream::Outcome ImapUpstream::BeginLoginCommand() {
  if (Offers("LOGINDISABLED")) {
    return Misconfigured("takes no password: neither AUTH=PLAIN nor LOGIN");
  }
  const std::string_view password = options_.login.secret.Reveal();
  size_t piece = 0;
  BeginPieces(2 * (options_.login.user.size() + password.size()))
      .append("LOGIN ");
  AppendString(options_.login.user, piece);
  pieces_[piece].append(" ");
  AppendString(password, piece);
  pieces_[piece].append("\r\n");
  return SendLogin();
}

// Room for all that follows, since a string that grows leaves copies behind.
std::string& ImapUpstream::BeginPieces(size_t bytes) {
  pieces_[0].reserve(bytes + kCommandRoomBytes);
  tag_ = NextTag();
  return pieces_[0].append(tag_).append(" ");
}

// Quoted, or as a literal: for one that the store must allow first, the command
// goes on in the next piece.
void ImapUpstream::AppendString(std::string_view value, size_t& piece) {
  if (IsQuotable(value)) return AppendQuoted(value, pieces_[piece]);
  const bool unasked =
      Offers("LITERAL+") ||
      (Offers("LITERAL-") && value.size() <= kLiteralMinusBytes);
  pieces_[piece].append("{").append(std::to_string(value.size()));
  pieces_[piece].append(unasked ? "+}\r\n" : "}\r\n");
  if (!unasked) {
    const size_t room = pieces_[piece].capacity();
    pieces_[++piece].reserve(room);
  }
  pieces_[piece].append(value);
}

ImapUpstream::Outcome ImapUpstream::SendLogin() {
  state_ = State::kAwaitLogin;
  // What the store offers now may differ from what it offers the user.
  capabilities_.clear();
  capabilities_known_ = false;
  return SendPiece();
}

ImapUpstream::Outcome ImapUpstream::SendPiece() {
  std::string& piece = pieces_[pieces_sent_++];
  output_.append(piece);
  WipeString(piece);
  early_until_ = consumed_bytes_ + input_.size();
  return std::nullopt;
}

bool ImapUpstream::AllSent() const {
  return pieces_sent_ == pieces_.size() || pieces_[pieces_sent_].empty();
}

ImapUpstream::Outcome ImapUpstream::OnContinuation(
    const ImapResponse& response) {
  if (state_ != State::kAwaitLogin) return Unlike("no continuation");
  if (!AllSent()) return SendPiece();
  // A token's second challenge tells why it was refused.
  if (options_.login.method != UpstreamLogin::Method::kToken ||
      !sasl_challenge_.empty()) {
    return Unlike("the end of the login");
  }
  sasl_challenge_ = DecodeBase64(response.text).value_or("");
  if (sasl_challenge_.empty()) return Unlike("a reason for the refusal");
  output_.append(TokenErrorResponse(options_.login.token_mechanism));
  output_.append("\r\n");
  return std::nullopt;
}

ImapUpstream::Outcome ImapUpstream::OnLoginAnswer(
    const ImapResponse& response) {
  if (response.status == ImapResponse::Status::kNo) return Refused(response);
  if (response.status == ImapResponse::Status::kBad) {
    return Unlike("OK or NO to the login");
  }
  if (!AllSent() || !sasl_challenge_.empty()) {
    return Unlike("to be told the credentials before OK");
  }
  if (EqualsIgnoringCase(response.code, "CAPABILITY")) {
    LearnCapabilities(response.code_text);
  }
  if (capabilities_known_) return Ready();
  return Ask("CAPABILITY", State::kAwaitFinalCapability);
}

ImapUpstream::Outcome ImapUpstream::Ready() {
  state_ = State::kReady;
  options_.login.secret.Wipe();
  return UpstreamReady{std::move(capabilities_)};
}

// --- Responses ---------------------------------------------------------------

ImapUpstream::Outcome ImapUpstream::OnUntagged(const ImapResponse& response,
                                               std::string_view line,
                                               bool early) {
  untagged_bytes_ += line.size() + 2;
  if (untagged_bytes_ > options_.unasked_bytes) {
    return Unlike("an end of its untagged data");
  }
  if (response.status == ImapResponse::Status::kBye) return SaidBye();
  if (response.status == ImapResponse::Status::kPreauth) {
    return Unlike("no second greeting");
  }
  const bool has_capabilities = EqualsIgnoringCase(response.code, "CAPABILITY");
  if (early && tags_ == 1 && response.status == ImapResponse::Status::kOk &&
      (response.code.empty() || has_capabilities)) {
    return Unlike("no second greeting");
  }
  const std::string_view data = response.text;
  if (has_capabilities) {
    LearnCapabilities(response.code_text);
  } else if (absl::StartsWithIgnoreCase(ToAbsl(data), "CAPABILITY ")) {
    LearnCapabilities(data.substr(data.find(' ')));
  }
  return std::nullopt;
}

ImapUpstream::Outcome ImapUpstream::OnTagged(const ImapResponse& response) {
  const bool is_answer = response.status == ImapResponse::Status::kOk ||
                         response.status == ImapResponse::Status::kNo ||
                         response.status == ImapResponse::Status::kBad;
  if (response.tag != tag_ || !is_answer) {
    return Unlike("an answer to our command");
  }
  const bool ok = response.status == ImapResponse::Status::kOk;
  switch (state_) {
    case State::kAwaitStartTls:
      return OnStartTls(response);
    case State::kAwaitCapability:
      return ok ? AfterCapability() : Unlike("OK to CAPABILITY");
    case State::kAwaitId:  // a store may refuse to be told
      return BeginLogin();
    case State::kAwaitLogin:
      return OnLoginAnswer(response);
    case State::kAwaitFinalCapability:
      return ok ? Ready() : Unlike("OK to CAPABILITY");
    default:
      return Unlike("no answer");
  }
}

ImapUpstream::Outcome ImapUpstream::Ask(std::string_view command, State next) {
  tag_ = NextTag();
  output_.append(tag_).append(" ").append(command).append("\r\n");
  early_until_ = consumed_bytes_ + input_.size();
  state_ = next;
  return std::nullopt;
}

std::string ImapUpstream::NextTag() { return "G" + std::to_string(++tags_); }

void ImapUpstream::LearnCapabilities(std::string_view text) {
  capabilities_ = SplitCapabilities(text);
  capabilities_known_ = true;
}

bool ImapUpstream::Offers(std::string_view capability) const {
  return HasCapability(capabilities_, capability);
}

// --- Failures ----------------------------------------------------------------

ImapUpstream::Outcome ImapUpstream::Refused(const ImapResponse& response) {
  LoginRefusal::Kind kind = RefusalOfCode(response.code);
  // The user has nothing to do with what became of the master user.
  if (BlamesClient(kind) &&
      options_.login.method == UpstreamLogin::Method::kMasterUser) {
    kind = LoginRefusal::Kind::kContactAdmin;
  }
  std::string text = "refused the login";
  if (!RepeatsSecret(response.code, options_.login) &&
      !RepeatsSecret(response.text, options_.login)) {
    text.append(": [").append(response.code.substr(0, kLoggedCodeBytes));
    text.append("] ").append(response.text.substr(0, kLoggedTextBytes));
  }
  return Fail(kind, Failure::Kind::kRefused, std::move(text));
}

ImapUpstream::Outcome ImapUpstream::SaidBye() {
  return Fail(LoginRefusal::Kind::kUnavailable, Failure::Kind::kRefused,
              "said BYE");
}

ImapUpstream::Outcome ImapUpstream::Misconfigured(std::string text) {
  return Fail(LoginRefusal::Kind::kContactAdmin, Failure::Kind::kConfiguration,
              std::move(text));
}

ImapUpstream::Outcome ImapUpstream::Unlike(std::string_view expected) {
  return Fail(LoginRefusal::Kind::kUnavailable, Failure::Kind::kProtocol,
              "broke the protocol; expected " + std::string(expected));
}

ImapUpstream::Outcome ImapUpstream::Fail(LoginRefusal::Kind refusal,
                                         Failure::Kind kind, std::string text) {
  text.append(" (in ").append(StateName()).append(")");
  UpstreamFailed failed;
  failed.refusal.kind = refusal;
  failed.refusal.sasl_challenge = std::move(sasl_challenge_);
  failed.failure.side = Failure::Side::kUpstream;
  failed.failure.kind = kind;
  failed.failure.retry =
      pieces_sent_ == 0 ? Failure::Retry::kSafe : Failure::Retry::kNo;
  failed.failure.text = std::move(text);
  state_ = State::kFailed;
  options_.login.secret.Wipe();
  input_.Clear();
  return failed;
}

}  // namespace gatehouse
