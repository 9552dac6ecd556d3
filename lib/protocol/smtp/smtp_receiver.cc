#include "lib/protocol/smtp/smtp_receiver.h"

#include <utility>

#include "lib/protocol/smtp/smtp_conversation.h"

namespace gatehouse {

SmtpReceiver::SmtpReceiver(SmtpReceiverOptions options)
    : conversation_(std::make_unique<SmtpConversation>(std::move(options))) {}

SmtpReceiver::~SmtpReceiver() = default;

void SmtpReceiver::Feed(std::string_view bytes) { conversation_->Feed(bytes); }

void SmtpReceiver::FeedEof() { conversation_->FeedEof(); }

bool SmtpReceiver::input_wanted() const {
  return conversation_->input_wanted();
}

std::string SmtpReceiver::TakeOutput() { return conversation_->TakeOutput(); }

std::string_view SmtpReceiver::StateName() const {
  return conversation_->StateName();
}

bool SmtpReceiver::reads_line() const { return conversation_->reads_line(); }

SmtpReceiverEvent SmtpReceiver::Next() { return conversation_->Next(); }

void SmtpReceiver::TlsEstablished(const TlsFacts& facts) {
  conversation_->TlsEstablished(facts);
}

void SmtpReceiver::LoginAccepted() { conversation_->LoginAccepted(); }

void SmtpReceiver::LoginRefused(const LoginRefusal& refusal) {
  conversation_->LoginRefused(refusal);
}

void SmtpReceiver::Answer(const SmtpReply& reply) {
  conversation_->Answer(reply);
}

void SmtpReceiver::BodyAccepted() { conversation_->BodyAccepted(); }

void SmtpReceiver::AnswerEach(const std::vector<SmtpReply>& each,
                              const SmtpReply& final) {
  conversation_->AnswerEach(each, final);
}

const std::string& SmtpReceiver::helo() const { return conversation_->helo(); }

bool SmtpReceiver::esmtp() const { return conversation_->esmtp(); }

void SmtpReceiver::Shutdown(DownstreamMachine::ShutdownReason reason) {
  conversation_->Shutdown(reason);
}

}  // namespace gatehouse
