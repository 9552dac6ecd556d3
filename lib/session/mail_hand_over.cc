#include "lib/session/mail_hand_over.h"

#include <string>
#include <utility>

namespace gatehouse {
namespace {

constexpr size_t kPieceBytes = 64 << 10;
// Octets that the relay hasn't taken; beyond, the disk isn't read.
constexpr size_t kMostQueuedBytes = 256 << 10;

}  // namespace

MailHandOver::MailHandOver(const MailContext& context, const SmtpMail& mail,
                           const std::vector<SmtpRcpt>& recipients,
                           const MessageSpool& spool,
                           absl::AnyInvocable<void(const SmtpReply&)> done)
    : spool_(spool),
      done_(std::move(done)),
      leg_(context, HostOf(*context.mail.fallback_relay), mail, *this) {
  deadline_ =
      context.network.StartTimer(context.mail.timeouts.fallback, [this] {
        Finish(MakeSmtpReply(451, "4.4.2", "Fallback relay is too slow"));
      });
  for (const SmtpRcpt& rcpt : recipients) leg_.Rcpt(rcpt);
}

MailHandOver::~MailHandOver() = default;

void MailHandOver::OnRcpt(MailLeg& leg, size_t recipient) {
  const auto& recipients = leg.recipients();
  if (!recipients[recipient].accepted()) {
    return Finish(*recipients[recipient].answer);
  }
  if (leg.accepted() == recipients.size()) leg.BeginBody();
}

void MailHandOver::OnBody(MailLeg& leg, const SmtpReply& reply) {
  if (reply.code != 354) return Finish(reply);
  sending_ = true;
  ReadOn();
}

void MailHandOver::ReadOn() {
  reading_ = spool_.Read(
      offset_, kPieceBytes,
      [this](MessageSpool::ReadResult read) { OnRead(std::move(read)); });
}

void MailHandOver::OnRead(MessageSpool::ReadResult result) {
  reading_.reset();
  if (const auto* failure = std::get_if<Failure>(&result)) {
    return Finish(MakeSmtpReply(451, "4.3.0", failure->text));
  }
  const std::string& octets = std::get<std::string>(result);
  if (octets.empty()) {
    sending_ = false;
    return leg_.EndBody();
  }
  offset_ += octets.size();
  leg_.Body(octets);
  if (leg_.queued_bytes() <= kMostQueuedBytes) ReadOn();
}

void MailHandOver::OnDrained(MailLeg& leg) {
  if (sending_ && reading_ == nullptr) ReadOn();
}

void MailHandOver::OnCommitted(MailLeg& leg) {
  const auto& outcome = leg.recipients().front().outcome;
  Finish(outcome.value_or(
      MakeSmtpReply(451, "4.4.2", "Fallback relay lost behind the message")));
}

void MailHandOver::OnLost(MailLeg& leg, const SmtpReply& reply) {
  Finish(reply);
}

void MailHandOver::Finish(const SmtpReply& reply) {
  deadline_.reset();
  reading_.reset();
  auto done = std::move(done_);
  done(reply);
}

}  // namespace gatehouse
