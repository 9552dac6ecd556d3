#ifndef GATEHOUSE_LIB_SESSION_MAIL_LEG_H_
#define GATEHOUSE_LIB_SESSION_MAIL_LEG_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "lib/base/failure.h"
#include "lib/base/log.h"
#include "lib/net/network.h"
#include "lib/protocol/machine.h"
#include "lib/protocol/smtp/smtp_envelope.h"
#include "lib/protocol/smtp/smtp_reply.h"
#include "lib/session/mail_connection.h"
#include "lib/session/mail_route.h"
#include "lib/session/mail_settings.h"

namespace gatehouse {

// What all transactions of one client's connection share; outlives them.
struct MailContext {
  Network& network;
  LogSink& log;
  const SessionSettings& settings;
  const MailSettings& mail;
  ClientFacts client;
};

// One transaction with one upstream, on a connection from the pool or a new
// one. Its calls follow each other as a message does:
//
//   Rcpt …      → OnRcpt each
//   BeginBody   → OnBody
//   Body …      → OnDrained, now and then
//   EndBody     → OnCommitted
//
// In place of each answer OnLost may come; behind EndBody() it doesn't:
// recipients without an outcome are those of whom nobody knows.
//
// A connection from the pool that turns out to be dead is replaced by a new one
// while no recipient has been accepted: nobody hears of it.
//
// Destroying a leg gives the transaction up: by RSET, or in the middle of a
// message by cutting the connection.
class MailLeg : private MailConnection::User {
 public:
  // All calls come from the loop, never from inside a call to the leg, and may
  // destroy it. Replies are made fit for the client: no 421, and nothing
  // permanent where the upstream finds fault with us and not with the message.
  class Observer {
   public:
    virtual void OnRcpt(MailLeg& leg, size_t recipient) = 0;
    virtual void OnBody(MailLeg& leg, const SmtpReply& reply) = 0;  // 354: go
    virtual void OnDrained(MailLeg& leg) = 0;
    virtual void OnCommitted(MailLeg& leg) = 0;
    virtual void OnLost(MailLeg& leg, const SmtpReply& reply) = 0;

   protected:
    ~Observer() = default;
  };

  struct Recipient {
    SmtpRcpt rcpt;
    std::optional<SmtpReply> answer;
    std::optional<SmtpReply> outcome;  // behind the message

    bool accepted() const { return answer && answer->positive(); }
  };

  MailLeg(const MailContext& context, MailHost host, const SmtpMail& mail,
          Observer& observer);
  ~MailLeg();

  void Rcpt(const SmtpRcpt& rcpt);
  void BeginBody();
  // Whether the upstream can take these octets of the message.
  bool CanTake(std::string_view octets) const;
  void Body(std::string_view octets);
  void EndBody();

  const MailHost& host() const { return host_; }
  const std::vector<Recipient>& recipients() const { return recipients_; }
  size_t accepted() const;
  // Octets of the message that the upstream hasn't taken yet.
  size_t queued_bytes() const;

 private:
  enum class Step { kEnvelope, kOpeningBody, kBody, kCommit, kDone, kLost };

  // MailConnection::User:
  void OnAnswer(const SmtpSender::Answered& answered) override;
  void OnDrained() override { observer_.OnDrained(*this); }
  void OnLost(const Failure& failure) override;

  void Open();
  void OpenNew();
  void OnOpened(UpstreamOutcome outcome);
  void BeginTransaction();
  void RefuseAll(const SmtpReply& reply);
  void OnRcptAnswer(size_t recipient, const SmtpReply& reply);
  void OnRefusedBody(const SmtpReply& reply);
  void OnCommitAnswer(const SmtpSender::Answered& answered);
  void Await(absl::Duration limit);
  void WatchProgress();
  void OnTimeout();
  void GiveUp(const Failure& failure, const SmtpReply& reply);
  bool replaceable() const;
  bool all_answered() const;
  std::string PoolName() const;
  UpstreamOptions Options() const;

  const MailContext& context_;
  const MailHost host_;
  const SmtpMail mail_;
  Observer& observer_;
  Step step_ = Step::kEnvelope;
  std::vector<Recipient> recipients_;
  std::vector<size_t> said_;  // to the present connection: indices, in order
  std::optional<SmtpReply> refusal_;  // of MAIL
  bool reused_ = false;
  size_t commits_ = 0;
  // Of the message's octets: when progress was last seen, and where.
  absl::Time progressed_;
  uint64_t taken_bytes_ = 0;
  std::unique_ptr<MailConnection> connection_;
  std::unique_ptr<Operation> wait_;  // opening, or a limit of time
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_SESSION_MAIL_LEG_H_
