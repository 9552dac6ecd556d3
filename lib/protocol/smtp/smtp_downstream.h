#ifndef GATEHOUSE_LIB_PROTOCOL_SMTP_SMTP_DOWNSTREAM_H_
#define GATEHOUSE_LIB_PROTOCOL_SMTP_SMTP_DOWNSTREAM_H_

#include <string>
#include <string_view>

#include "lib/protocol/machine.h"
#include "lib/protocol/smtp/smtp_conversation.h"

namespace gatehouse {

// Answers a mail program until it has logged in (RFC 6409 with AUTH required);
// then it is joined to its account's own host. The same conversation as that of
// SmtpReceiver, which takes no mail before AUTH and never gets behind it.
class SmtpDownstream final : public DownstreamMachine {
 public:
  explicit SmtpDownstream(DownstreamOptions options);

  void Feed(std::string_view bytes) override { conversation_.Feed(bytes); }
  void FeedEof() override { conversation_.FeedEof(); }
  bool input_wanted() const override { return conversation_.input_wanted(); }
  std::string TakeOutput() override { return conversation_.TakeOutput(); }
  std::string TakeTrailing() override { return conversation_.TakeTrailing(); }
  std::string_view StateName() const override {
    return conversation_.StateName();
  }
  DownstreamEvent Next() override;
  void TlsEstablished(const TlsFacts& facts) override {
    conversation_.TlsEstablished(facts);
  }
  void LoginAccepted(const UpstreamReady& upstream) override {
    conversation_.LoginAccepted();
  }
  void LoginRefused(const LoginRefusal& refusal) override {
    conversation_.LoginRefused(refusal);
  }
  void Shutdown(ShutdownReason reason) override {
    conversation_.Shutdown(reason);
  }

 private:
  SmtpConversation conversation_;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_PROTOCOL_SMTP_SMTP_DOWNSTREAM_H_
