#ifndef GATEHOUSE_LIB_SESSION_MAIL_HAND_OVER_H_
#define GATEHOUSE_LIB_SESSION_MAIL_HAND_OVER_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "lib/net/network.h"
#include "lib/protocol/smtp/smtp_envelope.h"
#include "lib/protocol/smtp/smtp_reply.h"
#include "lib/session/mail_leg.h"
#include "lib/session/message_spool.h"

namespace gatehouse {

// Hands a spooled message to the fallback relay, for the recipients that their
// own upstreams have left over: all of them or none.
class MailHandOver : private MailLeg::Observer {
 public:
  // `context` and `spool`, which is complete, outlive this; `done` is called
  // once, later, and may destroy it. What it gets is positive only if the relay
  // has taken the message for everybody.
  MailHandOver(const MailContext& context, const SmtpMail& mail,
               const std::vector<SmtpRcpt>& recipients,
               const MessageSpool& spool,
               absl::AnyInvocable<void(const SmtpReply&)> done);
  ~MailHandOver();

 private:
  void OnRcpt(MailLeg& leg, size_t recipient) override;
  void OnBody(MailLeg& leg, const SmtpReply& reply) override;
  void OnDrained(MailLeg& leg) override;
  void OnCommitted(MailLeg& leg) override;
  void OnLost(MailLeg& leg, const SmtpReply& reply) override;

  void ReadOn();
  void OnRead(MessageSpool::ReadResult result);
  void Finish(const SmtpReply& reply);

  const MessageSpool& spool_;
  absl::AnyInvocable<void(const SmtpReply&)> done_;
  MailLeg leg_;
  bool sending_ = false;  // from 354 to the message's end
  uint64_t offset_ = 0;
  std::unique_ptr<Operation> reading_;
  std::unique_ptr<Operation> deadline_;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_SESSION_MAIL_HAND_OVER_H_
