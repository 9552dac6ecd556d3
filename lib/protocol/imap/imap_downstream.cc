// Rules: RFC 9051 and RFC 3501 §6.1, §6.2 (commands before login), §7.1 (status
// responses); RFC 2595 §3.1 and RFC 9051 §6.2.1 (STARTTLS); RFC 2971 (ID);
// RFC 4959 (SASL-IR); RFC 5530 (response codes); RFC 7888 (literals).
//
//   kAwaitCommand -> kAwaitLiteral -> kAwaitCommand
//   kAwaitCommand -> kAwaitTls -> kAwaitCommand
//   kAwaitCommand [-> kAwaitSasl] -> kAwaitVerdict -> kAccepted
//   kAwaitVerdict [-> kAwaitTokenAnswer] -> kAwaitCommand
//   any -> kClosed

#include "lib/protocol/imap/imap_downstream.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "absl/strings/match.h"
#include "lib/base/check.h"
#include "lib/base/string_bridge.h"
#include "lib/protocol/imap/imap_capabilities.h"

namespace gatehouse {
namespace {

// RFC 2971 §3.3: what an implementation must not exceed when it sends ID.
constexpr int kMostIdPairs = 30;
constexpr size_t kLongestIdFieldBytes = 30;
constexpr size_t kLongestIdValueBytes = 1024;

// One text for everything about a name and a password, so that nothing is told
// apart (unknown user, wrong password, a name that nobody can have).
constexpr std::string_view kWrongCredentials =
    "NO [AUTHENTICATIONFAILED] Authentication failed";

std::string_view RefusalReply(LoginRefusal::Kind kind) {
  switch (kind) {
    case LoginRefusal::Kind::kCredentials:
      return kWrongCredentials;
    case LoginRefusal::Kind::kAuthorization:
      return "NO [AUTHORIZATIONFAILED] Not authorized as the requested user";
    case LoginRefusal::Kind::kUnavailable:
      return "NO [UNAVAILABLE] Temporarily unavailable, try again later";
    case LoginRefusal::Kind::kContactAdmin:
      return "NO [CONTACTADMIN] Login isn't possible, ask your administrator";
    case LoginRefusal::Kind::kExpired:
      return "NO [EXPIRED] The password has expired";
    case LoginRefusal::Kind::kInUse:
      return "NO [INUSE] The mailbox is in use, try again later";
    case LoginRefusal::Kind::kLoginDelay:
      return "NO [UNAVAILABLE] Logged in too recently, try again later";
    case LoginRefusal::Kind::kOverQuota:
      return "NO [OVERQUOTA] The mailbox is full";
    case LoginRefusal::Kind::kLimit:
      return "NO [LIMIT] Too many connections or failed logins";
  }
  return "NO [SERVERBUG] Login failed";
}

// A browser, or a page that makes one speak to us (the ALPACA attack): nothing
// of it may be answered.
bool IsHttpMethod(std::string_view tag) {
  constexpr std::string_view kMethods[] = {"GET",     "POST",   "HEAD",
                                           "PUT",     "DELETE", "OPTIONS",
                                           "CONNECT", "PATCH",  "TRACE"};
  return std::find(std::begin(kMethods), std::end(kMethods), tag) !=
         std::end(kMethods);
}

// nstring (RFC 9051 §9), within RFC 2971's length; NIL is empty.
std::optional<std::string_view> TakeIdValue(ImapReader& reader) {
  if (reader.TakeWord("NIL")) return "";
  const auto value = reader.TakeString();
  if (!value || value->octets.size() > kLongestIdValueBytes) {
    return std::nullopt;
  }
  return value->octets;
}

void LowerTo(std::string_view number, int& ttl) {
  int lower = 0;
  const char* end = number.data() + number.size();
  const auto [stop, error] = std::from_chars(number.data(), end, lower);
  if (error == std::errc() && stop == end) ttl = std::min(ttl, lower);
}

// "NIL" or "(" [string SP nstring *(SP string SP nstring)] ")". False where it
// is neither; an "x-proxy-ttl" in it lowers `proxy_ttl`.
bool ReadIdArgument(ImapReader reader, int& proxy_ttl) {
  if (reader.TakeWord("NIL")) return reader.AtEnd();
  if (!reader.TakeOctet('(')) return false;
  if (reader.TakeOctet(')')) return reader.AtEnd();
  for (int pairs = 0; pairs < kMostIdPairs; ++pairs) {
    const auto field = reader.TakeString();
    if (!field || field->octets.size() > kLongestIdFieldBytes) return false;
    if (!reader.TakeSpace()) return false;
    const auto value = TakeIdValue(reader);
    if (!value) return false;
    if (absl::EqualsIgnoreCase(ToAbsl(field->octets), "x-proxy-ttl")) {
      LowerTo(*value, proxy_ttl);
    }
    if (reader.TakeOctet(')')) return reader.AtEnd();
    if (!reader.TakeSpace()) return false;
  }
  return false;
}

}  // namespace

// A command whose tag and name are sound; both point into the input.
struct ImapDownstream::Command {
  std::string_view tag;
  ImapReader arguments;  // behind the name, its space included
};

struct ImapDownstream::CommandRule {
  std::string_view name;
  // False: refused with [PRIVACYREQUIRED] where credentials mustn't be sent.
  bool allowed_before_tls;
  bool takes_literals;
  Outcome (ImapDownstream::*obey)(const Command& command);
};

const ImapDownstream::CommandRule ImapDownstream::kCommandRules[] = {
    {"CAPABILITY", true, false, &ImapDownstream::OnCapability},
    {"NOOP", true, false, &ImapDownstream::OnNoop},
    {"ID", true, true, &ImapDownstream::OnId},
    {"STARTTLS", true, false, &ImapDownstream::OnStartTls},
    {"LOGIN", false, true, &ImapDownstream::OnLogin},
    // Judged by its mechanism.
    {"AUTHENTICATE", true, false, &ImapDownstream::OnAuthenticate},
    {"LOGOUT", true, false, &ImapDownstream::OnLogout},
};

const ImapDownstream::CommandRule* ImapDownstream::FindRule(
    std::string_view name) {
  for (const CommandRule& rule : kCommandRules) {
    if (absl::EqualsIgnoreCase(ToAbsl(rule.name), ToAbsl(name))) return &rule;
  }
  return nullptr;
}

ImapDownstream::ImapDownstream(DownstreamOptions options)
    : options_(std::move(options)),
      command_framer_(
          {options_.limits.line_bytes, options_.limits.literal_bytes}),
      line_framer_(options_.limits.line_bytes) {
  options_.upstream_mechanisms =
      options_.upstream_capabilities == nullptr
          ? std::vector<std::string>()
          : SaslMechanismsIn(*options_.upstream_capabilities);
  output_ = "* OK [CAPABILITY";
  AppendFrontEndCapabilities(options_, output_);
  output_ += "] Ready\r\n";
}

// --- Bytes in and out --------------------------------------------------------

bool ImapDownstream::input_wanted() const {
  return state_ != State::kAwaitVerdict ||
         input_.size() < options_.limits.held_bytes;
}

std::string_view ImapDownstream::StateName() const {
  switch (state_) {
    case State::kAwaitCommand:
      return "AwaitCommand";
    case State::kAwaitLiteral:
      return "AwaitLiteral";
    case State::kAwaitSasl:
      return "AwaitSasl";
    case State::kAwaitTokenAnswer:
      return "AwaitTokenAnswer";
    case State::kAwaitTls:
      return "AwaitTls";
    case State::kAwaitVerdict:
      return "AwaitVerdict";
    case State::kAccepted:
      return "Accepted";
    case State::kClosed:
      return "Closed";
  }
  return "";
}

void ImapDownstream::Consume(size_t size) {
  input_.Consume(size);
  command_framer_.Restart();
  line_framer_.Restart();
}

// --- Steps -------------------------------------------------------------------

DownstreamEvent ImapDownstream::Next() {
  for (;;) {
    Outcome outcome;
    switch (state_) {
      case State::kAwaitCommand:
      case State::kAwaitLiteral:
        outcome = ReadCommand();
        break;
      case State::kAwaitSasl:
      case State::kAwaitTokenAnswer:
        outcome = ReadSaslLine();
        break;
      case State::kAwaitVerdict:
        outcome = AbandonedByLogout();
        break;
      case State::kClosed:
        return closed_;
      default:
        return NeedData{};
    }
    if (!outcome) continue;
    const bool starved = std::holds_alternative<NeedData>(*outcome) ||
                         std::holds_alternative<Paused>(*outcome);
    if (!eof_ || !starved) return *std::move(outcome);
    End("", Closed::Reason::kEof);
  }
}

// --- Commands ----------------------------------------------------------------

ImapDownstream::Outcome ImapDownstream::ReadCommand() {
  const auto found = command_framer_.Find(input_.bytes());
  const std::string_view text = input_.bytes().substr(0, found.size);
  Outcome outcome;
  switch (found.status) {
    case ImapCommandFramer::Status::kNeedData:
      return NeedData{};
    case ImapCommandFramer::Status::kLineTooLong:
      return End("* BYE Command line too long", Closed::Reason::kLimit);
    case ImapCommandFramer::Status::kUnaskedLiteralTooLarge:
      return End("* BYE [TOOBIG] Literal too large", Closed::Reason::kLimit);
    case ImapCommandFramer::Status::kLiteral:
      if (AcceptLiteral(text)) return std::nullopt;
      outcome = OnText(text, Completeness::kAwaitsLiteral);
      break;
    case ImapCommandFramer::Status::kLiteralTooLarge:
      outcome = OnText(text, Completeness::kAwaitsTooLarge);
      break;
    case ImapCommandFramer::Status::kBroken:
      outcome = OnText(text, Completeness::kBroken);
      break;
    case ImapCommandFramer::Status::kCommand:
      outcome = OnText(text.substr(0, text.size() - 2), Completeness::kWhole);
      break;
  }
  Consume(found.size);
  return outcome;
}

// Whether the command that stands in `text` so far may have its literal. Where
// it may not, its answer is known already.
bool ImapDownstream::AcceptLiteral(std::string_view text) {
  ImapReader reader(text);
  if (!reader.TakeTag() || !reader.TakeSpace()) return false;
  const CommandRule* rule = FindRule(reader.TakeAtom().value_or(""));
  if (rule == nullptr || !rule->takes_literals) return false;
  if (!rule->allowed_before_tls && !MaySendCredentials(options_)) return false;
  command_framer_.AcceptLiteral();
  output_ += "+ OK\r\n";
  state_ = State::kAwaitLiteral;
  return true;
}

ImapDownstream::Outcome ImapDownstream::OnText(std::string_view text,
                                               Completeness completeness) {
  state_ = State::kAwaitCommand;
  if (++commands_ > options_.limits.commands) {
    return End("* BYE Too many commands before login", Closed::Reason::kLimit);
  }
  ImapReader reader(text);
  const auto tag = reader.TakeTag();
  if (tag && IsHttpMethod(*tag)) return End("", Closed::Reason::kViolation);
  if (!tag || !reader.TakeSpace()) return Bad("*", "A tag must come first");
  if (completeness == Completeness::kBroken) {
    return Bad(*tag, "Lines end in CRLF and hold neither CR nor NUL");
  }
  const CommandRule* rule = FindRule(reader.TakeAtom().value_or(""));
  if (rule == nullptr) return Bad(*tag, "Not a command before login");
  if (!rule->allowed_before_tls && !MaySendCredentials(options_)) {
    return NeedsEncryption(*tag);
  }
  if (completeness == Completeness::kAwaitsTooLarge) {
    return Bad(*tag, "[TOOBIG] Literal too large");
  }
  if (completeness == Completeness::kAwaitsLiteral) {
    return Bad(*tag, "No literal here");
  }
  return (this->*rule->obey)({*tag, reader});
}

ImapDownstream::Outcome ImapDownstream::OnCapability(const Command& command) {
  if (!command.arguments.AtEnd()) return BadArguments(command);
  output_ += "* CAPABILITY";
  AppendFrontEndCapabilities(options_, output_);
  output_ += "\r\n";
  return Answer(command.tag, "OK CAPABILITY completed");
}

ImapDownstream::Outcome ImapDownstream::OnNoop(const Command& command) {
  if (!command.arguments.AtEnd()) return BadArguments(command);
  return Answer(command.tag, "OK NOOP completed");
}

// What a client says of itself goes nowhere: above all it never reaches a
// store, which would trust our connection's "x-originating-ip".
ImapDownstream::Outcome ImapDownstream::OnId(const Command& command) {
  ImapReader arguments = command.arguments;
  int proxy_ttl = proxy_ttl_;
  if (!arguments.TakeSpace() || !ReadIdArgument(arguments, proxy_ttl)) {
    return BadArguments(command);
  }
  proxy_ttl_ = proxy_ttl;
  output_ += "* ID (\"name\" \"Gatehouse\")\r\n";
  return Answer(command.tag, "OK ID completed");
}

ImapDownstream::Outcome ImapDownstream::OnStartTls(const Command& command) {
  if (!command.arguments.AtEnd()) return BadArguments(command);
  if (options_.tls_active) return Bad(command.tag, "TLS is active already");
  if (!options_.start_tls_offered) return Bad(command.tag, "TLS isn't offered");
  Answer(command.tag, "OK Begin TLS negotiation now");
  state_ = State::kAwaitTls;
  // Whatever follows in the clear may be an attacker's (CVE-2011-0411).
  input_.Clear();
  return StartTls{};
}

ImapDownstream::Outcome ImapDownstream::OnLogin(const Command& command) {
  ImapReader arguments = command.arguments;
  if (!arguments.TakeSpace()) return BadArguments(command);
  const auto user = arguments.TakeAstring();
  if (!user || !arguments.TakeSpace()) return BadArguments(command);
  const auto password = arguments.TakeAstring();
  if (!password || !arguments.AtEnd()) return BadArguments(command);
  tag_ = command.tag;
  LoginAttempt attempt;
  attempt.mechanism = "LOGIN";
  attempt.user = user->ToText();
  attempt.secret = password->ToSecret();
  if (!IsLoginName(attempt.user) || !IsPassword(attempt.secret.Reveal())) {
    return Refuse(LoginRefusal::Kind::kCredentials);
  }
  return Attempt(std::move(attempt));
}

ImapDownstream::Outcome ImapDownstream::OnAuthenticate(const Command& command) {
  ImapReader arguments = command.arguments;
  if (!arguments.TakeSpace()) return BadArguments(command);
  const auto mechanism = arguments.TakeAtom();
  if (!mechanism) return BadArguments(command);
  std::optional<std::string_view> initial;
  if (arguments.TakeSpace()) initial = arguments.TakeUntilSpace();
  const bool empty_initial = initial && initial->empty();
  if (empty_initial || !arguments.AtEnd()) return BadArguments(command);
  tag_ = command.tag;
  return OnSaslStep(sasl_.Start(*mechanism, initial, options_));
}

ImapDownstream::Outcome ImapDownstream::OnLogout(const Command& command) {
  if (!command.arguments.AtEnd()) return BadArguments(command);
  output_ += "* BYE Logging out\r\n";
  Answer(command.tag, "OK LOGOUT completed");
  return End("", Closed::Reason::kLogout);
}

// --- SASL --------------------------------------------------------------------

ImapDownstream::Outcome ImapDownstream::ReadSaslLine() {
  const auto found = line_framer_.Find(input_.bytes());
  if (found.status == LineFramer::Status::kNeedData) return NeedData{};
  if (found.status == LineFramer::Status::kTooLong) {
    return End("* BYE Authentication line too long", Closed::Reason::kLimit);
  }
  Outcome outcome;
  if (state_ == State::kAwaitTokenAnswer) {
    outcome = Refuse(pending_refusal_);
  } else if (found.status == LineFramer::Status::kBroken) {
    outcome = OnSaslStep(SaslError::kMalformed);
  } else {
    outcome = OnSaslStep(sasl_.Respond(found.line));
  }
  Consume(found.size);
  return outcome;
}

ImapDownstream::Outcome ImapDownstream::OnSaslStep(SaslStep step) {
  if (const auto* challenge = std::get_if<SaslChallenge>(&step)) {
    output_.append("+ ").append(challenge->base64).append("\r\n");
    state_ = State::kAwaitSasl;
    return std::nullopt;
  }
  if (auto* attempt = std::get_if<LoginAttempt>(&step)) {
    return Attempt(std::move(*attempt));
  }
  state_ = State::kAwaitCommand;
  switch (std::get<SaslError>(step)) {
    case SaslError::kUnknownMechanism:
      return Answer(tag_, "NO Authentication mechanism not supported");
    case SaslError::kEncryptionNeeded:
      return NeedsEncryption(tag_);
    case SaslError::kCancelled:
      return Bad(tag_, "Authentication cancelled");
    case SaslError::kMalformed:
      return Bad(tag_, "Invalid authentication data");
    case SaslError::kRefusedCredentials:
      return Refuse(LoginRefusal::Kind::kCredentials);
  }
  return std::nullopt;
}

// --- The verdict -------------------------------------------------------------

ImapDownstream::Outcome ImapDownstream::Attempt(LoginAttempt attempt) {
  credentials_ = attempt.credentials;
  attempt.proxy_ttl = proxy_ttl_;
  state_ = State::kAwaitVerdict;
  return attempt;
}

// A client that gives up waiting is let go. Only what comes next counts: behind
// another command, LOGOUT is the store's to answer.
ImapDownstream::Outcome ImapDownstream::AbandonedByLogout() {
  const auto found = command_framer_.Find(input_.bytes());
  command_framer_.Restart();
  if (found.status != ImapCommandFramer::Status::kCommand) return Paused{};
  ImapReader reader(input_.bytes().substr(0, found.size - 2));
  const auto tag = reader.TakeTag();
  const bool is_logout =
      tag && reader.TakeSpace() && reader.TakeWord("LOGOUT") && reader.AtEnd();
  if (!is_logout) return Paused{};
  Answer(tag_, "NO Login abandoned");
  return OnLogout({*tag, reader});
}

void ImapDownstream::TlsEstablished(const TlsFacts& facts) {
  GATEHOUSE_CHECK(state_ == State::kAwaitTls, "no TLS was begun");
  options_.tls_active = true;
  options_.tls = facts;
  tag_.clear();
  proxy_ttl_ = kMostProxyHops;
  state_ = State::kAwaitCommand;
}

void ImapDownstream::LoginAccepted(const UpstreamReady& upstream) {
  GATEHOUSE_CHECK(state_ == State::kAwaitVerdict, "no login is under way");
  output_.append(tag_).append(" OK ");
  if (!upstream.capabilities.empty()) {
    output_ += "[CAPABILITY";
    AppendStoreCapabilities(upstream.capabilities, output_);
    output_ += "] ";
  }
  output_ += "Logged in\r\n";
  state_ = State::kAccepted;
}

void ImapDownstream::LoginRefused(const LoginRefusal& refusal) {
  GATEHOUSE_CHECK(state_ == State::kAwaitVerdict, "no login is under way");
  const std::string challenge = TokenRefusalChallenge(credentials_, refusal);
  if (challenge.empty()) {
    Refuse(refusal.kind);
    return;
  }
  output_.append("+ ").append(challenge).append("\r\n");
  pending_refusal_ = refusal.kind;
  state_ = State::kAwaitTokenAnswer;
}

ImapDownstream::Outcome ImapDownstream::Refuse(LoginRefusal::Kind kind) {
  state_ = State::kAwaitCommand;
  Answer(tag_, RefusalReply(kind));
  if (!BlamesClient(kind)) return std::nullopt;
  if (++failed_logins_ < options_.limits.failed_logins) return std::nullopt;
  return End("* BYE Too many failed logins",
             Closed::Reason::kTooManyFailedLogins);
}

void ImapDownstream::Shutdown(ShutdownReason reason) {
  if (state_ == State::kClosed) return;
  switch (reason) {
    case ShutdownReason::kDraining:
      End("* BYE [UNAVAILABLE] Shutting down", Closed::Reason::kShutdown);
      break;
    case ShutdownReason::kTimeout:
      End("* BYE No login in time", Closed::Reason::kShutdown);
      break;
    case ShutdownReason::kTooManyConnections:
      End("* BYE [LIMIT] Too many connections", Closed::Reason::kShutdown);
      break;
  }
}

// --- Answers -----------------------------------------------------------------

ImapDownstream::Outcome ImapDownstream::Answer(std::string_view tag,
                                               std::string_view reply) {
  output_.append(tag).append(" ").append(reply).append("\r\n");
  return std::nullopt;
}

ImapDownstream::Outcome ImapDownstream::Bad(std::string_view tag,
                                            std::string_view text) {
  output_.append(tag).append(" BAD ").append(text).append("\r\n");
  if (++bad_commands_ < options_.limits.bad_commands) return std::nullopt;
  return End("* BYE Too many errors", Closed::Reason::kTooManyErrors);
}

ImapDownstream::Outcome ImapDownstream::BadArguments(const Command& command) {
  return Bad(command.tag, "Wrong arguments");
}

ImapDownstream::Outcome ImapDownstream::NeedsEncryption(std::string_view tag) {
  return Answer(tag, "NO [PRIVACYREQUIRED] Logging in needs TLS");
}

// Nothing of the input may be used behind this.
ImapDownstream::Outcome ImapDownstream::End(std::string_view last_line,
                                            Closed::Reason reason) {
  if (!last_line.empty()) output_.append(last_line).append("\r\n");
  closed_ = {reason, std::string(StateName())};
  state_ = State::kClosed;
  input_.Clear();
  return std::nullopt;
}

}  // namespace gatehouse
