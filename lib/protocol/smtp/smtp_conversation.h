#ifndef GATEHOUSE_LIB_PROTOCOL_SMTP_SMTP_CONVERSATION_H_
#define GATEHOUSE_LIB_PROTOCOL_SMTP_SMTP_CONVERSATION_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/byte_queue.h"
#include "lib/protocol/sasl.h"
#include "lib/protocol/smtp/smtp_intake.h"
#include "lib/protocol/smtp/smtp_keywords.h"
#include "lib/protocol/smtp/smtp_line_reader.h"
#include "lib/protocol/smtp/smtp_receiver.h"

namespace gatehouse {

// What stands behind SmtpReceiver: the states, the commands, the transaction.
// smtp_conversation_mail.cc has what hands in mail, smtp_conversation.cc all
// else.
class SmtpConversation {
 public:
  explicit SmtpConversation(SmtpReceiverOptions options);

  void Feed(std::string_view bytes);
  void FeedEof() { eof_ = true; }
  bool input_wanted() const;
  std::string TakeOutput();
  std::string_view StateName() const;
  bool reads_line() const;
  SmtpReceiverEvent Next();
  void TlsEstablished(const TlsFacts& facts);
  void LoginAccepted();
  std::string TakeTrailing();  // with hands_over, behind LoginAccepted()
  void LoginRefused(const LoginRefusal& refusal);
  void Answer(const SmtpReply& reply);
  void BodyAccepted();
  void AnswerEach(const std::vector<SmtpReply>& each, const SmtpReply& final);
  const std::string& helo() const { return helo_; }
  bool esmtp() const { return esmtp_; }
  void Shutdown(DownstreamMachine::ShutdownReason reason);

 private:
  enum class State {
    kAwaitCommand,
    kAwaitSasl,
    kAwaitSaslEnd,  // of a token that was refused
    kAwaitTls,
    kAwaitVerdict,  // on a login
    kAwaitMailAnswer,
    kAwaitRcptAnswer,
    kAwaitGoAhead,  // for a message
    kAwaitBody,
    kAwaitCommit,
    kHandsOver,
    kClosed,
  };
  using Outcome = std::optional<SmtpReceiverEvent>;  // nothing: go on
  struct Command;
  static const Command kCommands[];

  struct Transaction {
    bool open = false;     // MAIL was answered positively
    bool refused = false;  // MAIL or a RCPT wasn't
    bool utf8 = false;
    bool prdr = false;
    bool chunking = false;  // BDAT has begun
    size_t recipients = 0;  // answered positively
    size_t refused_recipients = 0;
  };

  Outcome ReadLine();
  Outcome OnCommand(std::string_view line);
  Outcome OnHelo(std::string_view arguments);
  Outcome OnEhlo(std::string_view arguments);
  Outcome OnStartTls(std::string_view arguments);
  Outcome OnAuth(std::string_view arguments);
  Outcome OnMail(std::string_view arguments);
  Outcome OnRcpt(std::string_view arguments);
  Outcome OnData(std::string_view arguments);
  Outcome OnBdat(std::string_view arguments);
  Outcome OnRset(std::string_view arguments);
  Outcome OnNoop(std::string_view arguments);
  Outcome OnVrfy(std::string_view arguments);
  Outcome OnHelp(std::string_view arguments);
  Outcome OnQuit(std::string_view arguments);
  Outcome OnNotOurs(std::string_view arguments);

  Outcome Greet(std::string_view name, bool esmtp);
  Outcome OnSaslStep(SaslStep step);
  Outcome RefuseLogin(LoginRefusal::Kind kind);
  Outcome BeginBody();
  Outcome DropBody(SmtpReply refusal);
  Outcome ReadBody();
  Outcome OnEndOfMessage();
  void OnRcptAnswered(const SmtpReply& reply);
  void OnCommitted(const SmtpReply& reply);
  SmtpReply WhyNoBody() const;
  SmtpReply WhyNoLogin() const;

  Outcome NeedMore();
  Outcome LeaveIdler();
  Outcome EndTransaction();
  Outcome Say(const SmtpReply& reply);
  Outcome Say(int code, std::string_view enhanced, std::string_view text);
  Outcome Bad(const SmtpReply& reply);
  Outcome Bad(int code, std::string_view enhanced, std::string_view text);
  Outcome Break();
  Outcome Leave(Closed::Reason reason, std::string_view text);
  Outcome Close(Closed::Reason reason, std::string_view text);
  bool login_missing() const;
  // Counts a command that brings no mail nearer; whether it is one too many.
  bool IdlesTooLong();

  SmtpReceiverOptions options_;
  State state_ = State::kAwaitCommand;
  ByteQueue input_;
  std::string output_;
  bool eof_ = false;
  bool greeted_ = false;
  std::optional<SmtpReceiverEvent> queued_;  // for Next() to tell
  SmtpLineReader lines_;
  SmtpIntake intake_;
  SmtpKeywordLines offer_;  // in EHLO, as the connection stands
  SmtpExtensions known_;    // of the offer, where the client said EHLO

  std::string helo_;
  bool esmtp_ = false;
  bool authenticated_ = false;
  SaslExchange sasl_;
  Credentials attempted_ = Credentials::kPassword;
  LoginRefusal::Kind refused_login_ = LoginRefusal::Kind::kCredentials;
  Transaction transaction_;
  // Said when the octets of the message have been read and dropped.
  std::optional<SmtpReply> refusal_;

  size_t transactions_ = 0;
  int idle_commands_ = 0;  // since mail was handed in
  int bad_commands_ = 0;
  int failed_logins_ = 0;
  size_t wrong_recipients_ = 0;  // refused for good, since mail was handed in
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_PROTOCOL_SMTP_SMTP_CONVERSATION_H_
