#include "lib/session/mail_session.h"

#include <type_traits>
#include <utility>
#include <vector>

#include "lib/protocol/event_names.h"
#include "lib/session/client_arrival.h"
#include "lib/session/mail_offer.h"
#include "lib/session/upstream_pool.h"

namespace gatehouse {
namespace {

// How often a message may come by: a fallback relay may hand one to us again,
// and what its upstreams leave over once more.
constexpr int kMostOwnHops = 4;

std::string SenderText(const SmtpMail& mail) {
  return mail.sender ? mail.sender->ToString() : "";
}

}  // namespace

MailSession::MailSession(Network& network, LogSink& log,
                         std::shared_ptr<const SessionSettings> settings,
                         std::shared_ptr<const MailSettings> mail,
                         std::shared_ptr<const ListenerSettings> listener,
                         std::unique_ptr<Stream> downstream,
                         SessionOwner& owner)
    : network_(network),
      log_(log),
      owner_(owner),
      settings_(std::move(settings)),
      mail_(std::move(mail)),
      listener_(std::move(listener)),
      downstream_(std::move(downstream)),
      context_{network_, log_, *settings_, *mail_, {}} {
  record_.id = settings_->ids->Next();
  record_.peer = downstream_->peer().Unmapped();
  record_.began = network_.Now();
  party_.role = listener_->role;
}

MailSession::~MailSession() {
  ForgetTransaction();
  mail_->pool->CloseScope(record_.id);
}

// --- The client: PROXY header, TLS, greeting ---------------------------------

void MailSession::Start() {
  downstream_->set_handler(this);
  deadline_ = network_.StartTimer(settings_->login_timeout, [this] {
    record_.detail = "no login in time";
    Shutdown(DownstreamMachine::ShutdownReason::kTimeout);
  });
  if (OwesProxyHeader(*listener_, record_.peer)) {
    proxy_header_ = std::make_unique<ProxyHeaderParser>();
    return downstream_->ResumeReading();
  }
  BeginProtocol();
}

void MailSession::ReadProxyHeader(std::string_view bytes) {
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
  const ProxyHeader header = proxy_header_->header();
  proxy_header_.reset();
  NoteClient(header, record_);
  proxied_local_ = header.destination.Unmapped();
  BeginProtocol();
  if (!header.local) owner_.OnClientNamed(*this);
}

void MailSession::BeginProtocol() {
  if (listener_->tls == TlsMode::kImplicit) return BeginTls();
  AwaitSilence();
}

void MailSession::BeginTls() {
  in_handshake_ = true;
  downstream_->StartServerTls(*settings_->tls_context);
  downstream_->ResumeReading();
}

void MailSession::OnTlsEstablished() {
  in_handshake_ = false;
  tls_facts_ = FactsOf(*downstream_->tls_session());
  record_.tls = tls_facts_.version;
  if (receiver_ == nullptr) return AwaitSilence();
  receiver_->TlsEstablished(tls_facts_);
  Pump();
}

void MailSession::AwaitSilence() {
  const bool inbound = party_.role == MailRole::kInbound;
  if (inbound) deadline_.reset();
  if (!inbound || mail_->greeting_delay <= absl::ZeroDuration()) return Greet();
  greeting_ = network_.StartTimer(mail_->greeting_delay, [this] {
    const auto over = std::move(greeting_);
    Greet();
  });
  downstream_->ResumeReading();
}

void MailSession::RefuseEarlyTalker() {
  const std::string reply = FormatSmtpReply(MakeSmtpReply(
      554, "", settings_->host_name + " You spoke before you were greeted"));
  record_.bytes_to_client += reply.size();
  downstream_->Write(reply);
  End("violation", "spoke before the greeting");
}

void MailSession::Greet() {
  SmtpReceiverOptions options;
  options.downstream =
      DownstreamOptionsFor(*settings_, *listener_, record_, tls_facts_);
  options.downstream.upstream_capabilities = OfferedByRelaysToo(
      std::move(options.downstream.upstream_capabilities), *mail_, party_.role);
  options.message_bytes = mail_->message_bytes;
  options.recipients = mail_->recipients;
  options.transactions = mail_->transactions;
  options.auth_required = party_.role == MailRole::kSubmission;
  options.prdr_offered = mail_->prdr;
  receiver_ = std::make_unique<SmtpReceiver>(std::move(options));
  Pump();
}

// --- The conversation --------------------------------------------------------

void MailSession::OnData(std::string_view bytes) {
  if (proxy_header_ != nullptr) return ReadProxyHeader(bytes);
  if (forged_header_.Feed(bytes)) {
    return End("violation",
               "a PROXY header from a peer outside proxyProtocolFrom");
  }
  record_.bytes_from_client += bytes.size();
  if (greeting_ != nullptr) return RefuseEarlyTalker();
  receiver_->Feed(bytes);
  Pump();
}

void MailSession::OnEof() {
  if (receiver_ == nullptr || in_handshake_) {
    return End("eof", "before the greeting or in the TLS handshake");
  }
  receiver_->FeedEof();
  Pump();
}

void MailSession::OnFailure(const Failure& failure) {
  End(failure.kind == Failure::Kind::kTls ? "tls_failed" : "reset",
      failure.text);
}

void MailSession::Pump() {
  const bool awaited = std::exchange(awaits_client_, false);
  const uint64_t said = record_.bytes_to_client;
  while (room()) {
    SmtpReceiverEvent event = receiver_->Next();
    WriteOutput();
    if (std::holds_alternative<StartTls>(event)) {
      AwaitClient();  // its part of the handshake
      return BeginTls();
    }
    if (const auto* closed = std::get_if<Closed>(&event)) {
      return End(NameOf(closed->reason), closed->text);
    }
    if (std::holds_alternative<Paused>(event)) break;
    if (std::holds_alternative<NeedData>(event)) {
      if (ending_ && !in_body_) return Shutdown(*ending_);
      // Whoever drips a line is as good as silent.
      const bool in_line =
          awaited && receiver_->reads_line() && record_.bytes_to_client == said;
      if (in_line) {
        awaits_client_ = true;
      } else {
        AwaitClient();
      }
      break;
    }
    std::visit(
        [this](auto&& value) {
          if constexpr (requires { On(std::move(value)); }) {
            On(std::move(value));
          }
        },
        std::move(event));
  }
  RegulateReading();
}

void MailSession::WriteOutput() {
  const std::string output = receiver_->TakeOutput();
  record_.bytes_to_client += output.size();
  if (!output.empty()) downstream_->Write(output);
}

// The message goes on at the pace of its upstreams.
bool MailSession::room() const {
  return !in_body_ || fan_out_ == nullptr || fan_out_->room();
}

void MailSession::RegulateReading() {
  if (receiver_ == nullptr || in_handshake_) return;
  if (receiver_->input_wanted() && room() &&
      downstream_->queued_bytes() <= kMostUnreadReplyBytes) {
    downstream_->ResumeReading();
  } else {
    downstream_->PauseReading();
  }
}

void MailSession::AwaitClient() {
  awaits_client_ = true;
  silence_ =
      network_.StartTimer(mail_->timeouts.client, [this] { OnSilence(); });
}

// Whoever waits for us, or for an upstream, isn't silent.
void MailSession::OnSilence() {
  if (!awaits_client_) return;
  record_.detail = "said nothing for too long";
  Shutdown(DownstreamMachine::ShutdownReason::kTimeout);
}

// --- AUTH --------------------------------------------------------------------

void MailSession::On(LoginAttempt attempt) {
  login_ = std::make_unique<MailLogin>(
      network_, log_, *settings_, record_, std::move(attempt),
      [this](MailLogin::Verdict verdict) { OnVerdict(std::move(verdict)); });
  login_->Start();
}

void MailSession::OnVerdict(MailLogin::Verdict verdict) {
  // The login is destroyed behind its last call, not in it.
  const auto login = std::move(login_);
  if (const auto* refusal = std::get_if<LoginRefusal>(&verdict)) {
    owner_.OnLoginRefused(refusal->kind);
    receiver_->LoginRefused(*refusal);
    return Pump();
  }
  deadline_.reset();
  party_.authenticated = true;
  party_.addresses = std::move(std::get<Location>(verdict).addresses);
  party_.addresses.push_back(record_.user);
  receiver_->LoginAccepted();
  Pump();
}

// --- A message ---------------------------------------------------------------

void MailSession::On(const SmtpMailEvent& event) {
  if (!MaySendAs(*mail_, party_, event.mail.sender)) {
    return receiver_->Answer(ReplyTo(MailVerdict::kSenderNotOwned));
  }
  ClientFacts& client = context_.client;
  client.client = record_.peer;
  client.proxy = proxied_local_.is_set() ? proxied_local_
                                         : downstream_->local().Unmapped();
  client.session_id = record_.id;
  client.tls_active = !record_.tls.empty();
  client.tls = tls_facts_;
  client.helo = receiver_->helo();
  client.esmtp = receiver_->esmtp();
  envelope_ = event.mail;
  MailFanOut::Owner& owner = *this;
  fan_out_ = std::make_unique<MailFanOut>(context_, envelope_, owner);
  receiver_->Answer(MakeSmtpReply(250, "2.1.0", "Sender accepted"));
}

void MailSession::On(const SmtpRcptEvent& event) {
  rcpt_ = event.rcpt;
  const MailVerdict verdict =
      JudgeMail(*mail_, party_, envelope_.sender, rcpt_.recipient);
  switch (verdict) {
    case MailVerdict::kLocal:
      return Locate();
    case MailVerdict::kRelay:
      return fan_out_->AddRecipient({HostOf(*mail_->relay_host), rcpt_}, rcpt_);
    case MailVerdict::kLoginFirst:
    case MailVerdict::kSenderNotOwned:
    case MailVerdict::kRelayDenied:
      break;
  }
  const SmtpReply reply = ReplyTo(verdict);
  LogRefusal(reply);
  receiver_->Answer(reply);
}

void MailSession::Locate() {
  auto routing = LocateRecipient(*settings_, *mail_, rcpt_,
                                 [this](MailRouteResult result) {
                                   if (!Accepts(std::move(result))) Pump();
                                 });
  if (auto* known = std::get_if<MailRouteResult>(&routing)) {
    Accepts(std::move(*known));
  } else {
    wait_ = std::get<std::unique_ptr<Operation>>(std::move(routing));
  }
}

bool MailSession::Accepts(MailRouteResult result) {
  if (auto* route = std::get_if<MailRoute>(&result)) {
    fan_out_->AddRecipient(std::move(*route), rcpt_);
    return true;
  }
  const MailUnroutable& unroutable = std::get<MailUnroutable>(result);
  if (const auto& failure = unroutable.failure) {
    log_.Write(LogRecord("directory_failure", LogRecord::Level::kWarning)
                   .Text("service", "smtp")
                   .Text("session", record_.id)
                   .Text("recipient", rcpt_.recipient.ToString())
                   .Text("side", SideName(failure->side))
                   .Text("kind", KindName(failure->kind))
                   .Text("detail", failure->text));
  }
  LogRefusal(unroutable.reply);
  receiver_->Answer(unroutable.reply);
  return false;
}

void MailSession::OnRecipient(const SmtpReply& reply) {
  if (!reply.positive()) LogRefusal(reply);
  receiver_->Answer(reply);
  Pump();
}

void MailSession::On(const SmtpBodyEvent&) {
  in_body_ = true;
  message_bytes_ = 0;
  hops_.emplace(settings_->host_name);
  fan_out_->BeginBody();
}

void MailSession::OnBody(const std::optional<SmtpReply>& refusal) {
  if (refusal) {
    LogMessage(*refusal);
    owner_.OnMessage(*this, refusal->code);
    receiver_->Answer(*refusal);
    ForgetTransaction();  // and with it the refusal
  } else {
    fan_out_->Body(Received());
    receiver_->BodyAccepted();
  }
  Pump();
}

std::string MailSession::Received() const {
  MailTrace trace;
  trace.helo = receiver_->helo();
  trace.client = record_.peer;
  trace.host_name = settings_->host_name;
  trace.id = record_.id;
  trace.esmtp = receiver_->esmtp();
  trace.tls = !record_.tls.empty();
  trace.authenticated = party_.authenticated;
  trace.utf8 = envelope_.utf8;
  trace.time = network_.Now();
  return FormatReceived(trace);
}

void MailSession::On(const SmtpChunkEvent& event) {
  message_bytes_ += event.octets.size();
  hops_->Read(event.octets);
  if (hops_->hops() > mail_->hops || hops_->own_hops() > kMostOwnHops) {
    fan_out_->Refuse(MakeSmtpReply(554, "5.4.6", "Routing loop detected"));
  }
  fan_out_->Body(event.octets);
}

void MailSession::On(const SmtpEndOfBodyEvent&) { fan_out_->EndBody(); }

void MailSession::OnDone(const SmtpReply& reply) {
  LogMessage(reply);
  if (reply.positive()) ++messages_;
  owner_.OnMessage(*this, reply.code);
  if (fan_out_->answers_each()) {
    std::vector<SmtpReply> each;
    for (const auto& recipient : fan_out_->recipients()) {
      each.push_back(*recipient.outcome);
    }
    receiver_->AnswerEach(each, reply);
  } else {
    receiver_->Answer(reply);
  }
  ForgetTransaction();
  if (ending_) return Shutdown(*ending_);
  Pump();
}

void MailSession::On(const SmtpAbortedEvent&) { ForgetTransaction(); }

void MailSession::ForgetTransaction() {
  wait_.reset();
  fan_out_.reset();
  in_body_ = false;
}

// --- The log -----------------------------------------------------------------

void MailSession::LogMessage(const SmtpReply& reply) const {
  const auto& recipients = fan_out_->recipients();
  log_.Write(LogRecord("message")
                 .Text("service", "smtp")
                 .Text("session", record_.id)
                 .Text("peer", record_.peer.ToString())
                 .Text("user", party_.authenticated ? record_.user : "")
                 .Text("sender", SenderText(envelope_))
                 .Number("recipients", static_cast<int64_t>(recipients.size()))
                 .Number("bytes", static_cast<int64_t>(message_bytes_))
                 .Text("reply", Summary(reply)));
  for (const auto& recipient : recipients) LogFate(recipient);
}

// A record of its own: a line of the log may hold but so much.
void MailSession::LogFate(const MailFanOut::Recipient& recipient) const {
  LogRecord log("recipient");
  log.Text("service", "smtp")
      .Text("session", record_.id)
      .Text("recipient", recipient.original.recipient.ToString())
      .Text("upstream", recipient.upstream)
      .Flag("relayed", recipient.relayed);
  if (recipient.outcome) log.Text("reply", Summary(*recipient.outcome));
  log_.Write(log);
}

void MailSession::LogRefusal(const SmtpReply& reply) const {
  log_.Write(LogRecord("recipient_refused")
                 .Text("service", "smtp")
                 .Text("session", record_.id)
                 .Text("peer", record_.peer.ToString())
                 .Text("sender", SenderText(envelope_))
                 .Text("recipient", rcpt_.recipient.ToString())
                 .Text("reply", Summary(reply)));
}

// --- The end -----------------------------------------------------------------

void MailSession::EndUnlessJoined(DownstreamMachine::ShutdownReason reason) {
  if (in_body_) {
    ending_ = reason;
  } else {
    Shutdown(reason);
  }
}

void MailSession::EndJoined() {
  Shutdown(DownstreamMachine::ShutdownReason::kDraining);
}

void MailSession::Shutdown(DownstreamMachine::ShutdownReason reason) {
  if (receiver_ == nullptr || in_handshake_) {
    return End("shutdown", "before the greeting or in the TLS handshake");
  }
  login_.reset();
  ForgetTransaction();
  receiver_->Shutdown(reason);
  Pump();
}

void MailSession::End(std::string_view how, std::string_view detail) {
  login_.reset();
  ForgetTransaction();
  deadline_.reset();
  greeting_.reset();
  silence_.reset();
  record_.end = std::string(how);
  if (record_.detail.empty()) record_.detail = detail;
  Stream::CloseAfterFlush(std::move(downstream_));
  LogRecord log = ToLogRecord(record_, "smtp", listener_->name, network_.Now());
  log_.Write(log.Number("messages", static_cast<int64_t>(messages_)));
  owner_.OnEnded(*this);
}

}  // namespace gatehouse
