#ifndef GATEHOUSE_LIB_PROTOCOL_SMTP_SMTP_SENDER_H_
#define GATEHOUSE_LIB_PROTOCOL_SMTP_SMTP_SENDER_H_

#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "lib/base/failure.h"
#include "lib/protocol/events.h"
#include "lib/protocol/smtp/smtp_body.h"
#include "lib/protocol/smtp/smtp_envelope.h"
#include "lib/protocol/smtp/smtp_keywords.h"
#include "lib/protocol/smtp/smtp_reply.h"
#include "lib/protocol/smtp/smtp_reply_reader.h"

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
//   BeginBody      → kBody: 354 means that Body() may be called; anything else
//                    leaves the transaction open until Reset()
//   Body …         (dots are stuffed here). A server that won't have the rest
//                    may say so: a second kBody, and then Failed, since nobody
//                    knows what it takes the octets for that are on their way
//   EndBody        → kCommit: one for SMTP; LMTP one for each recipient that
//                    was answered positively, in their order
//   Reset          → kReset, behind which Mail() is allowed again. Not in a
//                    body: such a transaction is given up by closing the
//                    connection
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

  struct Answered {
    enum class To { kMail, kRcpt, kBody, kCommit, kReset };
    To to;
    size_t recipient =
        0;  // kRcpt, and kCommit of LMTP: index in order of Rcpt()
    SmtpReply reply;
  };
  // The server broke the protocol, or the connection is at its end: also
  // behind an answer of 421, which is given first. Nothing else follows, and
  // what is called afterwards does nothing. `retry` is kSafe but between
  // EndBody() and the last kCommit.
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
  // needs it at every hop). Where false: 553 5.6.7.
  bool CanTake(const SmtpMail& mail) const;
  // Whether it can take these octets of it (RFC 6152 §3: not 8-bit ones without
  // 8BITMIME). Where false: 451 4.6.3, for the client was told otherwise and
  // can convert the message when it hears better. What a client sends without
  // having said BODY=8BITMIME goes on as it came: it didn't wait for leave.
  bool CanTake(const SmtpMail& mail, std::string_view octets) const;

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
  using To = Answered::To;
  // A command whose answer is awaited, or that waits for its turn.
  struct Command {
    To to;
    size_t recipient = 0;
    std::string line;  // with CRLF; empty for the answers behind a message
  };

  void Send(Command command);
  void WriteTurn();
  Event OnReply(SmtpReply reply);
  void OnAnswer(const Command& command, const SmtpReply& reply);
  Event Fail(Failure::Kind kind, std::string_view text);

  const Options options_;
  const SmtpExtensions offered_;
  SmtpReplyReader reader_;
  SmtpBodyWriter body_;
  std::string output_;
  bool eof_ = false;
  bool failed_ = false;
  bool quitting_ = false;
  // The server closes behind this answer, or we do.
  std::optional<SmtpReply> good_bye_;
  // Something was said before it was asked.
  bool unasked_ = false;

  std::deque<Command> unsent_;   // in their turn, where nothing is pipelined
  std::deque<Command> awaited_;  // sent
  bool open_ = false;            // MAIL was said, and isn't over
  bool in_body_ = false;         // between 354 and EndBody()
  bool committing_ = false;      // behind EndBody()
  size_t recipients_ = 0;
  std::vector<size_t> accepted_;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_PROTOCOL_SMTP_SMTP_SENDER_H_
