#include "lib/session/mail_connection.h"

#include <string>
#include <utility>

namespace gatehouse {

MailConnection::MailConnection(UpstreamSession opened, bool lmtp, User& user)
    : stream_(std::move(opened.stream)),
      sender_(
          {.lmtp = lmtp, .capabilities = std::move(opened.ready.capabilities)}),
      user_(&user) {
  stream_->set_handler(this);
  // What came too early is found out by the first answer, which it isn't.
  sender_.Feed(opened.trailing);
  stream_->ResumeReading();
}

MailConnection::~MailConnection() = default;

void MailConnection::Flush() {
  const std::string output = sender_.TakeOutput();
  if (output.empty()) return;
  written_bytes_ += output.size();
  stream_->Write(output);
}

void MailConnection::Close(std::unique_ptr<MailConnection> connection) {
  connection->sender_.Quit();
  connection->Flush();
  Stream::CloseAfterFlush(std::move(connection->stream_));
}

void MailConnection::OnData(std::string_view bytes) {
  sender_.Feed(bytes);
  Pump();
}

void MailConnection::OnEof() {
  sender_.FeedEof();
  Pump();
}

void MailConnection::OnFailure(const Failure& failure) {
  Failure upstream = failure;
  upstream.side = Failure::Side::kUpstream;
  user_->OnLost(upstream);
}

void MailConnection::Pump() {
  const std::weak_ptr<bool> alive = alive_;
  while (!alive.expired()) {
    const SmtpSender::Event event = sender_.Next();
    Flush();
    if (const auto* answered = std::get_if<SmtpSender::Answered>(&event)) {
      user_->OnAnswer(*answered);
    } else if (const auto* failed = std::get_if<SmtpSender::Failed>(&event)) {
      return user_->OnLost(failed->failure);
    } else {
      return;
    }
  }
}

}  // namespace gatehouse
