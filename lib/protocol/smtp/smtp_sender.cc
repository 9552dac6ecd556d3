// Rules: RFC 5321 §3.3, §4.2 (replies; 421 at any time), §4.5.2; RFC 2033 §4.2
// (LMTP: a reply for each recipient behind the message); RFC 2920 §3.1
// (pipelining: MAIL, RCPT, RSET may follow each other, DATA ends a group); RFC
// 6152 §3 and RFC 6531 §3.2 (what a server without them isn't sent).
//
// A reply that nobody asked for is never taken for the answer to a later
// command: one wrong step, and every answer behind it belongs to another
// recipient.

#include "lib/protocol/smtp/smtp_sender.h"

#include <algorithm>
#include <utility>

#include "lib/base/check.h"

namespace gatehouse {
namespace {

constexpr int kGoAhead = 354;
constexpr int kClosing = 421;

}  // namespace

SmtpSender::SmtpSender(Options options)
    : options_(std::move(options)),
      offered_(ReadSmtpExtensions(options_.capabilities)),
      reader_(options_.reply_bytes) {}

void SmtpSender::Feed(std::string_view bytes) { reader_.Feed(bytes); }

void SmtpSender::FeedEof() { eof_ = true; }

std::string SmtpSender::TakeOutput() { return std::exchange(output_, ""); }

std::string_view SmtpSender::StateName() const {
  if (failed_) return "Failed";
  if (quitting_) return "Quitting";
  if (in_body_) return "InBody";
  if (awaited_.empty()) return open_ ? "InTransaction" : "Idle";
  switch (awaited_.front().to) {
    case To::kMail:
      return "AwaitMail";
    case To::kRcpt:
      return "AwaitRcpt";
    case To::kBody:
      return "AwaitGoAhead";
    case To::kCommit:
      return "AwaitCommit";
    case To::kReset:
      return "AwaitReset";
  }
  return "";
}

bool SmtpSender::CanTake(const SmtpMail& mail) const {
  return !mail.utf8 || offered_.utf8;
}

bool SmtpSender::CanTake(const SmtpMail& mail, std::string_view octets) const {
  return offered_.eight_bit_mime || !mail.body_8bit ||
         std::none_of(octets.begin(), octets.end(), [](char c) {
           return static_cast<unsigned char>(c) >= 0x80;
         });
}

bool SmtpSender::idle() const {
  return !open_ && !failed_ && !quitting_ && !good_bye_ && !eof_ &&
         awaited_.empty() && unsent_.empty() && reader_.empty();
}

// --- Commands ----------------------------------------------------------------

void SmtpSender::Mail(const SmtpMail& mail) {
  GATEHOUSE_CHECK(!open_, "a transaction is open");
  open_ = true;
  recipients_ = 0;
  accepted_.clear();
  Send({To::kMail, 0, FormatSmtpMail(mail, offered_) + "\r\n"});
}

void SmtpSender::Rcpt(const SmtpRcpt& rcpt) {
  Send({To::kRcpt, recipients_++, FormatSmtpRcpt(rcpt, offered_) + "\r\n"});
}

void SmtpSender::BeginBody() { Send({To::kBody, 0, "DATA\r\n"}); }

void SmtpSender::Reset() {
  GATEHOUSE_CHECK(!in_body_ && !committing_, "a message has no RSET");
  Send({To::kReset, 0, "RSET\r\n"});
}

void SmtpSender::Body(std::string_view octets) {
  if (failed_ || good_bye_) return;
  GATEHOUSE_CHECK(in_body_, "no 354 yet");
  body_.Write(octets, output_);
}

void SmtpSender::EndBody() {
  if (failed_ || good_bye_) return;
  GATEHOUSE_CHECK(in_body_, "no 354 yet");
  body_.WriteEnd(output_);
  in_body_ = false;
  committing_ = true;
  if (!options_.lmtp) {
    awaited_.push_back({To::kCommit, 0, ""});
    return;
  }
  for (const size_t recipient : accepted_) {
    awaited_.push_back({To::kCommit, recipient, ""});
  }
}

void SmtpSender::Quit() {
  if (failed_) return;
  output_ += "QUIT\r\n";
  quitting_ = true;
}

void SmtpSender::Send(Command command) {
  if (failed_) return;
  GATEHOUSE_CHECK(!quitting_, "QUIT was said");
  if (awaited_.empty() && !reader_.empty()) unasked_ = true;
  unsent_.push_back(std::move(command));
  WriteTurn();
}

// Behind DATA nothing is said before its answer.
void SmtpSender::WriteTurn() {
  while (!unsent_.empty()) {
    const bool turn = awaited_.empty() ||
                      (offered_.pipelining && awaited_.back().to != To::kBody);
    if (!turn) return;
    output_ += std::exchange(unsent_.front().line, "");
    awaited_.push_back(std::move(unsent_.front()));
    unsent_.pop_front();
  }
}

// --- Answers -----------------------------------------------------------------

SmtpSender::Event SmtpSender::Next() {
  if (failed_ || quitting_) return NeedData();
  if (good_bye_) return Fail(Failure::Kind::kRefused, Summary(*good_bye_));
  if (unasked_) return Fail(Failure::Kind::kProtocol, "spoke unasked");
  SmtpReply reply;
  switch (reader_.Next(reply)) {
    case SmtpReplyReader::Status::kReply:
      return OnReply(std::move(reply));
    case SmtpReplyReader::Status::kBroken:
      return Fail(Failure::Kind::kProtocol, "said what isn't an SMTP reply");
    case SmtpReplyReader::Status::kNeedData:
      break;
  }
  if (!eof_) return NeedData();
  return Fail(Failure::Kind::kReset, "closed the connection");
}

SmtpSender::Event SmtpSender::OnReply(SmtpReply reply) {
  if (in_body_ && (reply.temporary() || reply.permanent())) {
    in_body_ = false;
    good_bye_ = reply;
    return Answered{To::kBody, 0, std::move(reply)};
  }
  if (awaited_.empty()) {
    return Fail(reply.code == kClosing ? Failure::Kind::kRefused
                                       : Failure::Kind::kProtocol,
                "said unasked: " + Summary(reply));
  }
  const Command command = std::move(awaited_.front());
  awaited_.pop_front();
  const bool go_ahead = reply.code >= 300 && reply.code < 400;
  if (go_ahead != (reply.code == kGoAhead && command.to == To::kBody)) {
    return Fail(Failure::Kind::kProtocol,
                "answered out of place: " + Summary(reply));
  }
  // Nor is a message without recipients anything that could be sent.
  if (command.to == To::kBody &&
      (reply.positive() || (go_ahead && accepted_.empty()))) {
    return Fail(Failure::Kind::kProtocol,
                "answered DATA with " + Summary(reply));
  }
  if (reply.code == kClosing) good_bye_ = reply;
  OnAnswer(command, reply);
  WriteTurn();
  return Answered{command.to, command.recipient, std::move(reply)};
}

void SmtpSender::OnAnswer(const Command& command, const SmtpReply& reply) {
  switch (command.to) {
    case To::kMail:
      open_ = reply.positive();
      return;
    case To::kRcpt:
      if (reply.positive()) accepted_.push_back(command.recipient);
      return;
    case To::kBody:
      in_body_ = reply.code == kGoAhead;
      body_ = SmtpBodyWriter();
      return;
    case To::kCommit:
      committing_ = !awaited_.empty();
      open_ = committing_;
      return;
    case To::kReset:
      open_ = false;
      return;
  }
}

SmtpSender::Event SmtpSender::Fail(Failure::Kind kind, std::string_view text) {
  failed_ = true;
  output_.clear();
  return Failed{{Failure::Side::kUpstream, kind,
                 committing_ ? Failure::Retry::kNo : Failure::Retry::kSafe,
                 std::string(text)}};
}

}  // namespace gatehouse
