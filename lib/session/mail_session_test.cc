#include "lib/session/mail_session.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/session/mail_session_fixture.h"
#include "lib/testing/test_tls_contexts.h"

namespace gatehouse {
namespace {

TEST_F(MailSessionTest, HandsAMessageOnToTheHostOfItsRecipient) {
  Begin();
  EXPECT_TRUE(Hears(kMail).starts_with("250 2.1.0"));
  EXPECT_TRUE(Hears(kToAlice).starts_with("250 2.0.0 fine"));
  EXPECT_TRUE(Hears("DATA\r\n").starts_with("354"));
  EXPECT_TRUE(Hears(kBody).starts_with("250 2.0.0 fine"));
  EXPECT_EQ(code_, 250);
  const std::string& got = store(kStore1).messages;
  EXPECT_TRUE(
      got.starts_with("MAIL FROM:<x@example.net>\n"
                      "RCPT TO:<alice@example.com>\n"
                      "Received: from client.example.net"))
      << got;
  EXPECT_TRUE(got.ends_with("Subject: hi\n\n..dots\n.\n")) << got;
  EXPECT_EQ(store(kStore2).messages, "");
  EXPECT_NE(Hears("QUIT\r\n").find("221"), std::string::npos);
  EXPECT_EQ(ended_, 1);
  EXPECT_EQ(log_.events(),
            (std::vector<std::string>{"message", "recipient", "session"}));
  for (const char* line : {"sender=x@example.net\n", "end=logout\n",
                           "recipient=alice@example.com\nupstream=10.0.0.1:25\n"
                           "reply=250 2.0.0 fine\n"}) {
    EXPECT_NE(log_.text().find(line), std::string::npos) << log_.text();
  }
}

TEST_F(MailSessionTest, TellsTheTruthAboutEachRecipient) {
  store(kStore1).answers["RCPT"] = "552 5.2.2 full\r\n";
  network_.ScriptConnect(kStore2, FakeNetwork::ConnectScript::kRefuse, nullptr);
  Begin();
  Hears(kMail);
  EXPECT_EQ(Hears(kToAlice), "552 5.2.2 full\r\n");
  EXPECT_TRUE(Hears(kToBob).starts_with("451 4.4.1"));
  EXPECT_TRUE(
      Hears("RCPT TO:<nobody@example.com>\r\n").starts_with("550 5.1.1"));
  EXPECT_TRUE(Hears("RCPT TO:<a@elsewhere.org>\r\n").starts_with("554 5.7.1"));
  EXPECT_TRUE(
      Hears("RCPT TO:<a%elsewhere.org@example.com>\r\n").starts_with("5"));
  directory_->set_failure(Failure{Failure::Side::kDirectory,
                                  Failure::Kind::kUnreachable,
                                  Failure::Retry::kSafe, "down"});
  EXPECT_TRUE(Hears(kToAlice).starts_with("451 4.3.0"));
}

TEST_F(MailSessionTest, DefersRecipientsOfAnotherHostWithoutARelay) {
  Begin();
  Hears(kMail);
  EXPECT_TRUE(Hears(kToAlice).starts_with("250"));
  EXPECT_TRUE(Hears(kToBob).starts_with("452 4.5.3"));
  Hears("DATA\r\n");
  EXPECT_TRUE(Hears(kBody).starts_with("250"));
  Hears(kMail);
  EXPECT_TRUE(Hears(kToBob).starts_with("250"));
  Hears("DATA\r\n");
  EXPECT_TRUE(Hears(kBody).starts_with("250"));
  EXPECT_NE(store(kStore1).messages.find("alice"), std::string::npos);
  EXPECT_EQ(store(kStore1).messages.find("bob"), std::string::npos);
  EXPECT_NE(store(kStore2).messages.find("bob"), std::string::npos);
}

TEST_F(MailSessionTest, ReachesSeveralHostsInOneTransactionWithARelay) {
  UseRelays();
  Begin();
  Hears(kMail);
  EXPECT_TRUE(Hears(kToAlice).starts_with("250"));
  EXPECT_TRUE(Hears(kToBob).starts_with("250"));
  Hears("DATA\r\n");
  EXPECT_TRUE(Hears(kBody).starts_with("250"));
  EXPECT_TRUE(store(kStore1).messages.ends_with("..dots\n.\n"));
  EXPECT_TRUE(store(kStore2).messages.ends_with("..dots\n.\n"));
  EXPECT_EQ(store(kRelay).messages.find("Subject"), std::string::npos);
}

// Also where the directory knows all from memory, and so answers at once.
class MailPipeliningTest : public MailSessionTest,
                           public testing::WithParamInterface<bool> {};
INSTANTIATE_TEST_SUITE_P(Directories, MailPipeliningTest, testing::Bool());

TEST_P(MailPipeliningTest, PipelinedTransactionsKeepTheirOrder) {
  directory_->set_knows_all(GetParam());
  Begin();
  const std::string all = std::string(kMail) + std::string(kToAlice) +
                          "RCPT TO:<nobody@example.com>\r\nRSET\r\n" +
                          std::string(kMail) + std::string(kToBob) + "DATA\r\n";
  const std::string heard = Hears(all);
  std::string codes;
  for (size_t at = 0; at < heard.size(); at = heard.find('\n', at) + 1) {
    codes += heard.substr(at, 3) + " ";
  }
  EXPECT_EQ(codes, "250 250 550 250 250 250 354 ");
  EXPECT_TRUE(Hears(kBody).starts_with("250"));
  EXPECT_EQ(store(kStore1).messages.find("Subject"), std::string::npos);
  EXPECT_NE(store(kStore2).messages.find("Subject"), std::string::npos);
}

TEST_F(MailSessionTest, AClientThatGoesInItsMessageLeavesNothingBehind) {
  Begin();
  Hears(kMail);
  Hears(kToAlice);
  Hears("DATA\r\n");
  Hears("Subject: half\r\n");
  client_->DeliverEof();
  Run();
  EXPECT_EQ(ended_, 1);
  EXPECT_FALSE(store(kStore1).messages.ends_with(".\n"));
  EXPECT_NE(network_.connected().back()->end(), FakePeer::End::kOpen);
}

// A client that only ends its side still hears; one that is lost sends again
// what its host has by then (RFC 1047).
TEST_F(MailSessionTest, AClientThatIsLostBehindItsMessageWasntAnswered) {
  for (const bool lost : {false, true}) {
    store(kStore1).answers["."] = "";  // it takes its time
    Begin();
    Hears(kMail);
    Hears(kToAlice);
    Hears("DATA\r\n");
    EXPECT_EQ(Hears(kBody), "");
    if (lost) {
      client_->DeliverFailure(Failure{Failure::Side::kDownstream,
                                      Failure::Kind::kReset,
                                      Failure::Retry::kSafe, "reset"});
    } else {
      client_->DeliverEof();
    }
    Run();
    EXPECT_TRUE(store(kStore1).messages.ends_with("\n.\n"));
    if (!lost) {
      EXPECT_EQ(ended_, 0) << "an answer is owed";
      network_.connected().back()->Deliver("250 2.0.0 Ok\r\n");
      Run();
      EXPECT_TRUE(client_->TakeSent().starts_with("250"));
    } else {
      EXPECT_EQ(client_->TakeSent(), "");
    }
    EXPECT_EQ(std::exchange(ended_, 0), 1);
  }
}

TEST_F(MailSessionTest, AClientThatIsLostBeforeTheSecondCommitSparesIt) {
  UseRelays();
  store(kStore1).answers["."] = "";  // it takes its time
  Begin();
  Hears(kMail);
  Hears(kToAlice);
  Hears(kToBob);
  Hears("DATA\r\n");
  EXPECT_EQ(Hears(kBody), "");
  client_->DeliverFailure(Failure{Failure::Side::kDownstream,
                                  Failure::Kind::kReset, Failure::Retry::kSafe,
                                  "reset"});
  Run();
  EXPECT_TRUE(store(kStore1).messages.ends_with("\n.\n"));
  EXPECT_TRUE(store(kStore2).messages.ends_with("..dots\n"));
}

TEST_F(MailSessionTest, ABareLineFeedEndsTheConversation) {
  Begin();
  Hears(kMail);
  Hears(kToAlice);
  Hears("DATA\r\n");
  EXPECT_TRUE(Hears("a\r\n.\nMAIL FROM:<b@c.d>\r\n").starts_with("521 5.5.2"));
  EXPECT_EQ(ended_, 1);
  EXPECT_FALSE(store(kStore1).messages.ends_with(".\n"));
}

TEST_F(MailSessionTest, RefusesALoop) {
  mail_->hops = 3;
  Begin();
  Hears(kMail);
  Hears(kToAlice);
  Hears("DATA\r\n");
  std::string message;
  for (int i = 0; i < 4; ++i) message += "Received: from a by b; now\r\n";
  EXPECT_TRUE(Hears(message + "\r\nx\r\n.\r\n").starts_with("554 5.4.6"));
  EXPECT_FALSE(store(kStore1).messages.ends_with(".\n"));
}

// By our own name, long before the number of all hops tells.
TEST_F(MailSessionTest, RefusesALoopThroughItself) {
  const auto hear = [&](int own_hops) {
    std::string message;
    for (int i = 0; i < own_hops; ++i) {
      message += "Received: from a by MX.example.com with ESMTP; now\r\n";
    }
    Hears(kMail);
    Hears(kToAlice);
    Hears("DATA\r\n");
    return Hears(message + "\r\nx\r\n.\r\n");
  };
  Begin();
  EXPECT_TRUE(hear(4).starts_with("250"));
  EXPECT_TRUE(hear(5).starts_with("554 5.4.6"));
}

TEST_F(MailSessionTest, HandsChunksToAStoreThatKnowsDataOnly) {
  Begin();
  Hears(kMail);
  Hears(kToAlice);
  EXPECT_TRUE(Hears("BDAT 5\r\n\r\n.a\r").starts_with("250 2.0.0"));
  EXPECT_TRUE(Hears("BDAT 3 LAST\r\n\n.b").starts_with("250 2.0.0 fine"));
  const std::string& got = store(kStore1).messages;
  EXPECT_TRUE(got.ends_with("\n\n..a\n..b\n.\n")) << got;
}

// Each store hears what it offers, whatever the others do.
TEST_F(MailSessionTest, TellsAStoreWhatItUnderstands) {
  settings_->capabilities =
      std::make_shared<CapabilitiesView>(std::make_shared<LearnedCapabilities>(
          std::make_shared<const std::vector<std::string>>(
              std::vector<std::string>{"8BITMIME", "DSN", "SIZE 1000"})));
  store(kStore1).answers["EHLO"] =
      "250-store\r\n250-8BITMIME\r\n250-SIZE\r\n250 DSN\r\n";
  Begin();
  for (const std::string_view to : {"alice", "bob"}) {
    Hears(
        "MAIL FROM:<x@example.net> SIZE=20 BODY=8BITMIME RET=HDRS "
        "ENVID=a+2Bb\r\n");
    Hears("RCPT TO:<" + std::string(to) +
          "@example.com> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;q@example.net\r\n");
    Hears("RSET\r\n");
  }
  EXPECT_EQ(store(kStore1).messages,
            "MAIL FROM:<x@example.net> SIZE=20 BODY=8BITMIME RET=HDRS "
            "ENVID=a+2Bb\n"
            "RCPT TO:<alice@example.com> NOTIFY=SUCCESS,DELAY "
            "ORCPT=rfc822;q@example.net\n");
  EXPECT_EQ(store(kStore2).messages,
            "MAIL FROM:<x@example.net>\nRCPT TO:<bob@example.com>\n");
}

TEST_F(MailSessionTest, AStoreThatDoesntReadStopsTheClient) {
  Begin();
  Hears(kMail);
  Hears(kToAlice);
  Hears("DATA\r\n");
  network_.connected().back()->set_send_capacity(0);
  const std::string line = std::string(998, 'x') + "\r\n";
  size_t sent = 0;
  for (; client_->reading() && sent < (8u << 20); sent += line.size()) {
    client_->Deliver(line);
    network_.RunUntilIdle();
  }
  EXPECT_FALSE(client_->reading());
  EXPECT_LT(sent, 1u << 20);
  network_.connected().back()->set_send_capacity(64 << 20);
  Run();
  EXPECT_TRUE(client_->reading());
  EXPECT_TRUE(Hears("\r\n.\r\n").starts_with("250"));
}

TEST_F(MailSessionTest, ADrainWaitsForTheMessageThatIsOnItsWay) {
  Begin();
  Hears(kMail);
  Hears(kToAlice);
  Hears("DATA\r\n");
  session_->EndUnlessJoined(DownstreamMachine::ShutdownReason::kDraining);
  Run();
  EXPECT_EQ(ended_, 0);
  const std::string heard = Hears(kBody);
  EXPECT_TRUE(heard.starts_with("250")) << heard;
  EXPECT_NE(heard.find("421"), std::string::npos);
  EXPECT_EQ(ended_, 1);
}

TEST_F(MailSessionTest, ADrainEndsAnIdleClientAtOnce) {
  Begin();
  session_->EndUnlessJoined(DownstreamMachine::ShutdownReason::kDraining);
  Run();
  EXPECT_TRUE(client_->TakeSent().starts_with("421"));
  EXPECT_EQ(ended_, 1);
}

TEST_F(MailSessionTest, AnswersWhatCameBeforeItsGreetingInTurn) {
  NewClient();
  client_->Deliver("EHLO x\r\nNOOP\r\n");
  session_->Start();
  Run();
  const std::string heard = client_->TakeSent();
  EXPECT_TRUE(heard.starts_with("220 ")) << heard;
  EXPECT_TRUE(heard.ends_with("250 2.0.0 OK.\r\n")) << heard;
}

TEST_F(MailSessionTest, SendsAwayWhoSpeaksBeforeALateGreeting) {
  mail_->greeting_delay = absl::Seconds(2);
  for (const char* early : {"E", "\r\n", "EHLO x\r\nMAIL FROM:<>\r\n"}) {
    Connect();
    network_.Advance(absl::Seconds(1));
    EXPECT_EQ(client_->TakeSent(), "");
    EXPECT_EQ(Hears(early),
              "554 mx.example.com You spoke before you were greeted\r\n");
    EXPECT_EQ(std::exchange(ended_, 0), 1);
  }
  EXPECT_NE(log_.text().find("detail=spoke before the greeting\n"),
            std::string::npos);
}

TEST_F(MailSessionTest, GreetsLateWhoWaits) {
  mail_->greeting_delay = absl::Seconds(2);
  settings_->login_timeout = absl::Seconds(1);  // isn't for those that don't
  Connect();
  network_.Advance(absl::Seconds(1.9));
  EXPECT_EQ(client_->TakeSent(), "");
  network_.Advance(absl::Seconds(0.1));
  EXPECT_EQ(client_->TakeSent(), "220 mx.example.com ESMTP\r\n");
  EXPECT_TRUE(Hears("EHLO x\r\n").starts_with("250"));
  client_->DeliverEof();
  Run();
  Connect();
  client_->DeliverEof();
  Run();
  EXPECT_EQ(ended_, 2);
}

TEST_F(MailSessionTest, ASilentClientIsSentAway) {
  Begin();
  network_.Advance(mail_->timeouts.client + absl::Seconds(1));
  EXPECT_TRUE(client_->TakeSent().starts_with("421"));
  EXPECT_EQ(ended_, 1);
}

TEST_F(MailSessionTest, AClientThatDripsACommandIsSentAway) {
  Begin();
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(Hears("N"), "");
    network_.Advance(mail_->timeouts.client / 4 + absl::Seconds(1));
  }
  EXPECT_TRUE(client_->TakeSent().starts_with("421"));
  EXPECT_EQ(ended_, 1);
}

TEST_F(MailSessionTest, AClientThatDripsItsMessageIsWaitedFor) {
  Begin();
  Hears(kMail);
  Hears(kToAlice);
  Hears("DATA\r\n");
  for (int i = 0; i < 8; ++i) {
    EXPECT_EQ(Hears("x"), "");
    network_.Advance(mail_->timeouts.client / 4 + absl::Seconds(1));
  }
  EXPECT_EQ(ended_, 0);
}

TEST_F(MailSessionTest, AClientThatStallsInItsHandshakeIsSentAway) {
  settings_->tls_context = TestServerTls();
  listener_->tls = TlsMode::kStartTls;
  Begin();
  client_->ScriptTls(FakePeer::TlsScript::kStall);
  EXPECT_TRUE(Hears("STARTTLS\r\n").starts_with("220"));
  network_.Advance(mail_->timeouts.client + absl::Seconds(1));
  EXPECT_EQ(ended_, 1);
}

TEST_F(MailSessionTest, ADrainEndsAClientWhoseMessageWasGivenUp) {
  mail_->message_bytes = 1000;
  Begin();
  Hears(kMail);
  Hears(kToAlice);
  Hears("DATA\r\n");
  session_->EndUnlessJoined(DownstreamMachine::ShutdownReason::kDraining);
  Hears(std::string(990, 'x') + "\r\n");
  Hears(std::string(990, 'x') + "\r\n.\r\n");
  EXPECT_EQ(ended_, 1);
}

}  // namespace
}  // namespace gatehouse
