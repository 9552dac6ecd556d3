#ifndef GATEHOUSE_LIB_PROTOCOL_SMTP_RULED_RECEIVER_H_
#define GATEHOUSE_LIB_PROTOCOL_SMTP_RULED_RECEIVER_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lib/protocol/machine.h"
#include "lib/protocol/smtp/smtp_envelope.h"
#include "lib/protocol/smtp/smtp_receiver.h"

namespace gatehouse {

// SmtpReceiver with an owner that answers by rules, so that transcripts and
// fuzzers can play it as any downstream machine. It says what it saw:
//
//   MAIL        250 and the command, read and written again; a sender
//               "refused" 550 5.7.1, "later" 451, "closing" 421
//   RCPT        the same; a recipient "nobody" 550 5.1.1, "later" 451
//   the message is taken; of a sender "unwanted" 451 in place of the go-ahead
//   its end     250, its size and octets (control characters as '?'); of a
//               sender "rejected" 554; with PRDR a reply for each recipient,
//               552 5.2.2 to "full"
//   Aborted     a line "(aborted)"
//
// Logins are the transcript's to answer, but for the secret "secret", which is
// accepted.
class RuledReceiver final : public DownstreamMachine {
 public:
  explicit RuledReceiver(SmtpReceiverOptions options);

  void Feed(std::string_view bytes) override { receiver_.Feed(bytes); }
  void FeedEof() override { receiver_.FeedEof(); }
  bool input_wanted() const override { return receiver_.input_wanted(); }
  std::string TakeOutput() override;
  std::string TakeTrailing() override { return ""; }
  std::string_view StateName() const override { return receiver_.StateName(); }
  DownstreamEvent Next() override;
  void TlsEstablished(const TlsFacts& facts) override;
  void LoginAccepted(const UpstreamReady&) override;
  void LoginRefused(const LoginRefusal& refusal) override;
  void Shutdown(ShutdownReason reason) override { receiver_.Shutdown(reason); }

  struct Transaction {
    SmtpMail mail;
    std::vector<SmtpRcpt> recipients;  // those that were taken
    std::string message;
  };
  // Those whose message came whole, in their order.
  const std::vector<Transaction>& transactions() const { return whole_; }
  std::vector<std::string> messages() const;  // theirs

 private:
  void On(const SmtpMailEvent& event);
  void On(const SmtpRcptEvent& event);
  void On(const SmtpBodyEvent& event);
  void On(const SmtpChunkEvent& event);
  void On(const SmtpEndOfBodyEvent& event);
  void On(const SmtpAbortedEvent& event);

  SmtpReceiver receiver_;
  std::string output_;
  bool accepts_login_ = false;
  std::string sender_;  // its local part
  Transaction transaction_;
  std::vector<Transaction> whole_;
};

// A protocol whose downstream is that: `options` with the downstream part that
// each conversation asks for.
class RuledReceiverProtocol final : public Protocol {
 public:
  explicit RuledReceiverProtocol(SmtpReceiverOptions options)
      : options_(std::move(options)) {}
  std::string_view name() const override { return "smtp"; }
  uint16_t port() const override { return 25; }
  uint16_t implicit_tls_port() const override { return 465; }
  int least_idle_seconds() const override { return 300; }
  std::unique_ptr<DownstreamMachine> NewDownstream(
      DownstreamOptions options) const override;
  std::unique_ptr<UpstreamMachine> NewUpstream(UpstreamOptions) const override {
    return nullptr;
  }

 private:
  SmtpReceiverOptions options_;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_PROTOCOL_SMTP_RULED_RECEIVER_H_
