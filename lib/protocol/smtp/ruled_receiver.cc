#include "lib/protocol/smtp/ruled_receiver.h"

#include <utility>
#include <variant>

namespace gatehouse {
namespace {

SmtpExtensions Everything() {
  SmtpExtensions all;
  all.eight_bit_mime = all.utf8 = all.dsn = true;
  all.size = 0;
  return all;
}

}  // namespace

RuledReceiver::RuledReceiver(SmtpReceiverOptions options)
    : receiver_(std::move(options)) {}

std::string RuledReceiver::TakeOutput() {
  output_ += receiver_.TakeOutput();
  return std::exchange(output_, "");
}

DownstreamEvent RuledReceiver::Next() {
  if (std::exchange(accepts_login_, false)) receiver_.LoginAccepted();
  for (;;) {
    SmtpReceiverEvent event = receiver_.Next();
    output_ += receiver_.TakeOutput();
    if (auto* attempt = std::get_if<LoginAttempt>(&event)) {
      accepts_login_ = attempt->secret.Reveal() == "secret";
      return std::move(*attempt);
    }
    if (auto* closed = std::get_if<Closed>(&event)) return *closed;
    if (std::holds_alternative<StartTls>(event)) return StartTls();
    if (std::holds_alternative<Paused>(event)) return Paused();
    if (std::holds_alternative<NeedData>(event)) return NeedData();
    std::visit(
        [this](const auto& value) {
          if constexpr (requires { On(value); }) On(value);
        },
        event);
  }
}

void RuledReceiver::TlsEstablished(const TlsFacts& facts) {
  receiver_.TlsEstablished(facts);
}

void RuledReceiver::LoginAccepted(const UpstreamReady&) {
  receiver_.LoginAccepted();
}

void RuledReceiver::LoginRefused(const LoginRefusal& refusal) {
  receiver_.LoginRefused(refusal);
}

std::vector<std::string> RuledReceiver::messages() const {
  std::vector<std::string> messages;
  for (const Transaction& transaction : whole_) {
    messages.push_back(transaction.message);
  }
  return messages;
}

void RuledReceiver::On(const SmtpMailEvent& event) {
  sender_ = event.mail.sender ? event.mail.sender->local_part : "";
  transaction_ = {event.mail, {}, ""};
  std::string seen = FormatSmtpMail(event.mail, Everything());
  if (event.mail.prdr) seen += " PRDR";
  if (sender_ == "refused") {
    receiver_.Answer(MakeSmtpReply(550, "5.7.1", "No."));
  } else if (sender_ == "later") {
    receiver_.Answer(MakeSmtpReply(451, "", "Later."));
  } else if (sender_ == "closing") {
    receiver_.Answer(MakeSmtpReply(421, "4.3.2", "Closing."));
  } else {
    receiver_.Answer(MakeSmtpReply(250, "2.1.0", seen));
  }
}

void RuledReceiver::On(const SmtpRcptEvent& event) {
  const std::string& name = event.rcpt.recipient.local_part;
  if (name == "nobody") {
    receiver_.Answer(MakeSmtpReply(550, "5.1.1", "Nobody."));
  } else if (name == "later") {
    receiver_.Answer(MakeSmtpReply(451, "4.3.0", "Later."));
  } else {
    transaction_.recipients.push_back(event.rcpt);
    receiver_.Answer(
        MakeSmtpReply(250, "2.1.5", FormatSmtpRcpt(event.rcpt, Everything())));
  }
}

void RuledReceiver::On(const SmtpBodyEvent&) {
  if (sender_ == "unwanted") {
    receiver_.Answer(MakeSmtpReply(451, "4.3.0", "Unwanted."));
  } else {
    receiver_.BodyAccepted();
  }
}

void RuledReceiver::On(const SmtpChunkEvent& event) {
  transaction_.message += event.octets;
}

void RuledReceiver::On(const SmtpEndOfBodyEvent&) {
  whole_.push_back(transaction_);
  const std::string& message = transaction_.message;
  const SmtpReply taken = MakeSmtpReply(
      250, "2.0.0", std::to_string(message.size()) + " " + message);
  if (sender_ == "rejected") {
    receiver_.Answer(MakeSmtpReply(554, "5.6.0", "Rejected."));
  } else if (!transaction_.mail.prdr) {
    receiver_.Answer(taken);
  } else {
    std::vector<SmtpReply> each;
    for (const SmtpRcpt& rcpt : transaction_.recipients) {
      const std::string& name = rcpt.recipient.local_part;
      each.push_back(name == "full" ? MakeSmtpReply(552, "5.2.2", "Full.")
                                    : MakeSmtpReply(250, "2.1.5", name));
    }
    receiver_.AnswerEach(each, taken);
  }
}

void RuledReceiver::On(const SmtpAbortedEvent&) { output_ += "(aborted)\r\n"; }

std::unique_ptr<DownstreamMachine> RuledReceiverProtocol::NewDownstream(
    DownstreamOptions options) const {
  SmtpReceiverOptions all = options_;
  all.downstream = std::move(options);
  return std::make_unique<RuledReceiver>(std::move(all));
}

}  // namespace gatehouse
