#include "lib/protocol/smtp/smtp_sender.h"

#include <gtest/gtest.h>

#include <string>
#include <variant>
#include <vector>

#include "lib/testing/chop.h"

namespace gatehouse {
namespace {

using namespace std::string_literals;
using To = SmtpSender::Answered::To;

SmtpMail From(const std::string& address) {
  SmtpMail mail;
  mail.sender = ParseSmtpAddress(address);
  return mail;
}

SmtpRcpt Recipient(const std::string& address) {
  SmtpRcpt rcpt;
  rcpt.recipient = *ParseSmtpAddress(address);
  return rcpt;
}

SmtpSender::Options Lmtp() {
  SmtpSender::Options options;
  options.lmtp = true;
  options.capabilities = {"PIPELINING"};
  return options;
}

std::string_view Name(To to) {
  constexpr std::string_view kNames[] = {"mail", "rcpt", "body", "commit",
                                         "reset"};
  return kNames[static_cast<size_t>(to)];
}

// All that happens until NeedData: "rcpt1 250", "failed protocol".
std::vector<std::string> Happens(SmtpSender& sender) {
  std::vector<std::string> seen;
  for (;;) {
    const SmtpSender::Event event = sender.Next();
    if (const auto* answered = std::get_if<SmtpSender::Answered>(&event)) {
      seen.push_back(std::string(Name(answered->to)) +
                     std::to_string(answered->recipient) + " " +
                     Summary(answered->reply));
    } else if (const auto* failed = std::get_if<SmtpSender::Failed>(&event)) {
      const bool safe = failed->failure.retry == Failure::Retry::kSafe;
      seen.push_back("failed " + std::string(KindName(failed->failure.kind)) +
                     (safe ? " safe" : ""));
    } else {
      return seen;
    }
  }
}

std::vector<std::string> Hears(SmtpSender& sender, std::string_view bytes) {
  sender.Feed(bytes);
  return Happens(sender);
}

using Seen = std::vector<std::string>;

TEST(SmtpSenderTest, SendsOneCommandAfterTheOtherWherePipeliningIsNotOffered) {
  SmtpSender sender({});
  sender.Mail(From("a@x"));
  sender.Rcpt(Recipient("b@y"));
  sender.Rcpt(Recipient("c@y"));
  EXPECT_EQ(sender.TakeOutput(), "MAIL FROM:<a@x>\r\n");
  EXPECT_EQ(sender.StateName(), "AwaitMail");
  EXPECT_EQ(Hears(sender, "250 ok\r\n"), Seen{"mail0 250 ok"});
  EXPECT_EQ(sender.TakeOutput(), "RCPT TO:<b@y>\r\n");
  EXPECT_EQ(Hears(sender, "550 5.1.1 no\r\n"), Seen{"rcpt0 550 5.1.1 no"});
  EXPECT_EQ(sender.TakeOutput(), "RCPT TO:<c@y>\r\n");
  EXPECT_EQ(Hears(sender, "250\r\n"), Seen{"rcpt1 250"});
  sender.BeginBody();
  EXPECT_EQ(sender.TakeOutput(), "DATA\r\n");
  EXPECT_EQ(Hears(sender, "354 go\r\n"), Seen{"body0 354 go"});
  sender.Body("Hi\r\n.");
  sender.Body("\r\n");
  sender.EndBody();
  EXPECT_EQ(sender.TakeOutput(), "Hi\r\n..\r\n.\r\n");
  EXPECT_FALSE(sender.idle());
  EXPECT_EQ(Hears(sender, "250 queued\r\n"), Seen{"commit0 250 queued"});
  EXPECT_TRUE(sender.idle());
  sender.Quit();
  EXPECT_EQ(sender.TakeOutput(), "QUIT\r\n");
  EXPECT_EQ(Hears(sender, "221 bye\r\n"), Seen{});
}

TEST(SmtpSenderTest, PipelinesUpToData) {
  SmtpSender sender({false, {"PIPELINING"}});
  sender.Mail(From("a@x"));
  sender.Rcpt(Recipient("b@y"));
  sender.BeginBody();
  EXPECT_EQ(sender.TakeOutput(),
            "MAIL FROM:<a@x>\r\nRCPT TO:<b@y>\r\nDATA\r\n");
  sender.Reset();
  EXPECT_EQ(sender.TakeOutput(), "");  // behind DATA's answer only
  EXPECT_EQ(Hears(sender, "250 1\r\n250 2\r\n451 4.3.0 3\r\n"),
            (Seen{"mail0 250 1", "rcpt0 250 2", "body0 451 4.3.0 3"}));
  EXPECT_EQ(sender.TakeOutput(), "RSET\r\n");
  EXPECT_FALSE(sender.idle());
  EXPECT_EQ(Hears(sender, "250 4\r\n"), Seen{"reset0 250 4"});
  EXPECT_TRUE(sender.idle());
}

TEST(SmtpSenderTest, SaysNothingThatIsNotOffered) {
  SmtpMail mail = From("a@x");
  mail.size = 5;
  mail.body_8bit = mail.utf8 = true;
  mail.ret = "FULL";
  mail.envid = "e";
  SmtpRcpt rcpt = Recipient("b@y");
  rcpt.notify = "NEVER";
  rcpt.orcpt = "rfc822;c@z";
  SmtpSender plain({});
  EXPECT_FALSE(plain.CanTake(mail));
  plain.Mail(mail);
  EXPECT_EQ(plain.TakeOutput(), "MAIL FROM:<a@x>\r\n");
  SmtpSender rich(
      {false, {"PIPELINING", "SIZE 9", "8BITMIME", "SMTPUTF8", "DSN"}});
  EXPECT_TRUE(rich.CanTake(mail));
  rich.Mail(mail);
  rich.Rcpt(rcpt);
  EXPECT_EQ(rich.TakeOutput(),
            "MAIL FROM:<a@x> SIZE=5 BODY=8BITMIME SMTPUTF8 RET=FULL ENVID=e\r\n"
            "RCPT TO:<b@y> NOTIFY=NEVER ORCPT=rfc822;c@z\r\n");
}

// A transaction with three recipients, the second of them refused, up to 354.
void BeginMessage(SmtpSender& sender) {
  sender.Mail(From("a@x"));
  for (const char* name : {"b@y", "c@y", "d@y"}) sender.Rcpt(Recipient(name));
  sender.BeginBody();
  Hears(sender, "250 1\r\n250 2\r\n550 3\r\n250 4\r\n354 go\r\n");
  sender.TakeOutput();
}

TEST(SmtpSenderTest, LmtpCommitsForEachRecipientThatWasTaken) {
  SmtpSender sender(Lmtp());
  BeginMessage(sender);
  sender.EndBody();
  EXPECT_EQ(Hears(sender, "250 b\r\n452 4."), Seen{"commit0 250 b"});
  EXPECT_FALSE(sender.idle());
  EXPECT_EQ(Hears(sender, "2.2 d\r\n"), Seen{"commit2 452 4.2.2 d"});
  EXPECT_TRUE(sender.idle());
}

TEST(SmtpSenderTest, OneReplyTooManyBehindAMessageBreaks) {
  SmtpSender sender(Lmtp());
  BeginMessage(sender);
  sender.EndBody();
  EXPECT_EQ(Hears(sender, "250 b\r\n250 d\r\n250 e\r\n"),
            (Seen{"commit0 250 b", "commit2 250 d", "failed protocol safe"}));
  EXPECT_FALSE(sender.idle());
}

TEST(SmtpSenderTest, RetryIsSafeUntilTheFinalDotIsWritten) {
  SmtpSender before(Lmtp());
  BeginMessage(before);
  before.Body("x");
  before.FeedEof();
  EXPECT_EQ(Happens(before), Seen{"failed reset safe"});
  before.Body("nobody hears this");
  before.EndBody();
  EXPECT_EQ(before.TakeOutput(), "");
  SmtpSender behind(Lmtp());
  BeginMessage(behind);
  behind.EndBody();
  behind.FeedEof();
  EXPECT_EQ(Happens(behind), Seen{"failed reset"});
}

TEST(SmtpSenderTest, A421EndsTheConnectionAtAnyTime) {
  SmtpSender idle({});
  EXPECT_EQ(Hears(idle, "421 4.3.2 bye\r\n"), Seen{"failed refused safe"});
  SmtpSender answering({});
  answering.Mail(From("a@x"));
  EXPECT_EQ(Hears(answering, "421 bye\r\n"),
            (Seen{"mail0 421 bye", "failed refused safe"}));
  EXPECT_FALSE(answering.idle());
  SmtpSender body(Lmtp());
  BeginMessage(body);
  EXPECT_EQ(Hears(body, "421 bye\r\n"),
            (Seen{"body0 421 bye", "failed refused safe"}));
  SmtpSender commits(Lmtp());
  BeginMessage(commits);
  commits.EndBody();
  EXPECT_EQ(Hears(commits, "250 b\r\n421 bye\r\n"),
            (Seen{"commit0 250 b", "commit2 421 bye", "failed refused safe"}));
}

TEST(SmtpSenderTest, A421AmongCommitsLeavesTheOthersOpen) {
  SmtpSender sender(Lmtp());
  BeginMessage(sender);
  sender.EndBody();
  EXPECT_EQ(Hears(sender, "421 bye\r\n250 d\r\n"),
            (Seen{"commit0 421 bye", "failed refused"}));
}

TEST(SmtpSenderTest, AnAnswerBeforeItsQuestionIsNone) {
  SmtpSender whole({});
  EXPECT_EQ(Hears(whole, "250 ok\r\n"), Seen{"failed protocol safe"});
  SmtpSender half({});
  EXPECT_EQ(Hears(half, "250 o"), Seen{});
  half.Mail(From("a@x"));
  EXPECT_EQ(Hears(half, "k\r\n"), Seen{"failed protocol safe"});
  SmtpSender body(Lmtp());
  BeginMessage(body);
  EXPECT_EQ(Hears(body, "250 ok\r\n"), Seen{"failed protocol safe"});
}

TEST(SmtpSenderTest, AMessageThatIsRefusedInItsMidstHasNoEnd) {
  SmtpSender sender(Lmtp());
  BeginMessage(sender);
  sender.Body("x\r\n");
  sender.TakeOutput();
  sender.Feed("552 5.3.4 too big\r\n250 ok\r\n");
  EXPECT_TRUE(std::holds_alternative<SmtpSender::Answered>(sender.Next()));
  sender.Body("y\r\n");
  sender.EndBody();
  EXPECT_EQ(sender.TakeOutput(), "");
  EXPECT_EQ(Happens(sender), Seen{"failed refused safe"});
  EXPECT_FALSE(sender.idle());
}

TEST(SmtpSenderTest, OnlyA354IsLeaveToSendAMessage) {
  for (const std::string reply : {"250 ok", "334 ", "353 go", "300 go"}) {
    SmtpSender sender({});
    sender.Mail(From("a@x"));
    Hears(sender, "250 1\r\n");
    sender.Rcpt(Recipient("b@y"));
    Hears(sender, "250 2\r\n");
    sender.BeginBody();
    EXPECT_EQ(Hears(sender, reply + "\r\n"), Seen{"failed protocol safe"})
        << reply;
  }
}

TEST(SmtpSenderTest, GoAheadWithoutRecipientsOrInPlaceOfAnotherAnswerBreaks) {
  SmtpSender mail({});
  mail.Mail(From("a@x"));
  EXPECT_EQ(Hears(mail, "354 go\r\n"), Seen{"failed protocol safe"});
  SmtpSender data({false, {"PIPELINING"}});
  data.Mail(From("a@x"));
  data.Rcpt(Recipient("b@y"));
  data.BeginBody();
  EXPECT_EQ(Hears(data, "250 1\r\n550 2\r\n354 go\r\n"),
            (Seen{"mail0 250 1", "rcpt0 550 2", "failed protocol safe"}));
}

TEST(SmtpSenderTest, HostileRepliesAreNoAnswer) {
  std::string endless;
  while (endless.size() < 70000) endless += "250-x\r\n";
  for (const std::string& reply : std::vector<std::string>{
           "\r\n", "2\r\n", "25\r\n", "+OK\r\n", "* OK\r\n", "250ok\r\n",
           "250 ok\n", "250 o\rk\r\n", "250 \0\r\n"s, "250-a\r\n550 b\r\n",
           "150 ok\r\n", "600 ok\r\n", "\x16\x03\x01\r\n", "HTTP/1.1 400 x\r\n",
           "SSH-2.0-x\r\n", std::string(70000, '2'), endless,
           "250 " + std::string(70000, 'x') + "\r\n"}) {
    SmtpSender sender({});
    sender.Mail(From("a@x"));
    for (const std::string_view part : ChopEvery(reply, 1000)) {
      sender.Feed(part);
    }
    EXPECT_EQ(Happens(sender), Seen{"failed protocol safe"})
        << reply.substr(0, 20);
  }
}

TEST(SmtpSenderTest, ConnectionIsFitForManyTransactions) {
  SmtpSender sender(Lmtp());
  for (int i = 0; i < 3; ++i) {
    BeginMessage(sender);
    sender.Body("x");
    sender.EndBody();
    EXPECT_EQ(sender.TakeOutput(), "x\r\n.\r\n");
    EXPECT_EQ(Hears(sender, "250 b\r\n250 d\r\n"),
              (Seen{"commit0 250 b", "commit2 250 d"}));
    EXPECT_TRUE(sender.idle());
  }
  sender.FeedEof();
  EXPECT_FALSE(sender.idle());
}

}  // namespace
}  // namespace gatehouse
