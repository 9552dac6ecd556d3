#ifndef GATEHOUSE_LIB_SESSION_MAIL_FAN_OUT_H_
#define GATEHOUSE_LIB_SESSION_MAIL_FAN_OUT_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/failure.h"
#include "lib/net/network.h"
#include "lib/protocol/smtp/smtp_envelope.h"
#include "lib/protocol/smtp/smtp_reply.h"
#include "lib/session/mail_hand_over.h"
#include "lib/session/mail_leg.h"
#include "lib/session/mail_route.h"
#include "lib/session/message_spool.h"

namespace gatehouse {

// One message on its way to all hosts of its recipients.
//
// Each recipient is asked of its own host at once. The message goes to all
// hosts at the pace of the slowest and is held before the final dot until all
// have taken it; then they commit it one after another. A unit of acceptance is
// an SMTP host, or a single recipient of an LMTP host. While no unit has
// accepted, a failure of any gives the whole message up, and the client hears
// of that failure: nothing was delivered. Once one has accepted, what the
// others leave over goes to the fallback relay, which had accepted the same
// recipients before the first commit. Where the relay is itself the host of
// some recipients it commits first, so that it isn't asked twice to no avail.
// The client hears 250 only when each recipient is in somebody's hands, else
// 451.
//
// Several units need a fallback relay, and a spool from which it gets the
// message; without one (or where it refuses, or is down) a recipient that would
// be a second unit hears 452 4.5.3. A client that said PRDR needs neither: it
// hears each recipient's own outcome.
//
// When a recipient may get a message twice. There is one window for a single
// failure, which every SMTP relay has (RFC 1047): a final dot has been sent,
// and the answer to it is lost. Whoever waited for it must send the message
// again, since it may as well be lost itself:
//   1. an upstream accepts, and dies or is cut off before its answer is here,
//   or
//      answers later than MailTimeouts allow: its recipients are for the
//      fallback relay or, where nobody has accepted yet, for the client to send
//      again. MailDoubledTest.WhenAHostsAnswerIsLostBehindItsAcceptance and
//      .WhenAnLmtpHostsAnswerForOneRecipientIsLost;
//   2. the same between the client and us: its connection breaks, or this
//      process ends, between the first commit and our answer. The hosts that
//      haven't been given their dot by then don't get it.
//      MailSessionTest.AClientThatIsLostBehindItsMessageWasntAnswered and
//      .AClientThatIsLostBeforeTheSecondCommitSparesIt.
// It is as narrow as it can be: everything but the dot has left before the
// first is sent, so that no wait for octets is in it. What TCP knows of a dot
// that was never acknowledged is of no use, for it may have arrived all the
// same; and where it hasn't, sending again doubles nothing.
//
// All else takes two failures, of two parties and for one message:
//   3. one unit has accepted, another has failed, and then the fallback relay
//      fails that has accepted the same recipients for this very case: the
//      client is told 451, and sends to all of them again.
//      MailDoubledTest.WhenTheRelayFailsForWhatOneHostLeftOver;
//   4. so, but the disk fails on which its copy waits.
//      MailFanOutTest.AsksTheClientToSendAgainWhenItsFileIsLost.
// MailFaultMatrixTest (each failure at each step of each host) and
// MailTwoFaultsTest (their pairs) show that there are no others, and that
// nobody is lost; smtp_store_loss_end_to_end_test.py does so with real servers.
class MailFanOut : private MailLeg::Observer {
 public:
  struct Recipient {
    SmtpRcpt original;     // as the client named it
    std::string upstream;  // "host:port"
    std::optional<SmtpReply> outcome;
    bool relayed = false;  // in the fallback relay's hands

    const MailLeg* leg = nullptr;
    size_t index = 0;     // in the leg
    bool vetted = false;  // the fallback relay would take it
  };

  // All calls come from the loop, never from inside a call to the fan-out, and
  // may destroy it.
  class Owner {
   public:
    virtual void OnRecipient(const SmtpReply& reply) = 0;
    // Nothing: Body() may be called. Else the message can't be taken.
    virtual void OnBody(const std::optional<SmtpReply>& refusal) = 0;
    // room() may have become true.
    virtual void OnRoom() = 0;
    // Over. recipients() have their outcomes where it came so far.
    virtual void OnDone(const SmtpReply& reply) = 0;

   protected:
    ~Owner() = default;
  };

  MailFanOut(const MailContext& context, const SmtpMail& mail, Owner& owner);
  ~MailFanOut();

  void AddRecipient(MailRoute route, const SmtpRcpt& original);
  void BeginBody();
  void Body(std::string_view octets);
  // False while too much of the message waits for an upstream or the disk.
  bool room() const;
  void EndBody();

  // Gives the message up in its middle; what Body() still brings is dropped,
  // and EndBody() is answered with this reply.
  void Refuse(const SmtpReply& reply);

  // Those that were accepted, in the order of their RCPT.
  const std::vector<Recipient>& recipients() const { return recipients_; }
  // In OnDone(): the client is to hear each recipient's outcome (PRDR).
  bool answers_each() const;

 private:
  enum class Step { kEnvelope, kOpening, kBody, kHolding, kCommit, kFailed };
  enum class Admission { kFree, kVet, kDeferred };

  // MailLeg::Observer:
  void OnRcpt(MailLeg& leg, size_t recipient) override;
  void OnBody(MailLeg& leg, const SmtpReply& reply) override;
  void OnDrained(MailLeg& leg) override;
  void OnCommitted(MailLeg& leg) override;
  void OnLost(MailLeg& leg, const SmtpReply& reply) override;

  bool by_recipient() const;
  bool IsFallback(const MailHost& host) const;
  Admission Admit(const MailLeg* leg) const;
  MailLeg* FindLeg(const MailHost& host) const;
  std::unique_ptr<MailLeg> NewLeg(const MailHost& host);
  void DropLeg(const MailLeg& leg);
  void Vet();
  void OnVetted(size_t recipient);
  void OnRelayLost();
  void AskLeg();
  void AnswerRecipient(const SmtpReply& reply);
  void AnswerLater(const SmtpReply& reply);

  bool CanTake(std::string_view octets) const;
  void BeginSpool();
  void OnSpooled();
  bool taken() const;
  void OnProgress();
  void CommitNext();
  void TakeOutcomes(const MailLeg& leg, const SmtpReply& missing);
  void OnLateLoss(const MailLeg& leg, const SmtpReply& reply);
  void OnDeadline();
  void Settle();
  void OnHandedOver(const SmtpReply& reply);
  bool accepted_by_any() const;
  SmtpReply Acceptance() const;
  SmtpReply RefusalOf(const MailLeg* leg) const;
  void Fail(const SmtpReply& reply);
  void Finish(SmtpReply reply);

  const MailContext& context_;
  const SmtpMail mail_;
  Owner& owner_;
  Step step_ = Step::kEnvelope;
  std::vector<Recipient> recipients_;
  // In the order of their commits; null: lost since.
  std::vector<std::unique_ptr<MailLeg>> legs_;
  std::optional<SmtpReply> failure_;  // the whole message's

  // The recipient that is asked for.
  std::optional<MailRoute> route_;
  SmtpRcpt original_;
  bool vetted_ = false;

  // The fallback relay: whether it would take the recipients.
  std::unique_ptr<MailLeg> vetting_;
  size_t vets_ = 0;  // answers owed
  bool relay_lost_ = false;
  bool several_units_ = false;

  size_t opening_ = 0;  // legs that owe an answer to DATA
  size_t committing_ = 0;
  std::unique_ptr<MessageSpool> spool_;
  std::unique_ptr<MailHandOver> hand_over_;
  std::unique_ptr<Operation> deadline_;
  std::unique_ptr<Operation> answer_;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_SESSION_MAIL_FAN_OUT_H_
