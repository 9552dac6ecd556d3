// Rules: RFC 1939 §4 (AUTHORIZATION), §7 (USER, PASS: "the server may treat
// spaces in the argument as part of the password"); RFC 2449 §5 (CAPA), §8
// (response codes); RFC 2595 §4 (STLS); RFC 3206; RFC 5034 (AUTH); RFC 6856 §2
// (UTF8).
//
// USER is always answered +OK, and every reason why a name and password don't
// fit has the same words: nobody learns which names exist.

#include "lib/protocol/pop3/pop3_downstream.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "lib/base/check.h"
#include "lib/base/string_bridge.h"
#include "lib/protocol/capability_words.h"
#include "lib/protocol/http_request.h"

namespace gatehouse {
namespace {

bool EqualsIgnoringCase(std::string_view a, std::string_view b) {
  return absl::EqualsIgnoreCase(ToAbsl(a), ToAbsl(b));
}

std::string_view FirstWord(std::string_view text) {
  return text.substr(0, text.find(' '));
}

// What follows the first space; octet for octet, for PASS.
std::string_view AfterFirstWord(std::string_view text) {
  const size_t space = text.find(' ');
  return space == std::string_view::npos ? "" : text.substr(space + 1);
}

constexpr std::string_view kUseStls = "-ERR Use STLS first.";

// RFC 3206 and RFC 2449 §8.1: the code tells a mail program whether to ask its
// user for another password or just to try again.
std::string_view RefusalReply(LoginRefusal::Kind kind) {
  switch (kind) {
    case LoginRefusal::Kind::kCredentials:
      return "-ERR [AUTH] Authentication failed.";
    case LoginRefusal::Kind::kAuthorization:
      return "-ERR [AUTH] Authorization refused.";
    case LoginRefusal::Kind::kUnavailable:
      return "-ERR [SYS/TEMP] Temporarily unavailable, try again later.";
    case LoginRefusal::Kind::kContactAdmin:
      return "-ERR [SYS/PERM] Ask your mail administrator for help.";
    case LoginRefusal::Kind::kExpired:
      return "-ERR [AUTH] The password has expired.";
    case LoginRefusal::Kind::kInUse:
      return "-ERR [IN-USE] The mailbox is in use.";
    case LoginRefusal::Kind::kLoginDelay:
      return "-ERR [LOGIN-DELAY] Logged in a moment ago, try again later.";
    case LoginRefusal::Kind::kOverQuota:
      return "-ERR [SYS/PERM] The mailbox is over its quota.";
    case LoginRefusal::Kind::kLimit:
      return "-ERR [IN-USE] Too many connections or failed logins.";
  }
  return "-ERR [SYS/TEMP] Temporarily unavailable, try again later.";
}

// What is announced before login holds after it too, so it is the upstreams'
// to say, and not said while nothing is known of them.
constexpr std::string_view kLearned[] = {
    "TOP", "UIDL", "RESP-CODES", "PIPELINING", "EXPIRE", "LOGIN-DELAY", "UTF8"};

// About refused logins only (RFC 3206 §6), which are this machine's to word.
constexpr std::string_view kOwn = "AUTH-RESP-CODE";

}  // namespace

struct Pop3Downstream::Command {
  std::string_view name;
  Outcome (Pop3Downstream::*handler)(std::string_view arguments);
  bool takes_arguments;
};

const Pop3Downstream::Command Pop3Downstream::kCommands[] = {
    {"AUTH", &Pop3Downstream::OnAuth, true},
    {"CAPA", &Pop3Downstream::OnCapa, false},
    // Of the TRANSACTION state, but it costs nothing, and balancers ask so
    // whether anybody is there.
    {"NOOP", &Pop3Downstream::OnNoop, false},
    {"PASS", &Pop3Downstream::OnPass, true},
    {"QUIT", &Pop3Downstream::OnQuit, false},
    {"STLS", &Pop3Downstream::OnStls, false},
    {"USER", &Pop3Downstream::OnUser, true},
    {"UTF8", &Pop3Downstream::OnUtf8, false},
    // Of the TRANSACTION state, or not for clients.
    {"APOP", &Pop3Downstream::OnLater, true},
    {"DELE", &Pop3Downstream::OnLater, true},
    {"LANG", &Pop3Downstream::OnLater, true},
    {"LIST", &Pop3Downstream::OnLater, true},
    {"RETR", &Pop3Downstream::OnLater, true},
    {"RSET", &Pop3Downstream::OnLater, true},
    {"STAT", &Pop3Downstream::OnLater, true},
    {"TOP", &Pop3Downstream::OnLater, true},
    {"UIDL", &Pop3Downstream::OnLater, true},
    // A client that could say who it is would forge what upstreams are told.
    {"XCLIENT", &Pop3Downstream::OnLater, true},
};

Pop3Downstream::Pop3Downstream(DownstreamOptions options)
    : options_(std::move(options)) {
  const std::string* mechanisms = LearnedLine("SASL");
  options_.upstream_mechanisms =
      SplitWords(mechanisms == nullptr ? "" : AfterFirstWord(*mechanisms));
  Say("+OK " + options_.host_name + " POP3 ready.");
}

bool Pop3Downstream::input_wanted() const {
  return input_.size() < options_.limits.held_bytes;
}

std::string Pop3Downstream::TakeOutput() {
  greeted_ = true;
  return BufferedMachine::TakeOutput();
}

std::string_view Pop3Downstream::StateName() const {
  switch (state_) {
    case State::kAwaitCommand:
      return "AwaitCommand";
    case State::kAwaitSasl:
      return "AwaitSasl";
    case State::kAwaitSaslEnd:
      return "AwaitSaslEnd";
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

bool Pop3Downstream::AwaitsLine() const {
  return state_ == State::kAwaitCommand || state_ == State::kAwaitSasl ||
         state_ == State::kAwaitSaslEnd;
}

DownstreamEvent Pop3Downstream::Next() {
  while (AwaitsLine()) {
    const std::string_view bytes = input_.bytes();
    const size_t end = bytes.find('\n');
    if (std::min(end, bytes.size()) > options_.limits.line_bytes) {
      Say("-ERR The line is too long.");
      Close(Closed::Reason::kLimit, "line too long");
      break;
    }
    if (end == std::string_view::npos) {
      if (!eof_) return NeedData();
      Close(Closed::Reason::kEof, "");
      break;
    }
    const Secret line(bytes.substr(0, end));  // it may be PASS
    input_.Consume(end + 1);
    if (Outcome outcome = OnLine(line.Reveal())) return std::move(*outcome);
  }
  // Nobody is left to hear the verdict.
  if (eof_ && state_ == State::kAwaitVerdict) Close(Closed::Reason::kEof, "");
  if (closing_) return *std::exchange(closing_, std::nullopt);
  return Paused();
}

Pop3Downstream::Outcome Pop3Downstream::OnLine(std::string_view line) {
  const bool ends_well = line.ends_with('\r');
  line.remove_suffix(ends_well ? 1 : 0);
  if (!ends_well || line.find_first_of(std::string_view("\r\0", 2)) !=
                        std::string_view::npos) {
    state_ = State::kAwaitCommand;
    return Bad("-ERR A line ends in CRLF and holds no CR or NUL.");
  }
  switch (state_) {
    case State::kAwaitSasl:
      return OnSaslStep(sasl_.Respond(line));
    case State::kAwaitSaslEnd:
      return Refuse(refusal_);
    default:
      return OnCommand(line);
  }
}

Pop3Downstream::Outcome Pop3Downstream::OnCommand(std::string_view line) {
  if (++commands_ > options_.limits.commands) {
    Say("-ERR Too many commands.");
    return Close(Closed::Reason::kLimit, "too many commands before login");
  }
  if (IsHttpRequest(line)) {
    return Close(Closed::Reason::kViolation, "speaks HTTP");
  }
  const std::string_view name = FirstWord(line);
  for (const Command& command : kCommands) {
    if (!EqualsIgnoringCase(name, command.name)) continue;
    if (!command.takes_arguments && name.size() != line.size()) {
      return Bad("-ERR This command takes no argument.");
    }
    return (this->*command.handler)(AfterFirstWord(line));
  }
  return Bad("-ERR Unknown command.");
}

// --- Commands ----------------------------------------------------------------

Pop3Downstream::Outcome Pop3Downstream::OnCapa(std::string_view) {
  Say("+OK Capability list follows.");
  ListCapabilities();
  return Say(".");
}

void Pop3Downstream::ListCapabilities() {
  for (const std::string_view name : kLearned) {
    if (const std::string* line = LearnedLine(name)) Say(*line);
  }
  Say(kOwn);
  if (MaySendCredentials(options_)) Say("USER");
  const std::string mechanisms = MechanismList(" ");
  if (!mechanisms.empty()) Say("SASL" + mechanisms);
  if (options_.start_tls_offered && !options_.tls_active) Say("STLS");
}

// Each mechanism behind a separator.
std::string Pop3Downstream::MechanismList(std::string_view separator) const {
  std::string list;
  for (const SaslMechanism mechanism : kSaslMechanisms) {
    if (!IsOffered(mechanism, options_)) continue;
    list.append(separator).append(SaslMechanismName(mechanism));
  }
  return list;
}

// The upstreams' own line, with its arguments; null where they have none.
const std::string* Pop3Downstream::LearnedLine(std::string_view name) const {
  if (options_.upstream_capabilities == nullptr) return nullptr;
  for (const std::string& line : *options_.upstream_capabilities) {
    if (EqualsIgnoringCase(FirstWord(line), name)) return &line;
  }
  return nullptr;
}

Pop3Downstream::Outcome Pop3Downstream::OnStls(std::string_view) {
  if (options_.tls_active) return Bad("-ERR TLS is active already.");
  if (!options_.start_tls_offered) return Bad("-ERR TLS isn't offered here.");
  Say("+OK Begin TLS.");
  // What came behind the command may be an attacker's (CVE-2011-0411).
  input_.Clear();
  state_ = State::kAwaitTls;
  return StartTls();
}

void Pop3Downstream::TlsEstablished(const TlsFacts& facts) {
  GATEHOUSE_CHECK(state_ == State::kAwaitTls, "TLS wasn't asked for");
  options_.tls_active = true;
  options_.tls = facts;
  user_.reset();
  utf8_ = false;
  state_ = State::kAwaitCommand;
}

Pop3Downstream::Outcome Pop3Downstream::OnUser(std::string_view arguments) {
  if (!MaySendCredentials(options_)) return Bad(kUseStls);
  if (arguments.empty()) return Bad("-ERR USER takes a name.");
  user_ = std::string(arguments);
  return Say("+OK Send PASS.");
}

Pop3Downstream::Outcome Pop3Downstream::OnPass(std::string_view arguments) {
  if (!MaySendCredentials(options_)) return Bad(kUseStls);
  if (!user_) return Bad("-ERR Send USER first.");
  LoginAttempt attempt;
  attempt.mechanism = "USER";
  attempt.user = *std::exchange(user_, std::nullopt);
  if (!IsLoginName(attempt.user) || !IsPassword(arguments)) {
    return Refuse(LoginRefusal::Kind::kCredentials);
  }
  attempt.secret = Secret(arguments);
  return Attempt(std::move(attempt));
}

Pop3Downstream::Outcome Pop3Downstream::OnAuth(std::string_view arguments) {
  // Clients older than CAPA ask for the list so.
  if (arguments.empty()) return Say("+OK" + MechanismList("\r\n") + "\r\n.");
  const std::string_view mechanism = FirstWord(arguments);
  std::optional<std::string_view> initial;
  if (mechanism.size() != arguments.size()) initial = AfterFirstWord(arguments);
  return OnSaslStep(sasl_.Start(mechanism, initial, options_));
}

Pop3Downstream::Outcome Pop3Downstream::OnSaslStep(SaslStep step) {
  state_ = State::kAwaitCommand;
  if (const auto* challenge = std::get_if<SaslChallenge>(&step)) {
    state_ = State::kAwaitSasl;
    return Say("+ " + std::string(challenge->base64));
  }
  user_.reset();
  if (auto* attempt = std::get_if<LoginAttempt>(&step)) {
    return Attempt(std::move(*attempt));
  }
  return OnSaslError(std::get<SaslError>(step));
}

Pop3Downstream::Outcome Pop3Downstream::OnSaslError(SaslError error) {
  switch (error) {
    case SaslError::kUnknownMechanism:
      return Bad("-ERR This mechanism isn't offered.");
    case SaslError::kEncryptionNeeded:
      return Bad(kUseStls);
    case SaslError::kCancelled:
      return Bad("-ERR Cancelled.");
    case SaslError::kMalformed:
      return Bad("-ERR This isn't base64, or not a message of the mechanism.");
    case SaslError::kRefusedCredentials:
      return Refuse(LoginRefusal::Kind::kCredentials);
  }
  return std::nullopt;
}

Pop3Downstream::Outcome Pop3Downstream::OnUtf8(std::string_view) {
  if (LearnedLine("UTF8") == nullptr) return Bad("-ERR UTF8 isn't offered.");
  utf8_ = true;
  return Say("+OK UTF8 it is.");
}

Pop3Downstream::Outcome Pop3Downstream::OnNoop(std::string_view) {
  return Say("+OK");
}

Pop3Downstream::Outcome Pop3Downstream::OnQuit(std::string_view) {
  Say("+OK Bye.");
  return Close(Closed::Reason::kLogout, "");
}

Pop3Downstream::Outcome Pop3Downstream::OnLater(std::string_view) {
  return Bad("-ERR Not before login.");
}

// --- The verdict -------------------------------------------------------------

Pop3Downstream::Outcome Pop3Downstream::Attempt(LoginAttempt attempt) {
  state_ = State::kAwaitVerdict;
  attempt.utf8 = utf8_;
  attempted_ = attempt.credentials;
  return attempt;
}

void Pop3Downstream::LoginAccepted(const UpstreamReady& upstream) {
  GATEHOUSE_CHECK(state_ == State::kAwaitVerdict, "no login under way");
  state_ = State::kAccepted;
  Say("+OK Logged in.");
}

void Pop3Downstream::LoginRefused(const LoginRefusal& refusal) {
  GATEHOUSE_CHECK(state_ == State::kAwaitVerdict, "no login under way");
  state_ = State::kAwaitCommand;
  const std::string challenge = TokenRefusalChallenge(attempted_, refusal);
  if (challenge.empty()) {
    Refuse(refusal.kind);
    return;
  }
  refusal_ = refusal.kind;
  state_ = State::kAwaitSaslEnd;
  Say("+ " + challenge);
}

Pop3Downstream::Outcome Pop3Downstream::Refuse(LoginRefusal::Kind kind) {
  state_ = State::kAwaitCommand;
  Say(RefusalReply(kind));
  if (BlamesClient(kind) && ++failed_logins_ >= options_.limits.failed_logins) {
    Close(Closed::Reason::kTooManyFailedLogins, "");
  }
  return std::nullopt;
}

// RFC 1939 §3: a client that is late is left without a word, unless it waits
// for an answer.
void Pop3Downstream::Shutdown(ShutdownReason reason) {
  CheckNotHandedOver();
  if (state_ == State::kClosed) return;
  if (!greeted_) output_.clear();  // the reply is the greeting, then
  if (reason == ShutdownReason::kTooManyConnections) {
    Say("-ERR [IN-USE] Too many connections.");
  } else if (reason == ShutdownReason::kDraining ||
             state_ == State::kAwaitVerdict) {
    Say("-ERR [SYS/TEMP] Closing, try again later.");
  }
  Close(Closed::Reason::kShutdown, StateName());
}

// --- Replies -----------------------------------------------------------------

Pop3Downstream::Outcome Pop3Downstream::Say(std::string_view reply) {
  output_.append(reply).append("\r\n");
  return std::nullopt;
}

Pop3Downstream::Outcome Pop3Downstream::Bad(std::string_view reply) {
  Say(reply);
  if (++bad_commands_ >= options_.limits.bad_commands) {
    Close(Closed::Reason::kTooManyErrors, "");
  }
  return std::nullopt;
}

Pop3Downstream::Outcome Pop3Downstream::Close(Closed::Reason reason,
                                              std::string_view text) {
  state_ = State::kClosed;
  input_.Clear();
  closing_ = Closed{reason, std::string(text)};
  return std::nullopt;
}

}  // namespace gatehouse
