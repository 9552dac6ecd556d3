#ifndef GATEHOUSE_LIB_SESSION_MAIL_CONNECTION_H_
#define GATEHOUSE_LIB_SESSION_MAIL_CONNECTION_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "lib/net/stream.h"
#include "lib/protocol/smtp/smtp_sender.h"
#include "lib/session/upstream_session.h"

namespace gatehouse {

// A connection to an SMTP or LMTP server that is ready for transactions: the
// stream, and the machine that speaks on it. Destroying it cuts it.
class MailConnection : private StreamHandler {
 public:
  // Who uses the connection at present. May destroy it in each of these calls,
  // which come from the loop, never from inside a call to the connection.
  class User {
   public:
    virtual void OnAnswer(const SmtpSender::Answered& answered) = 0;
    // All that was written has been taken, after it had not.
    virtual void OnDrained() {}
    // Dead; nothing else follows.
    virtual void OnLost(const Failure& failure) = 0;

   protected:
    ~User() = default;
  };

  MailConnection(UpstreamSession opened, bool lmtp, User& user);
  ~MailConnection();

  void set_user(User& user) { user_ = &user; }

  // Commands go to the machine; then Flush() sends what it has written.
  SmtpSender& sender() { return sender_; }
  void Flush();
  size_t queued_bytes() const { return stream_->queued_bytes(); }
  uint64_t written_bytes() const { return written_bytes_; }

  // Messages that it has carried, counted by its users.
  int messages() const { return messages_; }
  void CountMessage() { ++messages_; }

  // QUIT, without waiting for its answer.
  static void Close(std::unique_ptr<MailConnection> connection);

 private:
  void OnData(std::string_view bytes) override;
  void OnEof() override;
  void OnDrained() override { user_->OnDrained(); }
  void OnFailure(const Failure& failure) override;
  void Pump();

  std::unique_ptr<Stream> stream_;
  SmtpSender sender_;
  User* user_;
  uint64_t written_bytes_ = 0;
  int messages_ = 0;
  // Whether a call has destroyed this is seen by Pump() through it.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_SESSION_MAIL_CONNECTION_H_
