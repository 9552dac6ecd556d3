#ifndef GATEHOUSE_LIB_PROTOCOL_SMTP_SMTP_SENDER_H_
#define GATEHOUSE_LIB_PROTOCOL_SMTP_SMTP_SENDER_H_

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "lib/base/failure.h"
#include "lib/protocol/events.h"
#include "lib/protocol/smtp/smtp_envelope.h"
#include "lib/protocol/smtp/smtp_reply.h"

namespace gatehouse {

// Hands mail to one SMTP or LMTP server whose greeting, EHLO or LHLO, STARTTLS,
// XCLIENT and AUTH are done (by the upstream machine of SmtpProtocol() or
// LmtpProtocol()): transactions, one after another, on one connection.
//
// Commands are called by the owner and go out as PIPELINING allows: at once
// where the server offers it, else each after the answer to the one before.
// The contract of bytes is Machine's: Feed(), then Next() until NeedData, and
// write TakeOutput() after each call of any kind.
//
//   Mail, Rcpt …   → an answer each
//   BeginBody      → kBody: 354 means that Body() may be called
//   Body …         (dots are stuffed here)
//   EndBody        → kCommit: one for SMTP; LMTP one for each recipient that
//                    was answered positively, in their order
//   Reset          → kReset; allowed before BeginBody only: a transaction in
//                    its body is given up by closing the connection
class SmtpSender {
 public:
  struct Options {
    bool lmtp = false;
    // Of the EHLO answer, as UpstreamReady has them. What the server doesn't
    // offer isn't said to it: SIZE, BODY, SMTPUTF8, DSN parameters.
    std::vector<std::string> capabilities;
    size_t reply_bytes = 65536;  // the most that one reply may have
  };
  explicit SmtpSender(Options options);
  ~SmtpSender();

  struct Answered {
    enum class To { kMail, kRcpt, kBody, kCommit, kReset };
    To to;
    size_t recipient =
        0;  // kRcpt, and kCommit of LMTP: index in order of Rcpt()
    SmtpReply reply;
  };
  // The server broke the protocol, or the connection is at its end. Nothing
  // else follows. `retry` is kSafe before EndBody() was written.
  struct Failed {
    Failure failure;
  };
  using Event = std::variant<NeedData, Answered, Failed>;

  void Feed(std::string_view bytes);
  void FeedEof();
  std::string TakeOutput();
  Event Next();
  std::string_view StateName() const;

  // Whether the server can take this message at all (RFC 6531 §3.2: SMTPUTF8
  // needs it at every hop; an 8-bit body without 8BITMIME is sent all the same,
  // as everybody does). Where false: 553 5.6.7.
  bool CanTake(const SmtpMail& mail) const;

  void Mail(const SmtpMail& mail);
  void Rcpt(const SmtpRcpt& rcpt);
  void BeginBody();
  void Body(std::string_view octets);
  void EndBody();
  void Reset();
  void Quit();  // nothing is waited for afterwards

  // No transaction is open and no answer is owed: fit for reuse.
  bool idle() const;

 private:
  class Conversation;
  std::unique_ptr<Conversation> conversation_;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_PROTOCOL_SMTP_SMTP_SENDER_H_
