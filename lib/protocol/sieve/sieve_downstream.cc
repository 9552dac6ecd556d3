// Rules: RFC 5804 §1.3 (response codes), §1.7 (capabilities: IMPLEMENTATION,
// SASL, SIEVE and VERSION must be there), §2.1 AUTHENTICATE, §2.2 STARTTLS
// ("the server MUST re-issue the capability results" under TLS), §2.3 LOGOUT,
// §2.4 CAPABILITY, §2.13 NOOP.

#include "lib/protocol/sieve/sieve_downstream.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "lib/base/check.h"
#include "lib/base/string_bridge.h"
#include "lib/protocol/capability_words.h"
#include "lib/protocol/http_request.h"

namespace gatehouse {
namespace {

constexpr std::string_view kEncryptNeeded =
    "NO (ENCRYPT-NEEDED) \"Use STARTTLS first.\"";

std::string_view RefusalReply(LoginRefusal::Kind kind) {
  switch (kind) {
    case LoginRefusal::Kind::kCredentials:
      return "NO \"Authentication failed.\"";
    case LoginRefusal::Kind::kAuthorization:
      return "NO \"Authorization refused.\"";
    case LoginRefusal::Kind::kUnavailable:
      return "NO (TRYLATER) \"Temporarily unavailable, try again later.\"";
    case LoginRefusal::Kind::kContactAdmin:
      return "NO \"Ask your mail administrator for help.\"";
    case LoginRefusal::Kind::kExpired:
      return "NO \"The password has expired.\"";
    case LoginRefusal::Kind::kInUse:
      return "NO (TRYLATER) \"The mailbox is in use.\"";
    case LoginRefusal::Kind::kLoginDelay:
      return "NO (TRYLATER) \"Logged in a moment ago, try again later.\"";
    case LoginRefusal::Kind::kOverQuota:
      return "NO (QUOTA) \"The mailbox is over its quota.\"";
    case LoginRefusal::Kind::kLimit:
      return "NO (TRYLATER) \"Too many connections or failed logins.\"";
  }
  return "NO (TRYLATER) \"Temporarily unavailable, try again later.\"";
}

// The upstreams' capabilities that hold through a front end. While nothing is
// known of the upstreams no extension is promised. VERSION must be there too
// (§1.7), but is a promise that servers older than the RFC can't keep.
struct Learned {
  std::string_view name;
  bool must;
};
constexpr Learned kLearned[] = {
    {"SIEVE", true},
    {"NOTIFY", false},
    {"MAXREDIRECTS", false},
    {"VERSION", false},
};

}  // namespace

struct SieveDownstream::Command {
  std::string_view name;
  Outcome (SieveDownstream::*handler)(const Words& words);
  size_t least_strings;  // all its arguments are strings
  size_t most_strings;
};

const SieveDownstream::Command SieveDownstream::kCommands[] = {
    {"AUTHENTICATE", &SieveDownstream::OnAuthenticate, 1, 2},
    {"CAPABILITY", &SieveDownstream::OnCapability, 0, 0},
    {"LOGOUT", &SieveDownstream::OnLogout, 0, 0},
    {"NOOP", &SieveDownstream::OnNoop, 0, 1},
    {"STARTTLS", &SieveDownstream::OnStartTls, 0, 0},
};

SieveDownstream::SieveDownstream(DownstreamOptions options)
    : options_(std::move(options)),
      parser_(options_.limits.line_bytes, options_.limits.line_bytes) {
  options_.upstream_mechanisms = SplitWords(LearnedValue("SASL").value_or(""));
  ListCapabilities(options_.host_name + " ManageSieve ready.");
}

bool SieveDownstream::input_wanted() const {
  return input_.size() < options_.limits.held_bytes;
}

std::string SieveDownstream::TakeOutput() {
  greeted_ = true;
  return BufferedMachine::TakeOutput();
}

std::string_view SieveDownstream::StateName() const {
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

bool SieveDownstream::AwaitsLine() const {
  return state_ == State::kAwaitCommand || state_ == State::kAwaitSasl ||
         state_ == State::kAwaitSaslEnd;
}

DownstreamEvent SieveDownstream::Next() {
  Words words;
  while (AwaitsLine()) {
    Outcome outcome;
    switch (parser_.Next(input_, words)) {
      case SieveParser::Status::kNeedData:
        if (!eof_) return NeedData();
        outcome = Close(Closed::Reason::kEof, "");
        break;
      case SieveParser::Status::kTooLong:
        Say("BYE \"The line or literal is too long.\"");
        outcome = Close(Closed::Reason::kLimit, "line or literal too long");
        break;
      case SieveParser::Status::kBadLine:
        outcome = OnBadLine();
        break;
      case SieveParser::Status::kLine:
        outcome = OnLine(words);
        break;
    }
    if (outcome) return std::move(*outcome);
  }
  // Nobody is left to hear the verdict.
  if (eof_ && state_ == State::kAwaitVerdict) Close(Closed::Reason::kEof, "");
  if (closing_) return *std::exchange(closing_, std::nullopt);
  return Paused();
}

SieveDownstream::Outcome SieveDownstream::OnBadLine() {
  state_ = State::kAwaitCommand;
  return Bad("NO \"This isn't ManageSieve's syntax.\"");
}

SieveDownstream::Outcome SieveDownstream::OnLine(const Words& words) {
  switch (state_) {
    case State::kAwaitSasl:
      return OnSaslLine(words);
    case State::kAwaitSaslEnd:
      return Refuse(refusal_);
    default:
      return OnCommand(words);
  }
}

SieveDownstream::Outcome SieveDownstream::OnCommand(const Words& words) {
  if (++commands_ > options_.limits.commands) {
    Say("BYE \"Too many commands.\"");
    return Close(Closed::Reason::kLimit, "too many commands before login");
  }
  if (words.empty() || words[0].kind != SieveWord::Kind::kAtom) {
    return OnBadLine();
  }
  if (IsHttpRequest(std::string(words[0].text.Reveal()) + ' ')) {
    return Close(Closed::Reason::kViolation, "speaks HTTP");
  }
  const size_t strings = words.size() - 1;
  for (const Command& command : kCommands) {
    if (!words[0].Is(command.name)) continue;
    if (strings < command.least_strings || strings > command.most_strings ||
        !std::all_of(words.begin() + 1, words.end(),
                     [](const SieveWord& word) { return word.IsString(); })) {
      return Bad("NO \"These aren't the command's arguments.\"");
    }
    return (this->*command.handler)(words);
  }
  return Bad("NO \"Unknown command, or not before login.\"");
}

// --- Commands ----------------------------------------------------------------

SieveDownstream::Outcome SieveDownstream::OnCapability(const Words& words) {
  ListCapabilities("Capability completed.");
  return std::nullopt;
}

void SieveDownstream::ListCapabilities(std::string_view ok_text) {
  ListCapability("IMPLEMENTATION", "Gatehouse");
  ListCapability("SASL", MechanismList());
  if (options_.start_tls_offered && !options_.tls_active) Say("\"STARTTLS\"");
  for (const Learned& learned : kLearned) {
    const auto value = LearnedValue(learned.name);
    if (value || learned.must) {
      ListCapability(learned.name, value.value_or(""));
    }
  }
  output_ += "OK ";
  AppendSieveString(ok_text, SieveSender::kServer, output_);
  output_ += "\r\n";
}

// What the upstreams have behind the capability's name.
std::optional<std::string_view> SieveDownstream::LearnedValue(
    std::string_view name) const {
  if (options_.upstream_capabilities == nullptr) return std::nullopt;
  for (const std::string_view line : *options_.upstream_capabilities) {
    const size_t space = std::min(line.find(' '), line.size());
    if (!absl::EqualsIgnoreCase(ToAbsl(line.substr(0, space)), ToAbsl(name))) {
      continue;
    }
    return line.substr(std::min(space + 1, line.size()));
  }
  return std::nullopt;
}

void SieveDownstream::ListCapability(std::string_view name,
                                     std::string_view value) {
  AppendSieveString(name, SieveSender::kServer, output_);
  output_ += ' ';
  AppendSieveString(value, SieveSender::kServer, output_);
  output_ += "\r\n";
}

std::string SieveDownstream::MechanismList() const {
  std::string list;
  for (const SaslMechanism mechanism : kSaslMechanisms) {
    if (!IsOffered(mechanism, options_)) continue;
    if (!list.empty()) list += ' ';
    list += SaslMechanismName(mechanism);
  }
  return list;
}

SieveDownstream::Outcome SieveDownstream::OnLogout(const Words& words) {
  Say("OK \"Bye.\"");
  return Close(Closed::Reason::kLogout, "");
}

SieveDownstream::Outcome SieveDownstream::OnNoop(const Words& words) {
  if (words.size() == 1) return Say("OK \"Done.\"");
  output_ += "OK (TAG ";
  AppendSieveString(words[1].text.Reveal(), SieveSender::kServer, output_);
  return Say(") \"Done.\"");
}

SieveDownstream::Outcome SieveDownstream::OnStartTls(const Words& words) {
  if (options_.tls_active) return Bad("NO \"TLS is active already.\"");
  if (!options_.start_tls_offered) {
    return Bad("NO \"TLS isn't offered here.\"");
  }
  Say("OK \"Begin TLS.\"");
  // What came behind the command may be an attacker's (CVE-2011-0411).
  input_.Clear();
  parser_.Reset();
  state_ = State::kAwaitTls;
  return StartTls();
}

void SieveDownstream::TlsEstablished(const TlsFacts& facts) {
  GATEHOUSE_CHECK(state_ == State::kAwaitTls, "TLS wasn't asked for");
  options_.tls_active = true;
  options_.tls = facts;
  state_ = State::kAwaitCommand;
  ListCapabilities("TLS is active.");
}

SieveDownstream::Outcome SieveDownstream::OnAuthenticate(const Words& words) {
  std::optional<std::string_view> initial;
  if (words.size() == 3) initial = words[2].text.Reveal();
  return OnSaslStep(sasl_.Start(words[1].text.Reveal(), initial, options_));
}

SieveDownstream::Outcome SieveDownstream::OnSaslLine(const Words& words) {
  if (words.size() != 1 || !words[0].IsString()) return OnBadLine();
  return OnSaslStep(sasl_.Respond(words[0].text.Reveal()));
}

SieveDownstream::Outcome SieveDownstream::OnSaslStep(SaslStep step) {
  state_ = State::kAwaitCommand;
  if (const auto* challenge = std::get_if<SaslChallenge>(&step)) {
    state_ = State::kAwaitSasl;
    AppendSieveString(challenge->base64, SieveSender::kServer, output_);
    return Say("");
  }
  if (auto* attempt = std::get_if<LoginAttempt>(&step)) {
    state_ = State::kAwaitVerdict;
    attempted_ = attempt->credentials;
    return std::move(*attempt);
  }
  return OnSaslError(std::get<SaslError>(step));
}

SieveDownstream::Outcome SieveDownstream::OnSaslError(SaslError error) {
  switch (error) {
    case SaslError::kUnknownMechanism:
      return Bad("NO \"This mechanism isn't offered.\"");
    case SaslError::kEncryptionNeeded:
      return Bad(kEncryptNeeded);
    case SaslError::kCancelled:
      return Bad("NO \"Cancelled.\"");
    case SaslError::kMalformed:
      return Bad(
          "NO \"This isn't base64, or not a message of the mechanism.\"");
    case SaslError::kRefusedCredentials:
      return Refuse(LoginRefusal::Kind::kCredentials);
  }
  return std::nullopt;
}

// --- The verdict -------------------------------------------------------------

void SieveDownstream::LoginAccepted(const UpstreamReady& upstream) {
  GATEHOUSE_CHECK(state_ == State::kAwaitVerdict, "no login under way");
  state_ = State::kAccepted;
  Say("OK \"Logged in.\"");
}

void SieveDownstream::LoginRefused(const LoginRefusal& refusal) {
  GATEHOUSE_CHECK(state_ == State::kAwaitVerdict, "no login under way");
  state_ = State::kAwaitCommand;
  const std::string challenge = TokenRefusalChallenge(attempted_, refusal);
  if (challenge.empty()) {
    Refuse(refusal.kind);
    return;
  }
  refusal_ = refusal.kind;
  state_ = State::kAwaitSaslEnd;
  AppendSieveString(challenge, SieveSender::kServer, output_);
  Say("");
}

SieveDownstream::Outcome SieveDownstream::Refuse(LoginRefusal::Kind kind) {
  state_ = State::kAwaitCommand;
  Say(RefusalReply(kind));
  if (!BlamesClient(kind)) return std::nullopt;
  if (++failed_logins_ < options_.limits.failed_logins) return std::nullopt;
  Say("BYE \"Too many failed logins.\"");
  return Close(Closed::Reason::kTooManyFailedLogins, "");
}

void SieveDownstream::Shutdown(ShutdownReason reason) {
  CheckNotHandedOver();
  if (state_ == State::kClosed) return;
  if (!greeted_) output_.clear();  // BYE is the greeting, then
  switch (reason) {
    case ShutdownReason::kDraining:
      Say("BYE (TRYLATER) \"Closing, try again later.\"");
      break;
    case ShutdownReason::kTimeout:
      Say("BYE \"No login in time.\"");
      break;
    case ShutdownReason::kTooManyConnections:
      Say("BYE (TRYLATER) \"Too many connections.\"");
      break;
  }
  Close(Closed::Reason::kShutdown, StateName());
}

// --- Replies -----------------------------------------------------------------

SieveDownstream::Outcome SieveDownstream::Say(std::string_view reply) {
  output_.append(reply).append("\r\n");
  return std::nullopt;
}

SieveDownstream::Outcome SieveDownstream::Bad(std::string_view reply) {
  Say(reply);
  if (++bad_commands_ < options_.limits.bad_commands) return std::nullopt;
  Say("BYE \"Too many errors.\"");
  return Close(Closed::Reason::kTooManyErrors, "");
}

SieveDownstream::Outcome SieveDownstream::Close(Closed::Reason reason,
                                                std::string_view text) {
  state_ = State::kClosed;
  input_.Clear();
  parser_.Reset();
  closing_ = Closed{reason, std::string(text)};
  return std::nullopt;
}

}  // namespace gatehouse
