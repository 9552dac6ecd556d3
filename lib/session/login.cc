#include "lib/session/login.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/string_bridge.h"
#include "lib/protocol/event_names.h"
#include "lib/session/client_arrival.h"
#include "lib/session/login_refusal.h"
#include "lib/session/upstreams_met.h"

namespace gatehouse {
namespace {

// How often a mailbox on its way is looked for.
constexpr absl::Duration kMovePoll = absl::Milliseconds(250);

LoginRefusal OfKind(LoginRefusal::Kind kind) {
  LoginRefusal refusal;
  refusal.kind = kind;
  return refusal;
}

}  // namespace

Login::Login(Network& network, LogSink& log, const SessionSettings& settings,
             const ListenerSettings& listener, SessionRecord& record,
             std::unique_ptr<Stream> downstream, RefusalObserver on_refusal,
             absl::AnyInvocable<void()> on_client_named,
             absl::AnyInvocable<void(Outcome)> done)
    : network_(network),
      log_(log),
      settings_(settings),
      listener_(listener),
      record_(record),
      on_refusal_(std::move(on_refusal)),
      on_client_named_(std::move(on_client_named)),
      done_(std::move(done)),
      downstream_(std::move(downstream)) {}

Login::~Login() = default;

// --- The client: TLS, greeting, commands -------------------------------------

void Login::Start() {
  downstream_->set_handler(this);
  deadline_ = network_.StartTimer(settings_.login_timeout, [this] {
    Shutdown(DownstreamMachine::ShutdownReason::kTimeout);
  });
  if (OwesProxyHeader(listener_, record_.peer)) {
    proxy_header_ = std::make_unique<ProxyHeaderParser>();
    return downstream_->ResumeReading();
  }
  BeginProtocol();
}

void Login::ReadProxyHeader(std::string_view bytes) {
  size_t consumed = 0;
  switch (proxy_header_->Feed(bytes, consumed)) {
    case ProxyHeaderParser::Status::kNeedData:
      return;
    case ProxyHeaderParser::Status::kViolation:
      return End("violation", proxy_header_->violation());
    case ProxyHeaderParser::Status::kDone:
      break;
  }
  if (consumed < bytes.size()) downstream_->Unread(bytes.substr(consumed));
  OnProxyHeader(proxy_header_->header());
}

void Login::OnProxyHeader(const ProxyHeader& header) {
  NoteClient(header, record_);
  proxied_local_ = header.destination.Unmapped();
  const bool from_client = !header.local;
  proxy_header_.reset();
  BeginProtocol();
  if (from_client) on_client_named_();
}

void Login::BeginProtocol() {
  if (listener_.tls == TlsMode::kImplicit) return BeginTls();
  Greet();
}

void Login::BeginTls() {
  in_handshake_ = true;
  downstream_->StartServerTls(*settings_.tls_context);
  downstream_->ResumeReading();
}

void Login::OnTlsEstablished() {
  in_handshake_ = false;
  tls_facts_ = FactsOf(*downstream_->tls_session());
  record_.tls = tls_facts_.version;
  if (machine_ == nullptr) return Greet();
  machine_->TlsEstablished(tls_facts_);
  Pump();
}

void Login::Greet() {
  machine_ = settings_.protocol->NewDownstream(
      DownstreamOptionsFor(settings_, listener_, record_, tls_facts_));
  downstream_->ResumeReading();
  Pump();
}

void Login::OnData(std::string_view bytes) {
  if (proxy_header_ != nullptr) return ReadProxyHeader(bytes);
  if (forged_header_.Feed(bytes)) {
    return End("violation",
               "a PROXY header from a peer outside proxyProtocolFrom");
  }
  machine_->Feed(bytes);
  Pump();
}

void Login::OnEof() {
  if (machine_ == nullptr || in_handshake_) {
    return End("eof", "before the greeting or in the TLS handshake");
  }
  machine_->FeedEof();
  Pump();
}

void Login::OnDrained() { RegulateReading(); }

void Login::OnFailure(const Failure& failure) {
  End(failure.kind == Failure::Kind::kTls ? "tls_failed" : "reset",
      failure.text);
}

void Login::Pump() {
  for (;;) {
    DownstreamEvent event = machine_->Next();
    WriteOutput();
    if (auto* attempt = std::get_if<LoginAttempt>(&event)) {
      OnAttempt(std::move(*attempt));
    } else if (std::holds_alternative<StartTls>(event)) {
      return BeginTls();
    } else if (auto* closed = std::get_if<Closed>(&event)) {
      return End(NameOf(closed->reason), closed->text);
    } else {
      return RegulateReading();
    }
  }
}

void Login::WriteOutput() {
  std::string output = machine_->TakeOutput();
  if (!output.empty()) downstream_->Write(output);
}

// A client that doesn't read its replies, or pipelines more than is held for
// it, isn't read from either.
void Login::RegulateReading() {
  if (machine_ == nullptr || in_handshake_) return;
  if (machine_->input_wanted() &&
      downstream_->queued_bytes() <= kMostUnreadReplyBytes) {
    downstream_->ResumeReading();
  } else {
    downstream_->PauseReading();
  }
}

// --- Who is this? ------------------------------------------------------------

void Login::OnAttempt(LoginAttempt attempt) {
  attempt_ = std::move(attempt);
  attempt_began_ = network_.Now();
  record_.mechanism = attempt_.mechanism;
  record_.user.clear();
  record_.master = "";
  identity_ = {};
  if (HasFailedTooOften(settings_, record_, attempt_began_)) {
    return Refuse(OfKind(LoginRefusal::Kind::kLimit));
  }
  auto identified = IdentifyLogin(attempt_, settings_.names, settings_.masters);
  if (auto* refused = std::get_if<LoginRefusal::Kind>(&identified)) {
    return Refuse(OfKind(*refused));
  }
  identity_ = std::move(std::get<LoginIdentity>(identified));
  record_.master = identity_.master;
  if (CheckedHere()) return Authenticate(identity_.password_owner());
  Locate(identity_.user);
}

// A token is for the upstream to judge, a certificate has been judged. A
// password that isn't replayed is never seen by the upstream, so that leaving
// it to that would let everybody in.
bool Login::CheckedHere() const {
  const bool judged_upstream =
      !settings_.authenticate_on_proxy &&
      settings_.upstream.login == UpstreamSettings::Login::kReplay;
  return attempt_.credentials == Credentials::kPassword && !judged_upstream;
}

void Login::Authenticate(std::string_view user) {
  wait_ = settings_.directory->Authenticate(
      user, attempt_.secret, [this](AuthenticateResult result) {
        OnAuthenticated(std::move(result));
      });
}

void Login::OnAuthenticated(AuthenticateResult result) {
  record_.directory = network_.Now() - attempt_began_;
  if (auto* denial = std::get_if<Denial>(&result)) {
    // It says nothing of a user whose master it is about.
    return OnDenied(*denial, identity_.master.empty() ? identity_.user : "");
  }
  if (auto* failure = std::get_if<Failure>(&result)) {
    return OnDirectoryFailure(*failure);
  }
  Account& account = std::get<Account>(result);
  if (!identity_.master.empty()) {
    record_.master = identity_.master = account.user;
    return Locate(identity_.user);
  }
  record_.user = account.user;
  if (account.location) return OnFound(*account.location);
  Locate(record_.user);
}

// --- Where is the mailbox? ---------------------------------------------------

void Login::Locate(std::string_view user) {
  awaiting_move_ = false;
  if (auto known = settings_.directory->LocateNow(user)) {
    return OnLocated(std::move(*known));
  }
  wait_ = settings_.directory->Locate(
      user, [this](LocateResult result) { OnLocated(std::move(result)); });
}

void Login::OnLocated(LocateResult result) {
  record_.directory = network_.Now() - attempt_began_;
  if (auto* failure = std::get_if<Failure>(&result)) {
    return OnDirectoryFailure(*failure);
  }
  if (auto* denial = std::get_if<Denial>(&result)) {
    if (*denial != Denial::kNotFound) return OnDenied(*denial, identity_.user);
    Location unknown;  // may still be known to the default upstream
    unknown.user = record_.user.empty() ? identity_.user : record_.user;
    return OpenUpstream(unknown);
  }
  OnFound(*std::get<SharedLocation>(result));
}

void Login::OnFound(const Location& location) {
  record_.user = location.user;
  OpenUpstream(location);
}

void Login::AwaitMove() {
  if (network_.Now() - attempt_began_ >= settings_.move_hold) {
    return OnDirectoryFailure({Failure::Side::kDirectory,
                               Failure::Kind::kTimeout, Failure::Retry::kSafe,
                               "the mailbox is still being moved"});
  }
  awaiting_move_ = true;
  wait_ = network_.StartTimer(kMovePoll, [this] { Locate(identity_.user); });
}

void Login::LookAgain() {
  if (awaiting_move_) Locate(identity_.user);
}

// --- The upstream ------------------------------------------------------------

void Login::OpenUpstream(const Location& location) {
  if (location.moving) return AwaitMove();
  const auto target = TargetOf(settings_, location);
  if (!target) return Refuse(OfKind(LoginRefusal::Kind::kCredentials));
  record_.upstream = target->endpoint.ToString();
  if (attempt_.proxy_ttl <= 1) return OnLoop();
  wait_ = OpenUpstreamSession(
      network_, *settings_.protocol, settings_.upstream, *target,
      OptionsFor(location),
      [this, target, user = location.user](UpstreamOutcome outcome) {
        OnUpstream(*target, user, std::move(outcome));
      });
}

UpstreamOptions Login::OptionsFor(const Location& location) {
  const UpstreamSettings& upstream = settings_.upstream;
  UpstreamOptions options;
  options.host_name = settings_.host_name;
  if (settings_.capabilities != nullptr) {
    options.expected_capabilities = settings_.capabilities->Get();
  }
  options.login.user = location.user;
  options.login.utf8 = attempt_.utf8;
  if (attempt_.credentials == Credentials::kToken) {
    options.login.method = UpstreamLogin::Method::kToken;
    options.login.token_mechanism = attempt_.mechanism;
    options.login.secret = std::move(attempt_.secret);
  } else if (upstream.login == UpstreamSettings::Login::kXclient) {
    options.login.method = UpstreamLogin::Method::kXclient;
  } else if (upstream.login == UpstreamSettings::Login::kMasterUser) {
    options.login.method = UpstreamLogin::Method::kMasterUser;
    options.login.master_user = upstream.master_user;
    options.login.secret = upstream.master_password.Clone();
  } else if (!identity_.master.empty()) {
    options.login.method = UpstreamLogin::Method::kMasterUser;
    options.login.master_user = identity_.master;
    options.login.secret = std::move(attempt_.secret);
  } else {
    options.login.method = UpstreamLogin::Method::kPassword;
    options.login.secret = std::move(attempt_.secret);
  }
  options.proxy_ttl = attempt_.proxy_ttl - 1;
  options.client.client = record_.peer;
  if (upstream.forward_client != UpstreamSettings::ForwardClient::kNone) {
    options.client.proxy = proxied_local_.is_set()
                               ? proxied_local_
                               : downstream_->local().Unmapped();
  }
  options.client.session_id = record_.id;
  options.client.helo = attempt_.helo;
  options.client.tls_active = !record_.tls.empty();
  options.client.tls = tls_facts_;
  return options;
}

void Login::OnUpstream(const UpstreamTarget& target, const std::string& user,
                       UpstreamOutcome outcome) {
  record_.connecting = outcome.connecting;
  record_.upstream_login = outcome.logging_in;
  if (auto* failed = std::get_if<UpstreamFailed>(&outcome.result)) {
    return OnUpstreamRefusal(std::move(*failed));
  }
  record_.user = user;
  if (settings_.upstreams_met != nullptr) {
    settings_.upstreams_met->Note(target, network_.Now());
  }
  Join(std::move(std::get<UpstreamSession>(outcome.result)));
}

void Login::Join(UpstreamSession upstream) {
  machine_->LoginAccepted(upstream.ready);
  WriteOutput();
  Joined joined;
  joined.to_store = machine_->TakeTrailing();
  joined.to_client = std::move(upstream.trailing);
  downstream_->PauseReading();
  downstream_->set_handler(nullptr);
  joined.downstream = std::move(downstream_);
  joined.upstream = std::move(upstream.stream);
  record_.until_joined = network_.Now() - record_.began;
  attempt_.secret.Wipe();
  auto done = std::move(done_);
  done(std::move(joined));
}

// --- What goes wrong ---------------------------------------------------------

void Login::OnDenied(Denial denial, std::string_view name) {
  Refuse(OfKind(NoteDenial(denial, name, record_)));
}

void Login::OnDirectoryFailure(const Failure& failure) {
  LogFailure("directory_failure", failure);
  Refuse(OfKind(LoginRefusal::Kind::kUnavailable));
}

// A password that the directory has just found right, or the master user's,
// can't be "wrong": the client mustn't ask its user for another one.
void Login::OnUpstreamRefusal(UpstreamFailed failed) {
  LogFailure("upstream_failure", failed.failure);
  const bool users_own =
      !CheckedHere() &&
      (attempt_.credentials == Credentials::kToken ||
       settings_.upstream.login == UpstreamSettings::Login::kReplay);
  const bool blames_user =
      failed.refusal.kind == LoginRefusal::Kind::kCredentials ||
      failed.refusal.kind == LoginRefusal::Kind::kAuthorization;
  if (blames_user && !users_own) {
    if (settings_.upstream.login == UpstreamSettings::Login::kReplay) {
      settings_.directory->ForgetPassword(identity_.password_owner());
    }
    failed.refusal = OfKind(LoginRefusal::Kind::kContactAdmin);
  }
  Refuse(std::move(failed.refusal));
}

// It has come through so many front ends that each must be the other's
// upstream.
void Login::OnLoop() {
  LogFailure("upstream_failure",
             {Failure::Side::kUpstream, Failure::Kind::kConfiguration,
              Failure::Retry::kNo,
              "a login loop: this login has come through too many front ends"});
  Refuse(OfKind(LoginRefusal::Kind::kContactAdmin));
}

void Login::Refuse(LoginRefusal refusal) {
  attempt_.secret.Wipe();
  on_refusal_(refusal.kind);
  const LoginRefusal::Kind kind = refusal.kind;
  wait_ =
      AnswerRefusal(network_, settings_, record_, kind,
                    identity_.password_owner(), attempt_began_,
                    [this, refusal = std::move(refusal)] { Answer(refusal); });
}

void Login::Answer(const LoginRefusal& refusal) {
  machine_->LoginRefused(refusal);
  Pump();
}

void Login::LogFailure(std::string_view event, const Failure& failure) {
  LogRecord log(event, LogRecord::Level::kWarning);
  log.Text("service", settings_.protocol->name())
      .Text("session", record_.id)
      .Text("user", record_.user)
      .Text("upstream", record_.upstream)
      .Text("side", SideName(failure.side))
      .Text("kind", KindName(failure.kind))
      .Text("detail", failure.text);
  log_.Write(log);
}

// --- The end -----------------------------------------------------------------

void Login::Shutdown(DownstreamMachine::ShutdownReason reason) {
  wait_.reset();
  awaiting_move_ = false;
  if (machine_ == nullptr || in_handshake_) {
    return End("shutdown", "before the greeting or in the TLS handshake");
  }
  record_.detail = reason == DownstreamMachine::ShutdownReason::kTimeout
                       ? "no login in time"
                       : "";
  machine_->Shutdown(reason);
  Pump();
}

void Login::End(std::string_view how, std::string_view detail) {
  wait_.reset();
  deadline_.reset();
  record_.end = how;
  if (record_.detail.empty()) {
    record_.detail = detail;
  } else if (!detail.empty()) {
    record_.detail =
        absl::StrCat(ToAbsl(record_.detail), " (", ToAbsl(detail), ")");
  }
  if (downstream_ != nullptr) Stream::CloseAfterFlush(std::move(downstream_));
  auto done = std::move(done_);
  done(Ended{});
}

}  // namespace gatehouse
