// Rules: RFC 5321 §3, §4.1 (commands and their order), §4.2.4 (codes), §4.5.3
// (sizes); RFC 3207 §4.2 (STARTTLS); RFC 4954 §4 (AUTH); RFC 3463 and RFC 5248
// (enhanced codes).
//
// Only CRLF ends a line. A CR or LF elsewhere, or a NUL, ends the conversation:
// whatever stands behind it would be a command to one reader and a part of the
// message to another.

#include "lib/protocol/smtp/smtp_conversation.h"

#include <utility>

#include "absl/strings/match.h"
#include "lib/base/check.h"
#include "lib/base/string_bridge.h"
#include "lib/protocol/http_request.h"
#include "lib/protocol/smtp/smtp_auth_reply.h"
#include "lib/protocol/smtp/smtp_command.h"
#include "lib/protocol/smtp/smtp_offer.h"

namespace gatehouse {
namespace {

bool EqualsIgnoringCase(std::string_view a, std::string_view b) {
  return absl::EqualsIgnoreCase(ToAbsl(a), ToAbsl(b));
}

}  // namespace

struct SmtpConversation::Command {
  std::string_view name;
  Outcome (SmtpConversation::*handler)(std::string_view arguments);
  bool takes_arguments;
  bool needs_login;  // in submission: 530 before it
  bool idle;         // brings no mail nearer
};

const SmtpConversation::Command SmtpConversation::kCommands[] = {
    {"AUTH", &SmtpConversation::OnAuth, true, false, true},
    {"BDAT", &SmtpConversation::OnBdat, true, false, false},
    {"DATA", &SmtpConversation::OnData, false, true, false},
    {"EHLO", &SmtpConversation::OnEhlo, true, false, true},
    {"HELO", &SmtpConversation::OnHelo, true, false, true},
    {"HELP", &SmtpConversation::OnHelp, true, false, true},
    {"MAIL", &SmtpConversation::OnMail, true, true, false},
    {"NOOP", &SmtpConversation::OnNoop, true, false, true},
    {"QUIT", &SmtpConversation::OnQuit, false, false, true},
    {"RCPT", &SmtpConversation::OnRcpt, true, true, false},
    {"RSET", &SmtpConversation::OnRset, false, false, true},
    {"STARTTLS", &SmtpConversation::OnStartTls, false, false, true},
    {"VRFY", &SmtpConversation::OnVrfy, true, true, true},
    // Not for strangers: a client that could say who it is would forge
    // what upstreams are told.
    {"ETRN", &SmtpConversation::OnNotOurs, true, false, true},
    {"EXPN", &SmtpConversation::OnNotOurs, true, false, true},
    {"TURN", &SmtpConversation::OnNotOurs, true, false, true},
    {"XCLIENT", &SmtpConversation::OnNotOurs, true, false, true},
    {"XFORWARD", &SmtpConversation::OnNotOurs, true, false, true},
};

SmtpConversation::SmtpConversation(SmtpReceiverOptions options)
    : options_(std::move(options)),
      intake_(ReadSmtpExtensions(SmtpOffer(options_)).size.value_or(0)) {
  // A token is for the upstream that knows its issuer, and none is asked here.
  if (!options_.hands_over) options_.downstream.token_mechanisms = false;
  if (options_.hands_over) {
    const auto& learned = options_.downstream.upstream_capabilities;
    options_.downstream.upstream_mechanisms = learned == nullptr
                                                  ? std::vector<std::string>()
                                                  : SmtpMechanisms(*learned);
  }
  Say(220, "", options_.downstream.host_name + " ESMTP");
}

void SmtpConversation::Feed(std::string_view bytes) {
  if (state_ != State::kClosed) input_.Append(bytes);
}

bool SmtpConversation::input_wanted() const {
  return input_.size() < options_.downstream.limits.held_bytes;
}

std::string SmtpConversation::TakeOutput() {
  greeted_ = true;
  return std::exchange(output_, "");
}

std::string_view SmtpConversation::StateName() const {
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
    case State::kAwaitMailAnswer:
      return "AwaitMailAnswer";
    case State::kAwaitRcptAnswer:
      return "AwaitRcptAnswer";
    case State::kAwaitGoAhead:
      return "AwaitGoAhead";
    case State::kAwaitBody:
      return "AwaitBody";
    case State::kAwaitCommit:
      return "AwaitCommit";
    case State::kHandsOver:
      return "HandsOver";
    case State::kClosed:
      return "Closed";
  }
  return "";
}

bool SmtpConversation::reads_line() const {
  return state_ == State::kAwaitCommand || state_ == State::kAwaitSasl ||
         state_ == State::kAwaitSaslEnd;
}

SmtpReceiverEvent SmtpConversation::Next() {
  for (;;) {
    if (queued_) return *std::exchange(queued_, std::nullopt);
    Outcome outcome = Paused();
    if (reads_line()) {
      outcome = ReadLine();
    } else if (state_ == State::kAwaitBody) {
      outcome = ReadBody();
    }
    if (outcome) return *std::move(outcome);
  }
}

SmtpConversation::Outcome SmtpConversation::NeedMore() {
  if (!eof_) return NeedData();
  return Close(Closed::Reason::kEof, "");
}

// --- Lines -------------------------------------------------------------------

SmtpConversation::Outcome SmtpConversation::ReadLine() {
  const bool sasl = state_ != State::kAwaitCommand;
  Secret line;  // it may be a password
  switch (lines_.Read(input_, sasl, line)) {
    case SmtpLineReader::Status::kNeedData:
      return NeedMore();
    case SmtpLineReader::Status::kBroken:
      return Break();
    case SmtpLineReader::Status::kTooLong:
      state_ = State::kAwaitCommand;
      return Bad(
          500, lines_.longest_bytes() == kSmtpAuthLineBytes ? "5.5.6" : "5.5.2",
          "The line is too long.");
    case SmtpLineReader::Status::kLine:
      break;
  }
  if (state_ == State::kAwaitSaslEnd) {
    return RefuseLogin(refused_login_);
  }
  return sasl ? OnSaslStep(sasl_.Respond(line.Reveal()))
              : OnCommand(line.Reveal());
}

SmtpConversation::Outcome SmtpConversation::OnCommand(std::string_view line) {
  if (IsHttpRequest(line)) {
    Say(502, "5.5.1", "This is SMTP.");
    return Close(Closed::Reason::kViolation, "speaks HTTP");
  }
  while (line.ends_with(' ')) line.remove_suffix(1);
  const std::string_view name = line.substr(0, line.find(' '));
  for (const Command& command : kCommands) {
    if (!EqualsIgnoringCase(name, command.name)) continue;
    if (command.idle && IdlesTooLong()) return LeaveIdler();
    if (command.needs_login && login_missing()) return Bad(WhyNoLogin());
    const bool bare = name.size() == line.size();
    if (!bare && !command.takes_arguments) {
      return Bad(501, "5.5.4", "This command takes no argument.");
    }
    return (this->*command.handler)(bare ? "" : line.substr(name.size() + 1));
  }
  return Bad(500, "5.5.1", "Unknown command.");
}

bool SmtpConversation::IdlesTooLong() {
  return ++idle_commands_ > options_.downstream.limits.commands;
}

SmtpConversation::Outcome SmtpConversation::LeaveIdler() {
  return Leave(Closed::Reason::kLimit, "Too many commands without mail.");
}

// --- Hello, TLS, login -------------------------------------------------------

SmtpConversation::Outcome SmtpConversation::OnHelo(std::string_view arguments) {
  return Greet(arguments, false);
}

SmtpConversation::Outcome SmtpConversation::OnEhlo(std::string_view arguments) {
  return Greet(arguments, true);
}

SmtpConversation::Outcome SmtpConversation::Greet(std::string_view name,
                                                  bool esmtp) {
  if (!IsSmtpHelo(name)) {
    return Bad(501, "5.5.4", "Say what you are called.");
  }
  helo_ = name;
  esmtp_ = esmtp;
  SmtpReply reply = MakeSmtpReply(250, "", options_.downstream.host_name);
  if (esmtp) {
    const SmtpKeywordLines offer = SmtpOffer(options_);
    known_ = ReadSmtpExtensions(offer);
    reply.lines.insert(reply.lines.end(), offer.begin(), offer.end());
  } else {
    known_ = {};
  }
  Say(reply);
  return EndTransaction();
}

SmtpConversation::Outcome SmtpConversation::OnStartTls(std::string_view) {
  if (options_.downstream.tls_active) {
    return Bad(503, "5.5.1", "TLS is active already.");
  }
  if (!options_.downstream.start_tls_offered) {
    return Bad(502, "5.5.1", "TLS isn't offered here.");
  }
  // TLS would forget the login (RFC 3207 §4.2), and has nothing left to hide.
  if (authenticated_) return Bad(503, "5.5.1", "Too late for TLS.");
  Say(220, "2.0.0", "Begin TLS.");
  // What came behind the command may be an attacker's (CVE-2011-0411).
  input_.Clear();
  state_ = State::kAwaitTls;
  queued_ = StartTls();
  return EndTransaction();
}

void SmtpConversation::TlsEstablished(const TlsFacts& facts) {
  GATEHOUSE_CHECK(state_ == State::kAwaitTls, "TLS wasn't asked for");
  options_.downstream.tls_active = true;
  options_.downstream.tls = facts;
  // Also what came behind the command in a segment of its own.
  input_.Clear();
  helo_.clear();
  esmtp_ = false;
  known_ = {};
  state_ = State::kAwaitCommand;
}

bool SmtpConversation::login_missing() const {
  return options_.auth_required && !authenticated_;
}

SmtpReply SmtpConversation::WhyNoLogin() const {
  const bool tls_first = !MaySendCredentials(options_.downstream);
  return MakeSmtpReply(530, "5.7.0",
                       tls_first ? "Must issue a STARTTLS command first."
                                 : "Authentication required.");
}

SmtpConversation::Outcome SmtpConversation::OnAuth(std::string_view arguments) {
  if (!options_.auth_required) return OnNotOurs(arguments);
  if (!esmtp_) return Bad(503, "5.5.1", "Say EHLO first.");
  if (authenticated_) return Bad(503, "5.5.1", "Authenticated already.");
  if (transaction_.open) {
    return Bad(503, "5.5.1", "Not inside of a transaction.");
  }
  const std::string_view mechanism = arguments.substr(0, arguments.find(' '));
  if (mechanism.empty()) return Bad(501, "5.5.4", "Say AUTH mechanism.");
  std::optional<std::string_view> initial;
  if (mechanism.size() != arguments.size()) {
    initial = arguments.substr(mechanism.size() + 1);
  }
  return OnSaslStep(sasl_.Start(mechanism, initial, options_.downstream));
}

SmtpConversation::Outcome SmtpConversation::OnSaslStep(SaslStep step) {
  state_ = State::kAwaitCommand;
  if (const auto* challenge = std::get_if<SaslChallenge>(&step)) {
    state_ = State::kAwaitSasl;
    return Say(334, "", challenge->base64);
  }
  if (auto* attempt = std::get_if<LoginAttempt>(&step)) {
    state_ = State::kAwaitVerdict;
    attempted_ = attempt->credentials;
    attempt->helo = helo_;
    return std::move(*attempt);
  }
  const SaslError error = std::get<SaslError>(step);
  return error == SaslError::kRefusedCredentials
             ? RefuseLogin(LoginRefusal::Kind::kCredentials)
             : Bad(SmtpReplyFor(error));
}

void SmtpConversation::LoginAccepted() {
  GATEHOUSE_CHECK(state_ == State::kAwaitVerdict, "no login under way");
  state_ = options_.hands_over ? State::kHandsOver : State::kAwaitCommand;
  authenticated_ = true;
  Say(235, "2.7.0", "Authenticated.");
}

std::string SmtpConversation::TakeTrailing() {
  GATEHOUSE_CHECK(state_ == State::kHandsOver, "no login to hand over");
  std::string trailing(input_.bytes());
  input_.Clear();
  return trailing;
}

void SmtpConversation::LoginRefused(const LoginRefusal& refusal) {
  GATEHOUSE_CHECK(state_ == State::kAwaitVerdict, "no login under way");
  const std::string challenge = TokenRefusalChallenge(attempted_, refusal);
  if (challenge.empty()) {
    RefuseLogin(refusal.kind);
    return;
  }
  refused_login_ = refusal.kind;
  state_ = State::kAwaitSaslEnd;
  Say(334, "", challenge);
}

SmtpConversation::Outcome SmtpConversation::RefuseLogin(
    LoginRefusal::Kind kind) {
  state_ = State::kAwaitCommand;
  Say(SmtpReplyFor(kind));
  if (!BlamesClient(kind)) return std::nullopt;
  if (++failed_logins_ < options_.downstream.limits.failed_logins) {
    return std::nullopt;
  }
  return Leave(Closed::Reason::kTooManyFailedLogins, "Too many failed logins.");
}

// --- Other commands ----------------------------------------------------------

SmtpConversation::Outcome SmtpConversation::OnNoop(std::string_view) {
  return Say(250, "2.0.0", "OK.");
}

// RFC 5321 §3.5.3: never tells who exists.
SmtpConversation::Outcome SmtpConversation::OnVrfy(std::string_view arguments) {
  if (arguments.empty()) return Bad(501, "5.5.4", "Say VRFY address.");
  return Say(252, "2.5.0", "Send it, and see.");
}

SmtpConversation::Outcome SmtpConversation::OnHelp(std::string_view) {
  return Say(214, "2.0.0", "See RFC 5321.");
}

SmtpConversation::Outcome SmtpConversation::OnQuit(std::string_view) {
  Say(221, "2.0.0", "Bye.");
  return Close(Closed::Reason::kLogout, "");
}

SmtpConversation::Outcome SmtpConversation::OnNotOurs(std::string_view) {
  return Bad(502, "5.5.1", "This command isn't offered here.");
}

// --- Replies and the end -----------------------------------------------------

SmtpConversation::Outcome SmtpConversation::Say(const SmtpReply& reply) {
  output_ += FormatSmtpReply(reply);
  return std::nullopt;
}

SmtpConversation::Outcome SmtpConversation::Say(int code,
                                                std::string_view enhanced,
                                                std::string_view text) {
  return Say(MakeSmtpReply(code, enhanced, text));
}

SmtpConversation::Outcome SmtpConversation::Bad(const SmtpReply& reply) {
  Say(reply);
  if (++bad_commands_ < options_.downstream.limits.bad_commands) {
    return std::nullopt;
  }
  return Leave(Closed::Reason::kTooManyErrors, "Too many errors.");
}

SmtpConversation::Outcome SmtpConversation::Bad(int code,
                                                std::string_view enhanced,
                                                std::string_view text) {
  return Bad(MakeSmtpReply(code, enhanced, text));
}

SmtpConversation::Outcome SmtpConversation::Break() {
  Say(521, "5.5.2", "Lines end in CRLF and hold no CR, LF or NUL.");
  return Close(Closed::Reason::kViolation, "bare CR, LF or NUL");
}

// RFC 5321 §3.8: not without 421.
SmtpConversation::Outcome SmtpConversation::Leave(Closed::Reason reason,
                                                  std::string_view text) {
  Say(421, "4.7.0", text);
  return Close(reason, text);
}

SmtpConversation::Outcome SmtpConversation::Close(Closed::Reason reason,
                                                  std::string_view text) {
  state_ = State::kClosed;
  input_.Clear();
  queued_ = Closed{reason, std::string(text)};
  return std::nullopt;
}

void SmtpConversation::Shutdown(DownstreamMachine::ShutdownReason reason) {
  if (state_ == State::kClosed) return;
  if (!greeted_) output_.clear();  // the reply is the greeting, then
  switch (reason) {
    case DownstreamMachine::ShutdownReason::kDraining:
      Say(421, "4.3.2", "Closing, try again later.");
      break;
    case DownstreamMachine::ShutdownReason::kTimeout:
      Say(421, "4.4.2", "You took too long.");
      break;
    case DownstreamMachine::ShutdownReason::kTooManyConnections:
      Say(421, "4.7.0", "Too many connections.");
      break;
  }
  Close(Closed::Reason::kShutdown, "");
}

}  // namespace gatehouse
