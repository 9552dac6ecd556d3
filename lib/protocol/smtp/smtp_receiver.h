#ifndef GATEHOUSE_LIB_PROTOCOL_SMTP_SMTP_RECEIVER_H_
#define GATEHOUSE_LIB_PROTOCOL_SMTP_SMTP_RECEIVER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "lib/protocol/machine.h"
#include "lib/protocol/smtp/smtp_envelope.h"
#include "lib/protocol/smtp/smtp_reply.h"

namespace gatehouse {

class SmtpConversation;

// --- What a receiver may answer to Next(), besides NeedData, Paused, StartTls,
// LoginAttempt and Closed -----------------------------------------------------

// MAIL and RCPT, syntactically right and in their order. The machine is Paused
// until Answer().
struct SmtpMailEvent {
  SmtpMail mail;
};
struct SmtpRcptEvent {
  SmtpRcpt rcpt;
};

// DATA, or a transaction's first BDAT, behind at least one recipient that was
// answered positively. The machine is Paused until BodyAccepted() or
// Answer(); after BodyAccepted() chunks follow, after Answer() with a refusal
// the transaction is over. The client hears such a refusal behind its message,
// whose octets are read and dropped, so that they can't be taken for commands.
struct SmtpBodyEvent {};

// Octets of the message, as it was before dot-stuffing. A bare CR or LF, or a
// NUL, never gets here: the conversation ends with 521 5.5.2 first.
struct SmtpChunkEvent {
  std::string octets;
};

// The message is complete. The machine is Paused until Answer() or
// AnswerEach().
struct SmtpEndOfBodyEvent {};

// RSET, a new EHLO, STARTTLS, a message beyond the size limit or without valid
// recipients: forget the transaction. No answer is owed. Isn't sent behind an
// Answer() to the end of a body, or one that refuses MAIL or a body, which end
// the transaction by themselves, and not before Closed, which does too.
struct SmtpAbortedEvent {};

using SmtpReceiverEvent =
    std::variant<NeedData, Paused, StartTls, LoginAttempt, SmtpMailEvent,
                 SmtpRcptEvent, SmtpBodyEvent, SmtpChunkEvent,
                 SmtpEndOfBodyEvent, SmtpAbortedEvent, Closed>;

struct SmtpReceiverOptions {
  // host_name, tls, plaintext_login_allowed, limits … as for every protocol,
  // but: lines have SMTP's own limits (2048 octets, 12288 in AUTH);
  // `limits.commands` are those that bring no mail nearer, counted anew when a
  // message was handed in; OAUTHBEARER and XOAUTH2 are never offered.
  // `upstream_capabilities` are EHLO lines that every upstream offers:
  // 8BITMIME, SMTPUTF8, DSN are announced only where they stand there, SIZE as
  // the smaller of theirs and `message_bytes`.
  DownstreamOptions downstream;
  uint64_t message_bytes = 64 << 20;  // SIZE; beyond: 552 5.3.4; 0: no limit
  // Of one message; beyond: 452 4.5.3. More recipients than that refused for
  // good on one connection, without a message handed in between, or ten times
  // as many refused in one transaction: 421 4.7.0.
  size_t recipients = 100;
  size_t transactions = 1000;  // of one connection; beyond: 421 4.7.0
  // Submission: AUTH is offered (where it can work), and MAIL before it is
  // 530 5.7.0. Else AUTH isn't known.
  bool auth_required = false;
  bool prdr_offered = false;
  // After the login the connection is handed over to the account's own host
  // (SmtpProtocol()'s downstream), which hears no EHLO but ours: announced is
  // what every upstream offers, and no other keyword.
  bool hands_over = false;
};

// Answers an SMTP client that hands in mail (RFC 5321 with SIZE, PIPELINING,
// 8BITMIME, CHUNKING, SMTPUTF8, DSN, ENHANCEDSTATUSCODES, STARTTLS, AUTH and
// PRDR): the machine of inbound routing and of routed submission. It knows
// syntax and order; who may send what, and where it goes, is its owner's.
//
// Feed(), FeedEof(), TakeOutput(), input_wanted() and StateName() as in
// Machine; TakeTrailing() is never called: this conversation isn't handed over.
// LoginAttempt is answered by LoginAccepted() or LoginRefused() as in
// DownstreamMachine; then the conversation goes on.
class SmtpReceiver {
 public:
  explicit SmtpReceiver(SmtpReceiverOptions options);
  ~SmtpReceiver();

  void Feed(std::string_view bytes);
  void FeedEof();
  bool input_wanted() const;
  std::string TakeOutput();
  std::string_view StateName() const;
  // A line is to come: a command, or a response of AUTH.
  bool reads_line() const;
  SmtpReceiverEvent Next();

  void TlsEstablished(const TlsFacts& facts);
  void LoginAccepted();
  void LoginRefused(const LoginRefusal& refusal);

  // The reply to the event that paused the machine. With 421 the conversation
  // ends: Closed follows. A reply without an enhanced code gets one.
  void Answer(const SmtpReply& reply);
  void BodyAccepted();
  // PRDR (draft-hall-prdr): 353, then a reply for each recipient that was
  // answered positively, in that order, then the final one. Only where the
  // client said PRDR in MAIL.
  void AnswerEach(const std::vector<SmtpReply>& each, const SmtpReply& final);

  // What the client called itself in EHLO or HELO, and whether it was EHLO; a
  // syntactically right name or address literal. Empty before.
  const std::string& helo() const;
  bool esmtp() const;

  // 421 in every state; Closed follows.
  void Shutdown(DownstreamMachine::ShutdownReason reason);

 private:
  std::unique_ptr<SmtpConversation> conversation_;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_PROTOCOL_SMTP_SMTP_RECEIVER_H_
