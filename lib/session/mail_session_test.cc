#include "lib/session/mail_session.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/protocol/smtp/smtp_protocol.h"
#include "lib/session/upstream_pool.h"
#include "lib/testing/fake_directory.h"
#include "lib/testing/fake_network.h"
#include "lib/testing/recording_log.h"
#include "lib/testing/test_tls_contexts.h"

namespace gatehouse {
namespace {

const SocketAddress kStore1 = *SocketAddress::Parse("10.0.0.1", 25);
const SocketAddress kStore2 = *SocketAddress::Parse("10.0.0.2", 25);
const SocketAddress kRelay = *SocketAddress::Parse("10.0.0.9", 25);

// A server that takes everything but what it is told not to.
struct FakeStore {
  std::map<std::string, std::string> answers;  // to a line that begins so
  std::string messages;                        // with their envelopes
  bool in_message = false;
  std::string unread;

  std::string Answer(const std::string& line) {
    if (in_message) {
      messages += line + "\n";
      if (line != ".") return "";
      in_message = false;
    }
    for (const auto& [begin, answer] : answers) {
      if (line.starts_with(begin)) return answer;
    }
    if (line.starts_with("EHLO")) return "250-store\r\n250 PIPELINING\r\n";
    if (line == "DATA") {
      in_message = true;
      return "354 go\r\n";
    }
    if (line.starts_with("MAIL") || line.starts_with("RCPT")) {
      messages += line + "\n";
    }
    return "250 2.0.0 fine\r\n";
  }

  std::string Hear(std::string_view bytes) {
    unread += bytes;
    std::string answer;
    for (size_t end; (end = unread.find("\r\n")) != std::string::npos;) {
      answer += Answer(unread.substr(0, end));
      unread.erase(0, end + 2);
    }
    return answer;
  }
};

class MailSessionTest : public testing::Test, public SessionOwner {
 protected:
  MailSessionTest() {
    settings_ = std::make_shared<SessionSettings>();
    settings_->protocol = &SmtpProtocol();
    settings_->host_name = "mx.example.com";
    settings_->plaintext_login = PlaintextLogin::kAlways;
    directory_ = std::make_shared<FakeDirectory>(network_);
    settings_->directory = directory_;
    settings_->upstream.port = 25;
    mail_ = std::make_shared<MailSettings>();
    mail_->local_domains = {"example.com"};
    mail_->spool_folder = testing::TempDir();
    mail_->pool =
        std::make_shared<UpstreamPool>(network_, UpstreamPoolLimits());
    listener_ = std::make_shared<ListenerSettings>();
    listener_->name = "front:25";
    for (const SocketAddress& host : {kStore1, kStore2, kRelay}) {
      network_.ScriptConnect(
          host, FakeNetwork::ConnectScript::kAccept,
          [](FakePeer& peer) { peer.Deliver("220 store\r\n"); });
    }
    AddUser("alice", kStore1);
    AddUser("bob", kStore2);
  }
  // The pool holds things of the network's.
  ~MailSessionTest() override {
    session_.reset();
    mail_->pool.reset();
  }

  void AddUser(const std::string& name, const SocketAddress& host) {
    const std::string address = name + "@example.com";
    Location location;
    location.user = address;
    location.host = Endpoint{host.AddressText(), 0};
    location.addresses = {address};
    directory_->AddUser(address, "secret", location);
  }

  void Begin() {
    auto [stream, peer] =
        network_.NewStream(*SocketAddress::Parse("192.0.2.7", 5555),
                           *SocketAddress::Parse("192.0.2.1", 25));
    client_ = peer;
    session_ = std::make_unique<MailSession>(network_, log_, settings_, mail_,
                                             listener_, std::move(stream),
                                             static_cast<SessionOwner&>(*this));
    session_->Start();
    Run();
    client_->TakeSent();
    Hears("EHLO client.example.net\r\n");
  }

  // Lets everybody answer until nobody has anything to say.
  void Run() {
    for (bool more = true; more;) {
      network_.RunUntilIdle();
      more = false;
      for (const auto& peer : network_.connected()) {
        if (peer->Sent().empty()) continue;
        FakeStore& store = stores_[peer->address().ToString()];
        const std::string answer = store.Hear(peer->TakeSent());
        if (!answer.empty()) peer->Deliver(answer);
        more = true;
      }
    }
  }

  std::string Hears(std::string_view said) {
    client_->Deliver(said);
    Run();
    return client_->TakeSent();
  }
  FakeStore& store(const SocketAddress& host) {
    return stores_[host.ToString()];
  }

  void UseRelays() {
    auto relay = std::make_shared<MailRelay>();
    relay->protocol = &SmtpProtocol();
    relay->endpoint = {"10.0.0.9", 25};
    mail_->relay_host = relay;
    mail_->fallback_relay = relay;
    mail_->fan_out = RecipientFanOut::kStream;
  }

  void OnLoginRefused(LoginRefusal::Kind kind) override { ++refused_; }
  void OnMessage(ClientSession& session, int code) override { code_ = code; }
  void OnEnded(ClientSession& session) override {
    ++ended_;
    session_.reset();
  }

  FakeNetwork network_;
  RecordingLog log_;
  std::shared_ptr<SessionSettings> settings_;
  std::shared_ptr<MailSettings> mail_;
  std::shared_ptr<ListenerSettings> listener_;
  std::shared_ptr<FakeDirectory> directory_;
  std::map<std::string, FakeStore> stores_;
  std::shared_ptr<FakePeer> client_;
  std::unique_ptr<MailSession> session_;
  int refused_ = 0;
  int ended_ = 0;
  int code_ = 0;
};

constexpr std::string_view kMail = "MAIL FROM:<x@example.net>\r\n";
constexpr std::string_view kToAlice = "RCPT TO:<alice@example.com>\r\n";
constexpr std::string_view kToBob = "RCPT TO:<bob@example.com>\r\n";
constexpr std::string_view kBody = "Subject: hi\r\n\r\n..dots\r\n.\r\n";

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
  EXPECT_EQ(log_.events(), (std::vector<std::string>{"message", "recipient", "session"}));
  for (const char* line :
       {"sender=x@example.net\n", "end=logout\n",
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

TEST_F(MailSessionTest, PipelinedTransactionsKeepTheirOrder) {
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

// --- Submission --------------------------------------------------------------

class MailSubmissionTest : public MailSessionTest {
 protected:
  MailSubmissionTest() { listener_->role = MailRole::kSubmission; }

  // "\0alice@example.com\0secret" and "\0alice@example.com\0wrong".
  static constexpr std::string_view kRight =
      "AUTH PLAIN AGFsaWNlQGV4YW1wbGUuY29tAHNlY3JldA==\r\n";
  static constexpr std::string_view kWrong =
      "AUTH PLAIN AGFsaWNlQGV4YW1wbGUuY29tAHdyb25n\r\n";
};

TEST_F(MailSubmissionTest, TakesNothingBeforeAuth) {
  Begin();
  EXPECT_TRUE(Hears(kMail).starts_with("530 5.7.0"));
}

TEST_F(MailSubmissionTest, RoutesMailOfWhoHasLoggedIn) {
  UseRelays();
  Begin();
  EXPECT_TRUE(Hears(kRight).starts_with("235 2.7.0"));
  EXPECT_TRUE(
      Hears("MAIL FROM:<bob@example.com>\r\n").starts_with("553 5.7.1"));
  EXPECT_TRUE(Hears("MAIL FROM:<alice@example.com>\r\n").starts_with("250"));
  EXPECT_TRUE(Hears(kToBob).starts_with("250"));
  EXPECT_TRUE(Hears("RCPT TO:<x@elsewhere.org>\r\n").starts_with("250"));
  Hears("DATA\r\n");
  EXPECT_TRUE(Hears(kBody).starts_with("250"));
  EXPECT_NE(store(kStore2).messages.find("Subject"), std::string::npos);
  EXPECT_NE(store(kRelay).messages.find("x@elsewhere.org"), std::string::npos);
  EXPECT_NE(log_.text().find("user=alice@example.com\n"), std::string::npos);
}

// "\0Alice\0secret": what goes to a directory is never the client's spelling.
TEST_F(MailSubmissionTest, NamesTheAccountAsEveryOtherLoginDoes) {
  settings_->names.default_domain = "example.com";
  settings_->names.lower_case_local = true;
  Begin();
  EXPECT_TRUE(Hears("AUTH PLAIN AEFsaWNlAHNlY3JldA==\r\n").starts_with("235"));
  EXPECT_TRUE(Hears("MAIL FROM:<alice@example.com>\r\n").starts_with("250"));
}

// "\0bob@example.com*alice@example.com\0secret", and for somebody unknown.
TEST_F(MailSubmissionTest, LetsAMasterSendForWhoIsKnown) {
  settings_->masters = {"*", {"alice@example.com"}};
  Begin();
  EXPECT_EQ(Hears("AUTH PLAIN AHhAZXhhbXBsZS5jb20qYWxpY2VAZXhhbXBsZS5jb20Ac2Vj"
                  "cmV0\r\n"),
            "");
  network_.Advance(settings_->failure_delay);
  EXPECT_TRUE(client_->TakeSent().starts_with("535"));
  EXPECT_TRUE(Hears("AUTH PLAIN AGJvYkBleGFtcGxlLmNvbSphbGljZUBleGFtcGxlLmNvbQB"
                    "zZWNyZXQ=\r\n")
                  .starts_with("235"));
  EXPECT_TRUE(Hears("MAIL FROM:<bob@example.com>\r\n").starts_with("250"));
}

TEST_F(MailSubmissionTest, AnswersAWrongPasswordLate) {
  Begin();
  EXPECT_EQ(Hears(kWrong), "");
  network_.Advance(settings_->failure_delay);
  EXPECT_TRUE(client_->TakeSent().starts_with("535 5.7.8"));
  EXPECT_EQ(refused_, 1);
  EXPECT_EQ(log_.text().find("wrong"), std::string::npos);
}

// "\0s3cret\0alice@example.com", and then a wrong password of alice's.
TEST_F(MailSubmissionTest, LogsNoNameThatNobodyKnows) {
  Begin();
  Hears("AUTH PLAIN AHMzY3JldABhbGljZUBleGFtcGxlLmNvbQ==\r\n");
  client_->DeliverEof();
  network_.Advance(settings_->failure_delay);
  EXPECT_EQ(ended_, 1);
  EXPECT_EQ(log_.text().find("s3cret"), std::string::npos);
  EXPECT_EQ(log_.text().find("user=alice"), std::string::npos);
  Begin();
  Hears(kWrong);
  client_->DeliverEof();
  network_.Advance(settings_->failure_delay);
  EXPECT_NE(log_.text().find("user=alice@example.com\n"), std::string::npos);
}

TEST_F(MailSubmissionTest, CountsFailuresOverSessionsAsEveryOtherLoginDoes) {
  settings_->failed_logins = std::make_shared<FailedLogins>();
  settings_->failed_logins_per_address = 2;
  for (int i = 1; i <= 2; ++i) {
    Begin();
    EXPECT_EQ(Hears(kWrong), "");
    network_.Advance(settings_->failure_delay * i - absl::Milliseconds(1));
    EXPECT_EQ(client_->TakeSent(), "");
    network_.Advance(absl::Milliseconds(1));
    EXPECT_TRUE(client_->TakeSent().starts_with("535 5.7.8"));
  }
  Begin();
  EXPECT_TRUE(Hears(kRight).starts_with("454 4.7.0"));
  EXPECT_EQ(directory_->authentications(), 2);
}

TEST_F(MailSubmissionTest, ADirectoryThatIsDownIsNoWrongPassword) {
  directory_->set_failure(Failure{Failure::Side::kDirectory,
                                  Failure::Kind::kUnreachable,
                                  Failure::Retry::kSafe, "down"});
  Begin();
  EXPECT_TRUE(Hears(kRight).starts_with("454 4.7.0"));
}

}  // namespace
}  // namespace gatehouse
