// The part of the conversation that hands in mail. Rules: RFC 5321 §4.1.1,
// §4.1.4; RFC 3030 §2, §3 (BDAT); RFC 2920 §3.1 (what a DATA behind refused
// recipients may get); RFC 2034 (enhanced codes); draft-hall-prdr.
//
// Where DATA is refused behind a MAIL or RCPT, the client hears 354 all the
// same, and the refusal behind its message: one that doesn't wait for the
// answer would have its message read as commands. RFC 2920 §3.1 prepares
// clients for that; those that wait and have no recipients send nothing but the
// dot. BDAT needs no such care, since its octets are counted.

#include <utility>

#include "lib/base/check.h"
#include "lib/protocol/smtp/smtp_command.h"
#include "lib/protocol/smtp/smtp_conversation.h"

namespace gatehouse {
namespace {

// A list's sender may offer all its recipients at once and take 452 for most of
// them (RFC 5321 §4.5.3.1.10); whoever offers this many times the limit isn't
// listening.
constexpr size_t kMostRefusedFactor = 10;

// RFC 2034 §4: each reply has an enhanced code, once that is announced; not
// every upstream gives one.
SmtpReply WithEnhancedCode(SmtpReply reply) {
  if (reply.enhanced.empty()) {
    reply.enhanced = std::to_string(reply.code / 100) + ".0.0";
  }
  return reply;
}

}  // namespace

// --- The envelope ------------------------------------------------------------

SmtpConversation::Outcome SmtpConversation::OnMail(std::string_view arguments) {
  if (transaction_.open) {
    return Bad(503, "5.5.1", "A transaction is open already.");
  }
  transaction_.refused = true;  // until it isn't
  if (helo_.empty()) return Bad(503, "5.5.1", "Say EHLO or HELO first.");
  if (++transactions_ > options_.transactions) {
    return Leave(Closed::Reason::kLimit, "Too many transactions.");
  }
  auto mail = ParseSmtpMail(arguments, known_);
  if (const auto* refusal = std::get_if<SmtpReply>(&mail)) {
    // A message that is too big is no mistake.
    return refusal->code == 552 ? Say(*refusal) : Bad(*refusal);
  }
  state_ = State::kAwaitMailAnswer;
  SmtpMailEvent event{std::move(std::get<SmtpMail>(mail))};
  transaction_.utf8 = event.mail.utf8;
  transaction_.prdr = event.mail.prdr;
  return event;
}

SmtpConversation::Outcome SmtpConversation::OnRcpt(std::string_view arguments) {
  if (!transaction_.open) return Bad(503, "5.5.1", "Say MAIL first.");
  if (transaction_.chunking) {
    return Bad(503, "5.5.1", "The message has begun.");
  }
  if (transaction_.recipients >= options_.recipients) {
    state_ = State::kAwaitRcptAnswer;
    Answer(MakeSmtpReply(452, "4.5.3", "Too many recipients."));
    return std::nullopt;
  }
  auto rcpt = ParseSmtpRcpt(arguments, known_, transaction_.utf8);
  if (const auto* refusal = std::get_if<SmtpReply>(&rcpt)) {
    transaction_.refused = true;
    return Bad(*refusal);
  }
  state_ = State::kAwaitRcptAnswer;
  return SmtpRcptEvent{std::move(std::get<SmtpRcpt>(rcpt))};
}

SmtpConversation::Outcome SmtpConversation::OnRset(std::string_view) {
  Say(250, "2.0.0", "Forgotten.");
  return EndTransaction();
}

// The owner is told where it knows of the transaction.
SmtpConversation::Outcome SmtpConversation::EndTransaction() {
  const bool open = std::exchange(transaction_, {}).open;
  return open ? Outcome(SmtpAbortedEvent()) : std::nullopt;
}

// --- The message -------------------------------------------------------------

SmtpReply SmtpConversation::WhyNoBody() const {
  if (transaction_.refused) {
    return MakeSmtpReply(554, "5.5.1", "No valid recipients.");
  }
  return MakeSmtpReply(
      503, "5.5.1", transaction_.open ? "Say RCPT first." : "Say MAIL first.");
}

SmtpConversation::Outcome SmtpConversation::OnData(std::string_view) {
  if (transaction_.chunking) {
    return Bad(503, "5.5.1", "Go on with BDAT, or RSET.");
  }
  const bool wanted = transaction_.recipients > 0;
  if (!wanted && !transaction_.refused) return Bad(WhyNoBody());
  intake_.Restart();
  intake_.BeginData();
  return wanted ? BeginBody() : DropBody(WhyNoBody());
}

SmtpConversation::Outcome SmtpConversation::OnBdat(std::string_view arguments) {
  const auto header = ParseSmtpBdat(arguments);
  if (!header) {
    Say(501, "5.5.4", "Say BDAT octets [LAST].");
    return Leave(Closed::Reason::kViolation, "The end of BDAT is unknown.");
  }
  if (!transaction_.chunking) intake_.Restart();
  intake_.BeginChunk(*header);
  const bool begun = std::exchange(transaction_.chunking, true);
  const bool empty = header->octets == 0 && !header->last;
  if ((empty || transaction_.recipients == 0) && IdlesTooLong()) {
    return LeaveIdler();
  }
  if (login_missing()) return DropBody(WhyNoLogin());
  if (transaction_.recipients == 0) return DropBody(WhyNoBody());
  if (intake_.chunk_too_big()) {
    return DropBody(MakeSmtpReply(552, "5.3.4", "The message is too big."));
  }
  if (!begun) return BeginBody();
  state_ = State::kAwaitBody;
  return std::nullopt;
}

SmtpConversation::Outcome SmtpConversation::BeginBody() {
  state_ = State::kAwaitGoAhead;
  return SmtpBodyEvent();
}

void SmtpConversation::BodyAccepted() {
  GATEHOUSE_CHECK(state_ == State::kAwaitGoAhead, "no message to be taken");
  state_ = State::kAwaitBody;
  if (!transaction_.chunking) Say(354, "", "Go ahead.");
}

SmtpConversation::Outcome SmtpConversation::DropBody(SmtpReply refusal) {
  // Of DATA nobody has heard yet that it may be sent.
  if (state_ != State::kAwaitBody && !transaction_.chunking) {
    Say(354, "", "Go ahead.");
  }
  state_ = State::kAwaitBody;
  intake_.Drop();
  refusal_ = std::move(refusal);
  return EndTransaction();
}

SmtpConversation::Outcome SmtpConversation::ReadBody() {
  std::string octets;
  const SmtpIntake::Status status = intake_.Read(input_, octets);
  if (status == SmtpIntake::Status::kBroken) return Break();
  if (status == SmtpIntake::Status::kTooBig) {
    return DropBody(MakeSmtpReply(552, "5.3.4", "The message is too big."));
  }
  if (!octets.empty()) return SmtpChunkEvent{std::move(octets)};
  if (status == SmtpIntake::Status::kNeedData) return NeedMore();
  if (status == SmtpIntake::Status::kEndOfMessage) return OnEndOfMessage();
  state_ = State::kAwaitCommand;
  return Say(250, "2.0.0", "Chunk taken.");
}

SmtpConversation::Outcome SmtpConversation::OnEndOfMessage() {
  if (!refusal_) {
    state_ = State::kAwaitCommit;
    return SmtpEndOfBodyEvent();
  }
  state_ = State::kAwaitCommand;
  return Say(*std::exchange(refusal_, std::nullopt));
}

// --- The owner's answers -----------------------------------------------------

void SmtpConversation::Answer(const SmtpReply& reply) {
  GATEHOUSE_CHECK(reply.code / 100 != 3, "not an answer");
  if (reply.code == 421) {
    Say(WithEnhancedCode(reply));
    Close(Closed::Reason::kShutdown, Summary(reply));
    return;
  }
  switch (state_) {
    case State::kAwaitMailAnswer:
      transaction_.open = reply.positive();
      transaction_.refused = !reply.positive();
      break;
    case State::kAwaitRcptAnswer:
      OnRcptAnswered(reply);
      return;
    case State::kAwaitGoAhead:
      GATEHOUSE_CHECK(!reply.positive(), "BodyAccepted() is the other answer");
      DropBody(WithEnhancedCode(reply));
      return;
    case State::kAwaitCommit:
      OnCommitted(reply);
      break;
    default:
      GATEHOUSE_CHECK(false, "no answer is owed");
  }
  state_ = State::kAwaitCommand;
  Say(WithEnhancedCode(reply));
}

void SmtpConversation::OnRcptAnswered(const SmtpReply& reply) {
  state_ = State::kAwaitCommand;
  Say(WithEnhancedCode(reply));
  if (reply.positive()) {
    ++transaction_.recipients;
    return;
  }
  transaction_.refused = true;
  if (reply.permanent()) ++wrong_recipients_;
  // More wrong names than a message may have: somebody tries which exist.
  if (wrong_recipients_ > options_.recipients ||
      ++transaction_.refused_recipients >
          kMostRefusedFactor * options_.recipients) {
    Leave(Closed::Reason::kLimit, "Too many refused recipients.");
  }
}

void SmtpConversation::AnswerEach(const std::vector<SmtpReply>& each,
                                  const SmtpReply& final) {
  GATEHOUSE_CHECK(state_ == State::kAwaitCommit && transaction_.prdr,
                  "the client expects one answer");
  GATEHOUSE_CHECK(each.size() == transaction_.recipients,
                  "an answer for each recipient");
  Say(353, "", "Each recipient's answer follows.");
  for (const SmtpReply& reply : each) Say(WithEnhancedCode(reply));
  Answer(final);
}

// Whoever hands in mail may go on for long.
void SmtpConversation::OnCommitted(const SmtpReply& reply) {
  transaction_ = {};
  if (!reply.positive()) return;
  idle_commands_ = 0;
  wrong_recipients_ = 0;
}

}  // namespace gatehouse
