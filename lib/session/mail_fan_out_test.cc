#include "lib/session/mail_fan_out.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/protocol/smtp/smtp_protocol.h"
#include "lib/session/upstream_pool.h"
#include "lib/testing/fake_network.h"
#include "lib/testing/recording_log.h"

namespace gatehouse {
namespace {

const SocketAddress kStore1 = *SocketAddress::Parse("10.0.0.1", 25);
const SocketAddress kStore2 = *SocketAddress::Parse("10.0.0.2", 25);
const SocketAddress kRelay = *SocketAddress::Parse("10.0.0.9", 25);

class MailFanOutTest : public testing::Test, private MailFanOut::Owner {
 protected:
  MailFanOutTest() {
    settings_.protocol = &SmtpProtocol();
    settings_.host_name = "front.example.com";
    mail_.pool = std::make_shared<UpstreamPool>(network_, UpstreamPoolLimits());
    mail_.spool_folder = testing::TempDir();
    for (const SocketAddress& host : {kStore1, kStore2, kRelay}) {
      network_.ScriptConnect(
          host, FakeNetwork::ConnectScript::kAccept,
          [](FakePeer& peer) { peer.Deliver("220 store\r\n"); });
    }
    envelope_.sender = ParseSmtpAddress("x@example.net");
  }
  // The pool holds things of the network's.
  ~MailFanOutTest() override {
    fan_out_.reset();
    mail_.pool.reset();
  }

  void UseRelay() {
    auto relay = std::make_shared<MailRelay>();
    relay->protocol = &SmtpProtocol();
    relay->endpoint = {"10.0.0.9", 25};
    mail_.fallback_relay = std::move(relay);
    mail_.fan_out = RecipientFanOut::kStream;
  }

  void Begin() {
    fan_out_ = std::make_unique<MailFanOut>(context_, envelope_,
                                            static_cast<Owner&>(*this));
  }

  // Plays the server's part up to the answer to RCPT.
  void Greet(const SocketAddress& host) {
    Say(host, "250 store\r\n");
    Say(host, "250 2.1.0 Ok\r\n");
  }

  FakePeer& Peer(const SocketAddress& host) {
    FakePeer* last = nullptr;
    for (const auto& peer : network_.connected()) {
      if (peer->address() == host) last = peer.get();
    }
    EXPECT_NE(last, nullptr) << host.ToString();
    return *last;
  }
  void Say(const SocketAddress& host, std::string_view line) {
    Peer(host).Deliver(line);
    network_.RunUntilIdle();
  }

  void Ask(const SocketAddress& host, std::string_view recipient) {
    answer_.reset();
    SmtpRcpt rcpt;
    rcpt.recipient = *ParseSmtpAddress(recipient);
    MailRoute route;
    route.host = {&SmtpProtocol(),
                  &settings_.upstream,
                  {{host.AddressText(), host.port()}, TlsMode::kNone},
                  nullptr,
                  false};
    route.rcpt = rcpt;
    fan_out_->AddRecipient(route, rcpt);
    network_.RunUntilIdle();
  }

  void SendBody() {
    fan_out_->Body("Subject: x\r\n\r\nhello\r\n");
    fan_out_->EndBody();
    network_.RunUntilIdle();
  }

  // bob at store 1 and carol at store 2, both accepted, the relay willing.
  void TakeTwo() {
    UseRelay();
    Begin();
    Ask(kStore1, "bob@example.com");
    Greet(kStore1);
    Say(kStore1, "250 2.1.5 Ok\r\n");
    Ask(kStore2, "carol@example.com");
    Greet(kRelay);
    Say(kRelay, "250 2.1.5 Ok\r\n");
    Greet(kStore2);
    Say(kStore2, "250 2.1.5 Ok\r\n");
    ASSERT_TRUE(answer_);
    ASSERT_EQ(answer_->code, 250);
    fan_out_->BeginBody();
    network_.RunUntilIdle();
    Say(kStore1, "354 go\r\n");
    Say(kStore2, "354 go\r\n");
    ASSERT_TRUE(open_);
    SendBody();
  }

  static bool Ended(const FakePeer& peer) {
    return peer.Sent().find("\r\n.\r\n") != std::string::npos;
  }

  FakeNetwork network_;
  RecordingLog log_;
  SessionSettings settings_;
  MailSettings mail_;
  SmtpMail envelope_;
  MailContext context_{network_, log_, settings_, mail_, {}};
  std::optional<SmtpReply> answer_;
  std::optional<SmtpReply> refusal_;
  std::optional<SmtpReply> done_;
  bool open_ = false;
  std::unique_ptr<MailFanOut> fan_out_;

 private:
  void OnRecipient(const SmtpReply& reply) override { answer_ = reply; }
  void OnBody(const std::optional<SmtpReply>& refusal) override {
    refusal_ = refusal;
    open_ = !refusal;
  }
  void OnRoom() override {}
  void OnDone(const SmtpReply& reply) override {
    done_ = reply;
    fan_out_.reset();
  }
};

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
