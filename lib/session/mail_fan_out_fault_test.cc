#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <string>
#include <string_view>
#include <tuple>

#include "lib/session/mail_fan_out_fixture.h"

namespace gatehouse {
namespace {

// What an upstream does, and in place of which answer.
enum class Fault { kStall, kCut, kRefuse };
enum class Place {
  kConnect,
  kGreeting,
  kEhlo,
  kMail,
  kRcpt,
  kData,
  kBody,
  kDot
};

std::string FaultName(
    const testing::TestParamInfo<std::tuple<Fault, Place>>& info) {
  constexpr const char* kFaults[] = {"Stall", "Cut", "Refuse"};
  constexpr const char* kPlaces[] = {"Connect", "Greeting", "Ehlo", "Mail",
                                     "Rcpt",    "Data",     "Body", "Dot"};
  return std::string(kFaults[static_cast<int>(std::get<0>(info.param))]) +
         "At" + kPlaces[static_cast<int>(std::get<1>(info.param))];
}

class MailFaultTest
    : public MailFanOutTest,
      public testing::WithParamInterface<std::tuple<Fault, Place>> {
 protected:
  Fault fault() const { return std::get<0>(GetParam()); }
  Place place() const { return std::get<1>(GetParam()); }
  bool in_envelope() const { return place() <= Place::kRcpt; }

  // Before the host is asked for the first time.
  void Script(const SocketAddress& host) {
    using Connect = FakeNetwork::ConnectScript;
    if (place() == Place::kConnect) {
      network_.ScriptConnect(
          host, fault() == Fault::kStall ? Connect::kStall : Connect::kRefuse);
    } else if (place() == Place::kGreeting) {
      network_.ScriptConnect(host, Connect::kAccept);
    }
  }

  // What the host says in this place, or what it does in place of that.
  void Answer(const SocketAddress& host, Place at, std::string_view line) {
    if (at < place() || line.empty()) Say(host, line);
    if (at == place()) Fail(host);
  }
  void Fail(const SocketAddress& host) {
    if (fault() == Fault::kStall) {
      network_.Advance(absl::Minutes(10));
    } else if (place() == Place::kConnect) {
      return;  // scripted
    } else if (fault() == Fault::kCut) {
      Peer(host).DeliverEof();
    } else {
      Peer(host).Deliver("554 5.3.0 No\r\n");
      network_.RunUntilIdle();
      if (place() == Place::kMail) Peer(host).Deliver("503 5.5.1 MAIL?\r\n");
    }
    network_.RunUntilIdle();
  }

  // The host's part up to RCPT.
  void PlayEnvelope(const SocketAddress& host) {
    if (place() == Place::kConnect || place() == Place::kGreeting) {
      return Fail(host);
    }
    Answer(host, Place::kEhlo, "250 store\r\n");
    if (place() > Place::kEhlo) Answer(host, Place::kMail, "250 2.1.0 Ok\r\n");
    if (place() > Place::kMail) Answer(host, Place::kRcpt, "250 2.1.5 Ok\r\n");
  }

  // Only what an upstream says of the message or the recipient may be
  // permanent.
  void ExpectRefusal(const std::optional<SmtpReply>& heard) {
    ASSERT_TRUE(heard) << "nothing was said";
    const bool said_of_mail =
        fault() == Fault::kRefuse && place() >= Place::kMail;
    EXPECT_EQ(heard->code / 100, said_of_mail ? 5 : 4) << Summary(*heard);
    EXPECT_FALSE(heard->enhanced.empty());
  }
};

TEST_P(MailFaultTest, OfTheOnlyHostIsToldAndNothingIsPromised) {
  Script(kStore1);
  Begin();
  Ask(kStore1, "bob@example.com");
  PlayEnvelope(kStore1);
  if (in_envelope()) return ExpectRefusal(answer_);
  OpenBody();
  Answer(kStore1, Place::kData, "354 go\r\n");
  if (place() == Place::kData) return ExpectRefusal(refusal_);
  if (place() == Place::kBody) {
    Peer(kStore1).set_send_capacity(0);
    fan_out_->Body("Subject: x\r\n\r\n");
    Fail(kStore1);
    fan_out_->EndBody();
    network_.RunUntilIdle();
    ExpectRefusal(done_);
    return;
  }
  SendBody();
  EXPECT_FALSE(done_);
  Fail(kStore1);
  ExpectRefusal(done_);
}

// bob's host is well, carol's isn't.
TEST_P(MailFaultTest, OfTheSecondHostLosesAndDoublesNothing) {
  Script(kStore2);
  UseRelay();
  Begin();
  Ask(kStore1, "bob@example.com");
  Greet(kStore1);
  Say(kStore1, "250 2.1.5 Ok\r\n");
  Ask(kStore2, "carol@example.com");
  Greet(kRelay);
  Say(kRelay, "250 2.1.5 Ok\r\n");
  PlayEnvelope(kStore2);
  if (in_envelope()) {
    ExpectRefusal(answer_);
    OpenBody();
    Say(kStore1, "354 go\r\n");
    SendBody();
    Say(kStore1, "250 2.0.0 Ok\r\n");
    ASSERT_TRUE(done_);
    EXPECT_EQ(done_->code, 250) << "bob's mail needs no other host";
    return;
  }
  OpenBody();
  Say(kStore1, "354 go\r\n");
  Answer(kStore2, Place::kData, "354 go\r\n");
  if (place() == Place::kData) {
    ExpectRefusal(refusal_);
  } else if (place() == Place::kBody) {
    Peer(kStore2).set_send_capacity(0);
    fan_out_->Body("Subject: x\r\n\r\n");
    Fail(kStore2);
    fan_out_->EndBody();
    network_.RunUntilIdle();
    ExpectRefusal(done_);
  } else {
    SendBody();
    Say(kStore1, "250 2.0.0 Ok\r\n");
    EXPECT_FALSE(done_);
    if (fault() == Fault::kStall) {
      network_.Advance(mail_.timeouts.commit);
    } else {
      Fail(kStore2);
    }
    Greet(kRelay);
    Say(kRelay, "250 2.1.5 Ok\r\n");
    Say(kRelay, "354 go\r\n");
    EXPECT_TRUE(Ended(Peer(kRelay)));
    EXPECT_EQ(Peer(kRelay).Sent().find("bob@"), std::string::npos);
    EXPECT_FALSE(done_) << "the relay hasn't accepted yet";
    Say(kRelay, "250 2.0.0 Ok\r\n");
    ASSERT_TRUE(done_);
    EXPECT_EQ(done_->code, 250);
    return;
  }
  EXPECT_FALSE(Ended(Peer(kStore1))) << "the message was given up";
}

INSTANTIATE_TEST_SUITE_P(
    Each, MailFaultTest,
    testing::Combine(testing::Values(Fault::kStall, Fault::kCut,
                                     Fault::kRefuse),
                     testing::Values(Place::kConnect, Place::kGreeting,
                                     Place::kEhlo, Place::kMail, Place::kRcpt,
                                     Place::kData, Place::kBody, Place::kDot)),
    FaultName);

// --- A connection that was kept ----------------------------------------------

class KeptConnectionTest : public MailFanOutTest {
 protected:
  void Deliver(const SocketAddress& host) {
    Begin();
    Ask(host, "bob@example.com");
    Greet(host);
    Say(host, "250 2.1.5 Ok\r\n");
    OpenBody();
    Say(host, "354 go\r\n");
    SendBody();
    Say(host, "250 2.0.0 Ok\r\n");
  }
  void KeepOne() {
    Deliver(kStore1);
    ASSERT_EQ(mail_.pool->idle(), 1u);
    Begin();
    Ask(kStore1, "bob@example.com");
    ASSERT_EQ(network_.connected().size(), 1u);
    ASSERT_FALSE(answer_);
  }
  void ExpectReplaced() {
    ASSERT_EQ(network_.connected().size(), 2u);
    ASSERT_FALSE(answer_) << "nobody hears of it";
    Greet(kStore1);
    Say(kStore1, "250 2.1.5 Ok\r\n");
    ASSERT_TRUE(answer_);
    EXPECT_EQ(answer_->code, 250);
  }
};

TEST_F(KeptConnectionTest, ServesNobodyElseWhereItsHostKnowsTheClient) {
  settings_.upstream.hosts = {{*HostPattern::Parse(kStore2.AddressText()),
                               UpstreamSettings::ForwardClient::kProxyV2}};
  context_.client.session_id = "s1";
  Deliver(kStore1);
  Deliver(kStore2);
  context_.client.session_id = "s2";
  Begin();
  Ask(kStore1, "bob@example.com");
  EXPECT_EQ(network_.connected().size(), 2u);
  Begin();
  Ask(kStore2, "bob@example.com");
  EXPECT_EQ(network_.connected().size(), 3u);
  context_.client.session_id = "s1";
  Begin();
  Ask(kStore2, "bob@example.com");
  EXPECT_EQ(network_.connected().size(), 3u);
}

TEST_F(KeptConnectionTest, IsReplacedWhenItHasDied) {
  KeepOne();
  Peer(kStore1).DeliverEof();
  network_.RunUntilIdle();
  ExpectReplaced();
}

TEST_F(KeptConnectionTest, IsReplacedWhenItsHostSaysGoodBye) {
  KeepOne();
  Say(kStore1, "421 4.4.2 Idle too long\r\n");
  ExpectReplaced();
}

TEST_F(KeptConnectionTest, IsReplacedWhenItSaysNothing) {
  KeepOne();
  network_.Advance(mail_.timeouts.command + absl::Seconds(1));
  ExpectReplaced();
}

TEST_F(KeptConnectionTest, IsNotReplacedBehindAPromise) {
  KeepOne();
  Say(kStore1, "250 2.0.0 Reset\r\n");
  Say(kStore1, "250 2.1.0 Ok\r\n");
  Say(kStore1, "250 2.1.5 Ok\r\n");
  ASSERT_EQ(answer_->code, 250);
  Peer(kStore1).DeliverEof();
  network_.RunUntilIdle();
  EXPECT_EQ(network_.connected().size(), 1u);
  OpenBody();
  ASSERT_TRUE(refusal_);
  EXPECT_EQ(refusal_->code, 451);
}

// --- LMTP, PRDR --------------------------------------------------------------

TEST_F(MailFanOutTest, DefersASecondLmtpRecipientWithoutARelay) {
  UseLmtp();
  Begin();
  Ask(kStore1, "bob@example.com");
  Greet(kStore1);
  Say(kStore1, "250 2.1.5 Ok\r\n");
  Ask(kStore1, "carol@example.com");
  ASSERT_TRUE(answer_);
  EXPECT_EQ(answer_->code, 452);
}

TEST_F(MailFanOutTest, LeavesOneLmtpRecipientToTheRelay) {
  UseLmtp();
  UseRelay();
  Begin();
  Ask(kStore1, "bob@example.com");
  Greet(kStore1);
  Say(kStore1, "250 2.1.5 Ok\r\n");
  Ask(kStore1, "carol@example.com");
  Greet(kRelay);
  Say(kRelay, "250 2.1.5 Ok\r\n");
  Say(kRelay, "250 2.1.5 Ok\r\n");
  Say(kStore1, "250 2.1.5 Ok\r\n");
  ASSERT_TRUE(answer_);
  ASSERT_EQ(answer_->code, 250);
  OpenBody();
  Say(kStore1, "354 go\r\n");
  SendBody();
  Say(kStore1, "250 2.0.0 bob has it\r\n");
  EXPECT_FALSE(done_) << "carol's answer is still owed";
  Say(kStore1, "452 4.2.2 carol is full\r\n");
  Greet(kRelay);
  Say(kRelay, "250 2.1.5 Ok\r\n");
  Say(kRelay, "354 go\r\n");
  EXPECT_NE(Peer(kRelay).Sent().find("carol@"), std::string::npos);
  EXPECT_EQ(Peer(kRelay).Sent().find("bob@"), std::string::npos);
  Say(kRelay, "250 2.0.0 Ok\r\n");
  ASSERT_TRUE(done_);
  EXPECT_EQ(done_->code, 250);
}

TEST_F(MailFanOutTest, TellsEachRecipientsFateByPrdr) {
  UseLmtp();
  envelope_.prdr = true;
  Begin();
  Ask(kStore1, "bob@example.com");
  Greet(kStore1);
  Say(kStore1, "250 2.1.5 Ok\r\n");
  Ask(kStore1, "carol@example.com");
  Say(kStore1, "250 2.1.5 Ok\r\n");
  ASSERT_EQ(answer_->code, 250);
  OpenBody();
  Say(kStore1, "354 go\r\n");
  SendBody();
  Say(kStore1, "250 2.0.0 Ok\r\n");
  Say(kStore1, "452 4.2.2 Full\r\n");
  ASSERT_TRUE(done_);
  ASSERT_EQ(each_.size(), 2u);
  EXPECT_EQ(each_[0].code, 250);
  EXPECT_EQ(each_[1].code, 452);
}

// Clients (Exim) take the last answer, where it is a refusal, for that to each
// recipient: bob would get the message again.
TEST_F(MailFanOutTest, RefusesLastByPrdrOnlyWhereAllWereRefused) {
  for (const bool bob_accepts : {true, false}) {
    done_.reset();
    each_.clear();
    UseLmtp();
    envelope_.prdr = true;
    Begin();
    Ask(kStore1, "carol@example.com");
    if (bob_accepts) {
      Greet(kStore1);
    } else {
      Say(kStore1, "250 2.0.0 Reset\r\n");
      Say(kStore1, "250 2.1.0 Ok\r\n");
    }
    Say(kStore1, "250 2.1.5 Ok\r\n");
    Ask(kStore1, "bob@example.com");
    Say(kStore1, "250 2.1.5 Ok\r\n");
    OpenBody();
    Say(kStore1, "354 go\r\n");
    SendBody();
    Say(kStore1, "554 5.6.0 carol wants none\r\n");
    Say(kStore1, bob_accepts ? "250 2.0.0 Ok\r\n" : "452 4.2.2 Full\r\n");
    ASSERT_TRUE(done_);
    EXPECT_EQ(done_->code, bob_accepts ? 250 : 452);
    ASSERT_EQ(each_.size(), 2u);
    EXPECT_EQ(each_[0].code, 554);
  }
}

// --- Memory ------------------------------------------------------------------

TEST_F(MailFanOutTest, WaitsForTheSlowestHost) {
  AcceptTwo();
  OpenBody();
  Say(kStore1, "354 go\r\n");
  Say(kStore2, "354 go\r\n");
  Peer(kStore2).set_send_capacity(0);
  const std::string piece = std::string(998, 'x') + "\r\n";
  size_t sent = 0;
  while (fan_out_->room() && sent < (8 << 20)) {
    fan_out_->Body(piece);
    network_.RunUntilIdle();
    sent += piece.size();
  }
  EXPECT_LE(sent, 300u << 10);
  EXPECT_FALSE(fan_out_->room());
  Peer(kStore2).set_send_capacity(1 << 30);
  network_.RunUntilIdle();
  EXPECT_TRUE(fan_out_->room());
}

TEST_F(MailFanOutTest, GivesTheRelayAMessageBeyondMemoryWhole) {
  AcceptTwo();
  OpenBody();
  Say(kStore1, "354 go\r\n");
  Say(kStore2, "354 go\r\n");
  std::string message;
  for (int i = 0; i < 6000; ++i) {
    const std::string line = std::to_string(i) + std::string(60, 'x') + "\r\n";
    fan_out_->Body(line);
    message += line;
  }
  fan_out_->EndBody();
  network_.RunUntilIdle();
  Say(kStore1, "250 2.0.0 Ok\r\n");
  Say(kStore2, "452 4.2.2 Full\r\n");
  Greet(kRelay);
  Say(kRelay, "250 2.1.5 Ok\r\n");
  Say(kRelay, "354 go\r\n");
  EXPECT_NE(Peer(kRelay).Sent().find("DATA\r\n" + message + ".\r\n"),
            std::string::npos);
}

// The file of the message that is under way, wherever its descriptor is.
int SpoolDescriptor() {
  for (int fd = 0; fd < 1024; ++fd) {
    char name[4096] = {};
    const std::string link = "/proc/self/fd/" + std::to_string(fd);
    if (readlink(link.c_str(), name, sizeof(name) - 1) < 0) continue;
    const std::string_view file = name;
    if (file.starts_with(testing::TempDir()) && file.ends_with(" (deleted)")) {
      return fd;
    }
  }
  return -1;
}

// When one host has accepted already, and another hasn't.
TEST_F(MailFanOutTest, AsksTheClientToSendAgainWhenItsFileIsLost) {
  TakeTwo(std::string(100 << 10, 'x') + "\r\n");
  Say(kStore1, "250 2.0.0 Ok\r\n");
  ASSERT_EQ(ftruncate(SpoolDescriptor(), 0), 0);
  Say(kStore2, "452 4.2.2 Full\r\n");
  Greet(kRelay);
  Say(kRelay, "250 2.1.5 Ok\r\n");
  Say(kRelay, "354 go\r\n");
  ASSERT_TRUE(done_);
  EXPECT_EQ(Summary(*done_), "451 4.3.0 Not all recipients were served");
  EXPECT_FALSE(Ended(Peer(kRelay)));
}

// Neither does anybody get it who could have had it.
TEST_F(MailFanOutTest, TakesNoMessageThatItCantKeepForTheRelay) {
  mail_.spool_folder = testing::TempDir() + "/nowhere";
  TakeTwo(std::string(100 << 10, 'x') + "\r\n");
  ASSERT_TRUE(done_);
  EXPECT_EQ(done_->code, 452);
  EXPECT_EQ(done_->enhanced, "4.3.1");
  EXPECT_FALSE(Ended(Peer(kStore1)));
  EXPECT_FALSE(Ended(Peer(kStore2)));
  EXPECT_NE(log_.text().find("spool in "), std::string::npos);
}

// As a quota or a full disk does, in the middle of a message.
TEST_F(MailFanOutTest, GivesAMessageUpWhenItsFileMayNotGrow) {
  const auto former = std::signal(SIGXFSZ, SIG_IGN);
  rlimit limit;
  getrlimit(RLIMIT_FSIZE, &limit);
  const rlimit tight = {100 << 10, limit.rlim_max};
  AcceptTwo();
  OpenBody();
  Say(kStore1, "354 go\r\n");
  Say(kStore2, "354 go\r\n");
  setrlimit(RLIMIT_FSIZE, &tight);
  for (int i = 0; i < 10; ++i) {
    fan_out_->Body(std::string(64 << 10, 'x'));
    network_.RunUntilIdle();
  }
  setrlimit(RLIMIT_FSIZE, &limit);
  std::signal(SIGXFSZ, former);
  EXPECT_TRUE(fan_out_->room()) << "the rest is read and dropped";
  fan_out_->EndBody();
  network_.RunUntilIdle();
  ASSERT_TRUE(done_);
  EXPECT_EQ(Summary(*done_), "452 4.3.1 Insufficient system storage");
  EXPECT_FALSE(Ended(Peer(kStore1)));
  EXPECT_FALSE(Ended(Peer(kStore2)));
}

// What waits for the relay may be all that is left of the message.
TEST_F(MailFanOutTest, EndsTheMessageForARelayThatReadsSlowly) {
  AcceptTwo();
  OpenBody();
  Say(kStore1, "354 go\r\n");
  Say(kStore2, "354 go\r\n");
  const std::string message(5 * (64 << 10), 'x');
  fan_out_->Body(message);
  fan_out_->EndBody();
  network_.RunUntilIdle();
  Say(kStore1, "250 2.0.0 Ok\r\n");
  Say(kStore2, "452 4.2.2 Full\r\n");
  Greet(kRelay);
  Peer(kRelay).set_send_capacity(100);
  Say(kRelay, "250 2.1.5 Ok\r\n");
  Say(kRelay, "354 go\r\n");
  Peer(kRelay).set_send_capacity(1 << 30);
  network_.RunUntilIdle();
  EXPECT_TRUE(Ended(Peer(kRelay)));
}

}  // namespace
}  // namespace gatehouse
