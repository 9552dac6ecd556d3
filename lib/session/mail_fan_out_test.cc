#include "lib/session/mail_fan_out.h"

#include <gtest/gtest.h>

#include <string>

#include "lib/session/mail_fan_out_fixture.h"

namespace gatehouse {
namespace {

TEST_F(MailFanOutTest, HandsTheClientTheUpstreamsOwnAnswers) {
  Begin();
  Ask(kStore1, "bob@example.com");
  Greet(kStore1);
  Say(kStore1, "550 5.1.1 Who?\r\n");
  ASSERT_TRUE(answer_);
  EXPECT_EQ(Summary(*answer_), "550 5.1.1 Who?");
}

TEST_F(MailFanOutTest, CommitsOneHostAndKeepsItsConnection) {
  Begin();
  Ask(kStore1, "bob@example.com");
  Greet(kStore1);
  Say(kStore1, "250 2.1.5 Ok\r\n");
  fan_out_->BeginBody();
  network_.RunUntilIdle();
  Say(kStore1, "354 go\r\n");
  SendBody();
  EXPECT_FALSE(done_);
  Say(kStore1, "250 2.0.0 Queued\r\n");
  ASSERT_TRUE(done_);
  EXPECT_EQ(Summary(*done_), "250 2.0.0 Queued");
  EXPECT_EQ(mail_.pool->idle(), 1u);
}

TEST_F(MailFanOutTest, AnswersAnUnreachableUpstreamForNow) {
  network_.ScriptConnect(kStore1, FakeNetwork::ConnectScript::kRefuse);
  Begin();
  Ask(kStore1, "bob@example.com");
  ASSERT_TRUE(answer_);
  EXPECT_EQ(answer_->code, 451);
  EXPECT_EQ(answer_->enhanced, "4.4.1");
}

TEST_F(MailFanOutTest, DefersRecipientsOfAnotherRoute) {
  Begin();
  Ask(kStore1, "bob@example.com");
  Greet(kStore1);
  Say(kStore1, "250 2.1.5 Ok\r\n");
  Ask(kStore2, "carol@example.com");
  ASSERT_TRUE(answer_);
  EXPECT_EQ(answer_->code, 452);
  EXPECT_EQ(answer_->enhanced, "4.5.3");
}

TEST_F(MailFanOutTest, SaysAcceptedWhenBothHaveAccepted) {
  TakeTwo();
  EXPECT_TRUE(Ended(Peer(kStore1)));
  EXPECT_FALSE(Ended(Peer(kStore2))) << "held until its turn";
  Say(kStore1, "250 2.0.0 Ok\r\n");
  EXPECT_FALSE(done_);
  EXPECT_TRUE(Ended(Peer(kStore2)));
  Say(kStore2, "250 2.0.0 Ok\r\n");
  ASSERT_TRUE(done_);
  EXPECT_EQ(done_->code, 250);
  EXPECT_FALSE(Ended(Peer(kRelay)));
}

TEST_F(MailFanOutTest, DeliversNothingWhenTheFirstCommitIsRefused) {
  TakeTwo();
  Say(kStore1, "554 5.6.0 No\r\n");
  ASSERT_TRUE(done_);
  EXPECT_EQ(Summary(*done_), "554 5.6.0 No");
  EXPECT_FALSE(Ended(Peer(kStore2)));
}

TEST_F(MailFanOutTest, GivesUpWhenTheFirstDiesBeforeItAccepts) {
  UseRelay();
  TakeTwo();
  ASSERT_FALSE(done_);
  Peer(kStore1).DeliverEof();
  network_.RunUntilIdle();
  ASSERT_TRUE(done_);
  EXPECT_EQ(done_->code, 451);
  EXPECT_FALSE(Ended(Peer(kStore2)));
}

TEST_F(MailFanOutTest, LeavesWhatTheSecondRefusesToTheRelay) {
  TakeTwo();
  Say(kStore1, "250 2.0.0 Ok\r\n");
  Say(kStore2, "452 4.2.2 Full\r\n");
  EXPECT_FALSE(done_);
  // The connection on which it was asked is busy with its RSET.
  Greet(kRelay);
  Say(kRelay, "250 2.1.5 Ok\r\n");
  Say(kRelay, "354 go\r\n");
  EXPECT_NE(Peer(kRelay).Sent().find("carol@example.com"), std::string::npos);
  EXPECT_EQ(Peer(kRelay).Sent().find("bob@example.com"), std::string::npos);
  EXPECT_NE(Peer(kRelay).Sent().find("hello\r\n.\r\n"), std::string::npos);
  Say(kRelay, "250 2.0.0 Queued\r\n");
  ASSERT_TRUE(done_);
  EXPECT_EQ(done_->code, 250);
}

// Neither is its answer taken back, nor does anybody get the message twice.
TEST_F(MailFanOutTest, BelievesAHostThatLeavesBehindItsAcceptance) {
  TakeTwo();
  Say(kStore1, "250 2.0.0 Ok\r\n");
  Peer(kStore1).DeliverEof();
  network_.RunUntilIdle();
  Say(kStore2, "250 2.0.0 Ok\r\n");
  ASSERT_TRUE(done_);
  EXPECT_EQ(done_->code, 250);
  EXPECT_EQ(Peer(kRelay).Sent().find("DATA"), std::string::npos);
}

// The documented double fault: bob's host has accepted, and he gets the message
// again when the client sends it again.
TEST_F(MailFanOutTest, AsksTheClientToSendAgainWhenTheRelayFailsToo) {
  TakeTwo();
  Say(kStore1, "250 2.0.0 Ok\r\n");
  Say(kStore2, "452 4.2.2 Full\r\n");
  Greet(kRelay);
  Say(kRelay, "451 4.3.0 No\r\n");
  ASSERT_TRUE(done_);
  EXPECT_EQ(done_->code, 451);
}

// Refused by it in its own right, the message would be refused as a left-over,
// too: then bob would get it with each try of the client's.
TEST_F(MailFanOutTest, HasTheRelayCommitItsOwnRecipientsFirst) {
  UseRelay();
  Begin();
  Ask(kStore1, "bob@example.com");
  Greet(kStore1);
  Say(kStore1, "250 2.1.5 Ok\r\n");
  AskRelay("x@elsewhere.org");
  Greet(kRelay);
  EXPECT_NE(Peer(kRelay).Sent().find("bob@"), std::string::npos)
      << "bob may be left over now";
  Say(kRelay, "250 2.1.5 Ok\r\n250 2.1.5 Ok\r\n");
  Greet(kRelay);  // on a connection of its own
  Say(kRelay, "250 2.1.5 Ok\r\n");
  ASSERT_TRUE(answer_);
  ASSERT_EQ(answer_->code, 250);
  OpenBody();
  Say(kStore1, "354 go\r\n");
  Say(kRelay, "354 go\r\n");
  SendBody();
  EXPECT_TRUE(Ended(Peer(kRelay)));
  EXPECT_FALSE(Ended(Peer(kStore1)));
  Say(kRelay, "554 5.7.1 Spam\r\n");
  ASSERT_TRUE(done_);
  EXPECT_EQ(Summary(*done_), "554 5.7.1 Spam");
  EXPECT_FALSE(Ended(Peer(kStore1)));
}

TEST_F(MailFanOutTest, TellsOfMailThatAHostRefusesBeforeItHangsUp) {
  Begin();
  Ask(kStore1, "bob@example.com");
  Say(kStore1, "250 store\r\n");
  Say(kStore1, "550 5.7.1 Not from you\r\n");
  Peer(kStore1).DeliverEof();
  network_.RunUntilIdle();
  ASSERT_TRUE(answer_);
  EXPECT_EQ(Summary(*answer_), "550 5.7.1 Not from you");
}

// Where the client could have: by the directory's mailRoutingAddress.
TEST_F(MailFanOutTest, SendsNoUtf8AddressInAMessageThatIsNotSmtpUtf8) {
  Begin();
  Ask(kStore1, "jos\u00e9@example.com");
  ASSERT_TRUE(answer_);
  EXPECT_EQ(answer_->code, 553);
  EXPECT_EQ(answer_->enhanced, "5.6.7");
  EXPECT_TRUE(network_.connected().empty());
}

TEST_F(MailFanOutTest, SendsNoEightBitMessageToAHostThatDoesntKnowIt) {
  envelope_.body_8bit = true;
  for (const bool known : {false, true}) {
    Begin();
    Ask(kStore1, "bob@example.com");
    Say(kStore1, known ? "250-store\r\n250 8BITMIME\r\n" : "500 What?\r\n");
    if (!known) Say(kStore1, "250 store\r\n");
    Say(kStore1, "250 Ok\r\n");
    Say(kStore1, "250 Ok\r\n");
    OpenBody();
    Say(kStore1, "354 go\r\n");
    ASSERT_TRUE(open_);
    fan_out_->Body("Subject: x\r\n\r\n");
    SendBody("m\xc3\xbcnster\r\n");
    EXPECT_EQ(Ended(Peer(kStore1)), known);
    if (known) Say(kStore1, "250 Ok\r\n");
    ASSERT_TRUE(done_);
    EXPECT_EQ(
        Summary(*done_),
        known ? "250 2.0.0 Ok" : "451 4.6.3 Upstream doesn't know 8BITMIME");
    done_.reset();
  }
}

TEST_F(MailFanOutTest, SendsSevenBitsToAHostThatKnowsNoMore) {
  envelope_.body_8bit = true;
  Begin();
  Ask(kStore1, "bob@example.com");
  Greet(kStore1);
  Say(kStore1, "250 2.1.5 Ok\r\n");
  OpenBody();
  Say(kStore1, "354 go\r\n");
  SendBody();
  Say(kStore1, "250 2.0.0 Ok\r\n");
  ASSERT_TRUE(done_);
  EXPECT_EQ(done_->code, 250);
  EXPECT_EQ(Peer(kStore1).Sent().find("8BITMIME"), std::string::npos);
}

TEST_F(MailFanOutTest, TellsWhyAHostRefusesAMessageInItsMidst) {
  TakeTwo();  // the hosts wait for their final dots, and the first one commits
  Say(kStore2, "552 5.3.4 Too big\r\n");
  EXPECT_FALSE(done_);
  Say(kStore1, "554 5.6.0 No\r\n");
  ASSERT_TRUE(done_);
  EXPECT_EQ(done_->code, 554);

  done_.reset();
  Begin();
  Ask(kStore1, "bob@example.com");
  Say(kStore1, "250 2.0.0 Reset\r\n");
  Say(kStore1, "250 2.1.0 Ok\r\n");
  Say(kStore1, "250 2.1.5 Ok\r\n");
  OpenBody();
  Say(kStore1, "354 go\r\n");
  fan_out_->Body("Subject: x\r\n");
  Say(kStore1, "552 5.3.4 Too big\r\n");
  EXPECT_TRUE(fan_out_->room());
  fan_out_->EndBody();
  network_.RunUntilIdle();
  ASSERT_TRUE(done_);
  EXPECT_EQ(Summary(*done_), "552 5.3.4 Too big");
}

TEST_F(MailFanOutTest, DefersASecondHostWhenTheRelayIsDown) {
  UseRelay();
  network_.ScriptConnect(kRelay, FakeNetwork::ConnectScript::kRefuse);
  Begin();
  Ask(kStore1, "bob@example.com");
  Greet(kStore1);
  Say(kStore1, "250 2.1.5 Ok\r\n");
  Ask(kStore2, "carol@example.com");
  ASSERT_TRUE(answer_);
  EXPECT_EQ(answer_->code, 452);
}

}  // namespace
}  // namespace gatehouse
