#include "lib/session/mail_leg.h"

#include <algorithm>
#include <utility>

#include "lib/base/check.h"
#include "lib/session/upstream_pool.h"
#include "lib/session/upstreams_met.h"

namespace gatehouse {
namespace {

// How often progress is looked for in the time in which there must be some.
constexpr int kLooksPerLimit = 8;

// Replies by which a server complains of whoever has connected, not of a
// message or a recipient: an operator's matter, that mustn't bounce mail.
bool IsAboutUs(int code) {
  constexpr int kCodes[] = {421, 500, 502, 503, 530, 534, 535, 538};
  return std::find(std::begin(kCodes), std::end(kCodes), code) !=
         std::end(kCodes);
}

SmtpReply ForClient(const SmtpReply& reply) {
  if (IsAboutUs(reply.code)) {
    return MakeSmtpReply(451, "4.3.2", "Upstream not ready, try again later");
  }
  SmtpReply fit = reply;
  // Of all that means yes, a client knows these at RCPT and behind a message.
  if (fit.positive() && fit.code != 251) fit.code = 250;
  if (fit.enhanced.empty() && fit.code >= 200) {
    fit.enhanced = std::to_string(fit.code / 100) + ".0.0";
  }
  return fit;
}

SmtpReply Unavailable() {
  return MakeSmtpReply(451, "4.4.1", "Upstream not available, try again later");
}

SmtpReply ConnectionLost() {
  return MakeSmtpReply(451, "4.4.2", "Upstream lost, try again later");
}

}  // namespace

MailLeg::MailLeg(const MailContext& context, MailHost host,
                 const SmtpMail& mail, Observer& observer)
    : context_(context),
      host_(std::move(host)),
      mail_(mail),
      observer_(observer) {}

MailLeg::~MailLeg() {
  const bool between_messages =
      step_ == Step::kEnvelope || step_ == Step::kDone;
  if (connection_ == nullptr || !between_messages) return;
  context_.mail.pool->Keep(PoolName(), std::move(connection_));
}

// A connection that tells its upstream who the client is can't serve others.
std::string MailLeg::PoolName() const {
  const bool personal =
      ForwardClientFor(*host_.upstream, host_.target.endpoint.host) !=
      UpstreamSettings::ForwardClient::kNone;
  return UpstreamPool::Name(personal ? context_.client.session_id : "",
                            host_.Name());
}

size_t MailLeg::accepted() const {
  return std::count_if(recipients_.begin(), recipients_.end(),
                       [](const Recipient& r) { return r.accepted(); });
}

size_t MailLeg::queued_bytes() const {
  return connection_ == nullptr ? 0 : connection_->queued_bytes();
}

bool MailLeg::all_answered() const {
  return std::all_of(recipients_.begin(), recipients_.end(),
                     [](const Recipient& r) { return r.answer.has_value(); });
}

bool MailLeg::replaceable() const {
  return reused_ && step_ == Step::kEnvelope && accepted() == 0;
}

// --- The connection ----------------------------------------------------------

void MailLeg::Open() {
  connection_ = context_.mail.pool->Take(PoolName());
  if (connection_ == nullptr) return OpenNew();
  reused_ = true;
  connection_->set_user(*this);
  BeginTransaction();
}

void MailLeg::OpenNew() {
  wait_ = OpenUpstreamSession(
      context_.network, *host_.protocol, *host_.upstream, host_.target,
      Options(),
      [this](UpstreamOutcome outcome) { OnOpened(std::move(outcome)); });
}

UpstreamOptions MailLeg::Options() const {
  UpstreamOptions options;
  options.host_name = context_.settings.host_name;
  options.login.method = UpstreamLogin::Method::kNone;
  if (host_.relay != nullptr && !host_.relay->user.empty()) {
    options.login.method = UpstreamLogin::Method::kPassword;
    options.login.user = host_.relay->user;
    options.login.secret = host_.relay->password.Clone();
  }
  options.client = context_.client;
  return options;
}

void MailLeg::OnOpened(UpstreamOutcome outcome) {
  if (auto* failed = std::get_if<UpstreamFailed>(&outcome.result)) {
    return GiveUp(failed->failure, Unavailable());
  }
  if (host_.relay == nullptr && context_.settings.upstreams_met != nullptr) {
    context_.settings.upstreams_met->Note(host_.target, context_.network.Now());
  }
  MailConnection::User& user = *this;
  connection_ = std::make_unique<MailConnection>(
      std::move(std::get<UpstreamSession>(outcome.result)), host_.lmtp, user);
  BeginTransaction();
}

// RSET, MAIL and RCPT go out together where the server pipelines.
void MailLeg::BeginTransaction() {
  SmtpSender& sender = connection_->sender();
  said_.clear();
  refusal_.reset();
  if (!sender.CanTake(mail_)) {
    wait_ = context_.network.Defer([this] {
      RefuseAll(MakeSmtpReply(553, "5.6.7", "Upstream doesn't know SMTPUTF8"));
    });
    return;
  }
  if (reused_) sender.Reset();
  sender.Mail(mail_);
  for (size_t i = 0; i < recipients_.size(); ++i) {
    if (recipients_[i].answer) continue;
    sender.Rcpt(recipients_[i].rcpt);
    said_.push_back(i);
  }
  connection_->Flush();
  Await(context_.mail.timeouts.command);
}

// --- Envelope ----------------------------------------------------------------

void MailLeg::Rcpt(const SmtpRcpt& rcpt) {
  const bool first = recipients_.empty();
  recipients_.push_back({rcpt, std::nullopt, std::nullopt});
  if (first) return Open();
  if (connection_ == nullptr) return;  // said when it is there
  connection_->sender().Rcpt(rcpt);
  said_.push_back(recipients_.size() - 1);
  connection_->Flush();
  Await(context_.mail.timeouts.command);
}

void MailLeg::OnAnswer(const SmtpSender::Answered& answered) {
  using To = SmtpSender::Answered::To;
  // OnLost() follows, which knows whether anybody must hear of it.
  if (answered.reply.code == 421 && replaceable()) return;
  switch (answered.to) {
    case To::kReset:
      if (answered.reply.positive()) return;
      return OnLost({Failure::Side::kUpstream, Failure::Kind::kRefused,
                     Failure::Retry::kSafe, "refused RSET"});
    case To::kMail:
      if (!answered.reply.positive()) refusal_ = answered.reply;
      return;
    case To::kRcpt:
      return OnRcptAnswer(said_[answered.recipient],
                          refusal_.value_or(answered.reply));
    case To::kBody:
      if (step_ == Step::kBody) return OnRefusedBody(answered.reply);
      wait_.reset();
      step_ = Step::kEnvelope;
      if (answered.reply.code == 354) {
        step_ = Step::kBody;
        progressed_ = context_.network.Now();
        WatchProgress();
      }
      return observer_.OnBody(*this, ForClient(answered.reply));
    case To::kCommit:
      return OnCommitAnswer(answered);
  }
}

void MailLeg::OnRcptAnswer(size_t recipient, const SmtpReply& reply) {
  recipients_[recipient].answer = ForClient(reply);
  if (all_answered()) wait_.reset();
  observer_.OnRcpt(*this, recipient);
}

// Only before anything was said to the server.
void MailLeg::RefuseAll(const SmtpReply& reply) {
  step_ = Step::kLost;
  observer_.OnLost(*this, reply);
}

// --- Body --------------------------------------------------------------------

void MailLeg::BeginBody() {
  step_ = Step::kOpeningBody;
  connection_->sender().BeginBody();
  connection_->Flush();
  Await(context_.mail.timeouts.command);
}

bool MailLeg::CanTake(std::string_view octets) const {
  return connection_ == nullptr || connection_->sender().CanTake(mail_, octets);
}

void MailLeg::Body(std::string_view octets) {
  if (step_ != Step::kBody) return;
  connection_->sender().Body(octets);
  connection_->Flush();
}

void MailLeg::EndBody() {
  GATEHOUSE_CHECK(step_ == Step::kBody, "no message to end");
  wait_.reset();
  step_ = Step::kCommit;
  commits_ = host_.lmtp ? accepted() : 1;
  connection_->sender().EndBody();
  connection_->Flush();
}

void MailLeg::OnCommitAnswer(const SmtpSender::Answered& answered) {
  const SmtpReply reply = ForClient(answered.reply);
  if (host_.lmtp) {
    recipients_[said_[answered.recipient]].outcome = reply;
  } else {
    for (Recipient& recipient : recipients_) {
      if (recipient.accepted()) recipient.outcome = reply;
    }
  }
  if (--commits_ > 0) return;
  step_ = Step::kDone;
  connection_->CountMessage();
  observer_.OnCommitted(*this);
}

// In its midst. The rest of it isn't said any more.
void MailLeg::OnRefusedBody(const SmtpReply& reply) {
  wait_.reset();
  connection_.reset();
  step_ = Step::kLost;
  observer_.OnLost(*this, ForClient(reply));
}

// --- Time, and what goes wrong -----------------------------------------------

void MailLeg::Await(absl::Duration limit) {
  wait_ = context_.network.StartTimer(limit, [this] { OnTimeout(); });
}

void MailLeg::WatchProgress() {
  const absl::Duration limit = context_.mail.timeouts.body;
  wait_ = context_.network.StartTimer(limit / kLooksPerLimit, [this, limit] {
    const uint64_t taken =
        connection_->written_bytes() - connection_->queued_bytes();
    if (connection_->queued_bytes() == 0 || taken != taken_bytes_) {
      taken_bytes_ = taken;
      progressed_ = context_.network.Now();
    }
    if (context_.network.Now() - progressed_ >= limit) return OnTimeout();
    WatchProgress();
  });
}

void MailLeg::OnTimeout() {
  std::string text = "no answer in time (";
  text += connection_->sender().StateName();
  OnLost({Failure::Side::kUpstream, Failure::Kind::kTimeout,
          Failure::Retry::kNo, text + ")"});
}

void MailLeg::OnLost(const Failure& failure) {
  wait_.reset();
  connection_.reset();
  if (step_ == Step::kDone) return;  // all was said: it can't be kept, no more
  if (replaceable() && !all_answered()) {
    reused_ = false;
    return OpenNew();
  }
  Failure named = failure;
  named.text = host_.target.endpoint.ToString() + ": " + failure.text;
  // Some servers close behind a MAIL that they refuse.
  GiveUp(named, refusal_ ? ForClient(*refusal_) : ConnectionLost());
}

void MailLeg::GiveUp(const Failure& failure, const SmtpReply& reply) {
  LogRecord log("upstream_failure", LogRecord::Level::kWarning);
  log.Text("service", "smtp")
      .Text("session", context_.client.session_id)
      .Text("upstream", host_.target.endpoint.ToString())
      .Text("side", SideName(failure.side))
      .Text("kind", KindName(failure.kind))
      .Text("detail", failure.text);
  const bool committing = step_ == Step::kCommit;
  if (committing) log.Text("lost", "behind the message: it may come twice");
  context_.log.Write(log);
  step_ = Step::kLost;
  if (committing) return observer_.OnCommitted(*this);
  observer_.OnLost(*this, reply);
}

}  // namespace gatehouse
