#include "lib/session/mail_fan_out.h"

#include <algorithm>
#include <utility>

#include "lib/session/upstreams_met.h"

namespace gatehouse {
namespace {

// Octets that one upstream, or the disk, may be behind; beyond, the client
// isn't read.
constexpr size_t kMostQueuedBytes = 256 << 10;

SmtpReply TooMany() {
  return MakeSmtpReply(452, "4.5.3", "Send this recipient separately");
}

}  // namespace

MailFanOut::MailFanOut(const MailContext& context, const SmtpMail& mail,
                       Owner& owner)
    : context_(context), mail_(mail), owner_(owner) {}

MailFanOut::~MailFanOut() = default;

bool MailFanOut::by_recipient() const {
  return mail_.prdr && context_.mail.prdr;
}

bool MailFanOut::answers_each() const {
  return by_recipient() &&
         std::all_of(recipients_.begin(), recipients_.end(),
                     [](const Recipient& r) { return r.outcome.has_value(); });
}

// --- Recipients --------------------------------------------------------------

void MailFanOut::AddRecipient(MailRoute route, const SmtpRcpt& original) {
  route_ = std::move(route);
  original_ = original;
  vetted_ = false;
  if (failure_) return AnswerLater(*failure_);
  if (!mail_.utf8 && !route_->rcpt.recipient.is_ascii()) {
    return AnswerLater(MakeSmtpReply(
        553, "5.6.7", "This recipient is served by SMTPUTF8 only"));
  }
  switch (Admit(FindLeg(route_->host))) {
    case Admission::kFree:
      return AskLeg();
    case Admission::kVet:
      return Vet();
    case Admission::kDeferred:
      return AnswerLater(TooMany());
  }
}

// Whether it is the same server, as another route to it.
bool MailFanOut::IsFallback(const MailHost& host) const {
  const auto& relay = context_.mail.fallback_relay;
  return relay != nullptr && !host.lmtp &&
         TargetName(host.target) == TargetName(HostOf(*relay).target);
}

// `leg`: of the recipient's host, where there is one already.
MailFanOut::Admission MailFanOut::Admit(const MailLeg* leg) const {
  const bool stream = context_.mail.fan_out == RecipientFanOut::kStream;
  if (recipients_.empty()) return Admission::kFree;
  if (leg == nullptr && !stream) return Admission::kDeferred;
  if (by_recipient()) return Admission::kFree;
  // More for the one unit that commits first, and so is never left over.
  if (leg == legs_.front().get() && !leg->host().lmtp) return Admission::kFree;
  if (context_.mail.fallback_relay == nullptr || relay_lost_) {
    return Admission::kDeferred;
  }
  return Admission::kVet;
}

MailLeg* MailFanOut::FindLeg(const MailHost& host) const {
  const auto found = std::find_if(
      legs_.begin(), legs_.end(),
      [&](const auto& leg) { return leg->host().Name() == host.Name(); });
  return found == legs_.end() ? nullptr : found->get();
}

std::unique_ptr<MailLeg> MailFanOut::NewLeg(const MailHost& host) {
  MailLeg::Observer& observer = *this;
  return std::make_unique<MailLeg>(context_, host, mail_, observer);
}

void MailFanOut::DropLeg(const MailLeg& leg) {
  std::erase_if(legs_, [&](const auto& kept) { return kept.get() == &leg; });
}

// Asks the fallback relay for this recipient, and for the ones before it that
// weren't thought to need it: of an LMTP host that was the only one, or of a
// host that now commits behind the relay.
void MailFanOut::Vet() {
  if (vetting_ == nullptr) {
    vetting_ = NewLeg(HostOf(*context_.mail.fallback_relay));
  }
  std::vector<SmtpRcpt> asked;
  if (legs_.front()->host().lmtp || IsFallback(route_->host)) {
    for (Recipient& recipient : recipients_) {
      if (!recipient.vetted) asked.push_back(recipient.original);
      recipient.vetted = true;
    }
  }
  asked.push_back(original_);
  vets_ = asked.size();
  for (const SmtpRcpt& rcpt : asked) vetting_->Rcpt(rcpt);
}

void MailFanOut::OnVetted(size_t recipient) {
  if (!vetting_->recipients()[recipient].accepted()) return OnRelayLost();
  if (--vets_ > 0) return;
  several_units_ = vetted_ = true;
  AskLeg();
}

// It isn't asked for further recipients either.
void MailFanOut::OnRelayLost() {
  relay_lost_ = true;
  vetting_.reset();
  if (std::exchange(vets_, 0) > 0) AnswerRecipient(TooMany());
}

void MailFanOut::AskLeg() {
  MailLeg* leg = FindLeg(route_->host);
  if (leg == nullptr) {
    // The fallback relay, where recipients are its own, commits first: what it
    // refuses then it would refuse again, when others have accepted.
    const auto at = IsFallback(route_->host) ? legs_.begin() : legs_.end();
    leg = legs_.insert(at, NewLeg(route_->host))->get();
  }
  leg->Rcpt(route_->rcpt);
}

void MailFanOut::OnRcpt(MailLeg& leg, size_t recipient) {
  if (&leg == vetting_.get()) return OnVetted(recipient);
  const SmtpReply reply = *leg.recipients()[recipient].answer;
  if (reply.positive()) {
    Recipient accepted;
    accepted.original = original_;
    accepted.upstream = leg.host().target.endpoint.ToString();
    accepted.leg = &leg;
    accepted.index = recipient;
    accepted.vetted = vetted_;
    recipients_.push_back(std::move(accepted));
  } else if (leg.accepted() == 0) {
    DropLeg(leg);
  }
  AnswerRecipient(reply);
}

void MailFanOut::AnswerRecipient(const SmtpReply& reply) {
  route_.reset();
  owner_.OnRecipient(reply);
}

void MailFanOut::AnswerLater(const SmtpReply& reply) {
  route_.reset();
  answer_ =
      context_.network.Defer([this, reply] { owner_.OnRecipient(reply); });
}

// --- The message -------------------------------------------------------------

void MailFanOut::BeginBody() {
  if (failure_) {
    answer_ = context_.network.Defer([this] { owner_.OnBody(failure_); });
    return;
  }
  step_ = Step::kOpening;
  opening_ = legs_.size();
  if (several_units_) BeginSpool();
  for (const auto& leg : legs_) leg->BeginBody();
}

void MailFanOut::BeginSpool() {
  spool_ = std::make_unique<MessageSpool>(
      context_.network, context_.mail.spool_folder, [this] { OnSpooled(); });
}

void MailFanOut::OnBody(MailLeg& leg, const SmtpReply& reply) {
  if (reply.code != 354) return Fail(reply);
  if (--opening_ > 0) return;
  step_ = Step::kBody;
  owner_.OnBody(std::nullopt);
}

void MailFanOut::Body(std::string_view octets) {
  if (step_ != Step::kBody) return;
  if (!CanTake(octets)) {
    return Refuse(
        MakeSmtpReply(451, "4.6.3", "Upstream doesn't know 8BITMIME"));
  }
  for (const auto& leg : legs_) leg->Body(octets);
  if (spool_ != nullptr) spool_->Append(octets);
}

// Whoever gets the message, or may get what others leave over of it.
bool MailFanOut::CanTake(std::string_view octets) const {
  return (vetting_ == nullptr || vetting_->CanTake(octets)) &&
         std::all_of(legs_.begin(), legs_.end(), [octets](const auto& leg) {
           return leg->CanTake(octets);
         });
}

bool MailFanOut::room() const {
  if (step_ != Step::kBody) return true;
  if (spool_ != nullptr && spool_->pending_bytes() > kMostQueuedBytes) {
    return false;
  }
  return std::all_of(legs_.begin(), legs_.end(), [](const auto& leg) {
    return leg->queued_bytes() <= kMostQueuedBytes;
  });
}

void MailFanOut::OnDrained(MailLeg& leg) { OnProgress(); }

void MailFanOut::OnSpooled() {
  if (const Failure* failure = spool_->failure()) {
    context_.log.Write(LogRecord("spool_failure", LogRecord::Level::kError)
                           .Text("service", "smtp")
                           .Text("session", context_.client.session_id)
                           .Text("detail", failure->text));
    return Fail(MakeSmtpReply(452, "4.3.1", "Insufficient system storage"));
  }
  OnProgress();
}

void MailFanOut::OnProgress() {
  if (step_ == Step::kHolding && taken()) return CommitNext();
  if (step_ == Step::kBody && room()) owner_.OnRoom();
}

void MailFanOut::Refuse(const SmtpReply& reply) {
  failure_ = reply;
  step_ = Step::kFailed;
  legs_.clear();
  vetting_.reset();
  vets_ = 0;
}

// Nobody has accepted anything. The spool isn't touched: it may be telling us.
void MailFanOut::Fail(const SmtpReply& reply) {
  const Step step = step_;
  Refuse(reply);
  switch (step) {
    case Step::kOpening:
      return owner_.OnBody(failure_);
    case Step::kBody:
      return owner_.OnRoom();
    case Step::kHolding:
      return Finish(reply);
    default:
      return;
  }
}

void MailFanOut::OnLost(MailLeg& leg, const SmtpReply& reply) {
  if (&leg == vetting_.get()) return OnRelayLost();
  if (step_ == Step::kCommit) return OnLateLoss(leg, reply);
  if (step_ != Step::kEnvelope) return Fail(reply);
  // Of a leg that has accepted nobody the answer is still owed.
  if (leg.accepted() > 0) {
    Refuse(reply);
  } else {
    DropLeg(leg);
  }
  if (route_) AnswerRecipient(reply);
}

// --- Commit ------------------------------------------------------------------

void MailFanOut::EndBody() {
  if (failure_) {
    answer_ = context_.network.Defer([this] { Finish(*failure_); });
    return;
  }
  step_ = Step::kHolding;
  deadline_ = context_.network.StartTimer(context_.mail.timeouts.commit,
                                          [this] { OnDeadline(); });
  if (taken()) CommitNext();
}

// Whether everybody has the message but for its final dot.
bool MailFanOut::taken() const {
  if (spool_ != nullptr && spool_->pending_bytes() > 0) return false;
  return std::all_of(legs_.begin(), legs_.end(),
                     [](const auto& leg) { return leg->queued_bytes() == 0; });
}

void MailFanOut::CommitNext() {
  step_ = Step::kCommit;
  vetting_.reset();
  while (committing_ < legs_.size() && legs_[committing_] == nullptr) {
    ++committing_;
  }
  if (committing_ == legs_.size()) return Settle();
  legs_[committing_]->EndBody();
}

void MailFanOut::OnCommitted(MailLeg& leg) {
  TakeOutcomes(leg,
               MakeSmtpReply(451, "4.4.2", "Upstream lost behind the message"));
  if (!accepted_by_any() && !by_recipient()) return Finish(RefusalOf(&leg));
  ++committing_;
  CommitNext();
}

// `missing`: of recipients that nothing was said of.
void MailFanOut::TakeOutcomes(const MailLeg& leg, const SmtpReply& missing) {
  for (Recipient& recipient : recipients_) {
    if (recipient.leg != &leg) continue;
    recipient.outcome =
        leg.recipients()[recipient.index].outcome.value_or(missing);
  }
}

// A leg that was waiting for its turn: nothing of it was delivered.
void MailFanOut::OnLateLoss(const MailLeg& leg, const SmtpReply& reply) {
  for (Recipient& recipient : recipients_) {
    if (recipient.leg == &leg) recipient.outcome = reply;
  }
  for (auto& kept : legs_) {
    if (kept.get() == &leg) kept.reset();
  }
}

void MailFanOut::OnDeadline() {
  const SmtpReply late = MakeSmtpReply(451, "4.4.2", "Upstream is too slow");
  // An LMTP host may have accepted for some of its recipients.
  if (step_ == Step::kCommit) TakeOutcomes(*legs_[committing_], late);
  legs_.clear();
  vetting_.reset();
  for (Recipient& recipient : recipients_) {
    if (!recipient.outcome) recipient.outcome = late;
  }
  if (!accepted_by_any() && !by_recipient()) return Finish(late);
  Settle();
}

bool MailFanOut::accepted_by_any() const {
  return std::any_of(
      recipients_.begin(), recipients_.end(), [](const Recipient& recipient) {
        return recipient.outcome && recipient.outcome->positive();
      });
}

// A single host speaks for itself; of several, none does for the others.
SmtpReply MailFanOut::Acceptance() const {
  const auto accepted = std::find_if(
      recipients_.begin(), recipients_.end(),
      [](const Recipient& r) { return r.outcome && r.outcome->positive(); });
  if (legs_.size() == 1 && accepted != recipients_.end()) {
    return *accepted->outcome;
  }
  return MakeSmtpReply(250, "2.0.0", "Accepted " + context_.client.session_id);
}

// Of this leg or, where it is null, of all. A refusal for now outweighs those
// for ever: the client tries all again, and then hears those of the others.
SmtpReply MailFanOut::RefusalOf(const MailLeg* leg) const {
  const SmtpReply* refusal = nullptr;
  for (const Recipient& recipient : recipients_) {
    if (leg != nullptr && recipient.leg != leg) continue;
    if (recipient.outcome->temporary()) return *recipient.outcome;
    if (refusal == nullptr) refusal = &*recipient.outcome;
  }
  return *refusal;
}

// All have had their say.
void MailFanOut::Settle() {
  // A client may take the last answer for that to each recipient: it is a
  // refusal only where all were refused.
  if (by_recipient()) {
    return Finish(accepted_by_any() ? Acceptance() : RefusalOf(nullptr));
  }
  std::vector<SmtpRcpt> left_over;
  for (const Recipient& recipient : recipients_) {
    if (!recipient.outcome->positive()) left_over.push_back(recipient.original);
  }
  if (left_over.empty()) return Finish(Acceptance());
  deadline_.reset();
  hand_over_ = std::make_unique<MailHandOver>(
      context_, mail_, left_over, *spool_,
      [this](const SmtpReply& reply) { OnHandedOver(reply); });
}

void MailFanOut::OnHandedOver(const SmtpReply& reply) {
  if (!reply.positive()) {
    context_.log.Write(
        LogRecord("fallback_relay_failed", LogRecord::Level::kError)
            .Text("service", "smtp")
            .Text("session", context_.client.session_id)
            .Text("reply", Summary(reply)));
    return Finish(
        MakeSmtpReply(451, "4.3.0", "Not all recipients were served"));
  }
  for (Recipient& recipient : recipients_) {
    if (recipient.outcome->positive()) continue;
    recipient.outcome = reply;
    recipient.relayed = true;
  }
  legs_.clear();  // whose answer was one of several
  Finish(Acceptance());
}

void MailFanOut::Finish(SmtpReply reply) {
  deadline_.reset();
  legs_.clear();
  owner_.OnDone(reply);
}

}  // namespace gatehouse
