#include <gtest/gtest.h>

#include <random>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "lib/protocol/pop3/pop3_protocol.h"
#include "lib/testing/joined_machines.h"
#include "lib/testing/played_store.h"
#include "lib/testing/transcript.h"

namespace gatehouse {
namespace {

using namespace std::string_literals;

constexpr std::string_view kSecret = "s3cr3t-w0rd";

DownstreamOptions Tls() {
  DownstreamOptions options;
  options.host_name = "mx";
  options.tls_active = true;
  return options;
}

UpstreamOptions Login(std::string_view user, std::string_view secret) {
  UpstreamOptions options;
  options.login.user = std::string(user);
  options.login.secret = Secret(secret);
  return options;
}

TEST(Pop3Test, EveryTranscriptPlaysWholeByteWiseAndTrailing) {
  PlayTranscripts(Pop3Protocol(), "testdata/pop3");
}

TEST(Pop3Test, ProtocolSaysItsNameAndPorts) {
  EXPECT_EQ(Pop3Protocol().name(), "pop3");
  EXPECT_EQ(Pop3Protocol().port(), 110);
  EXPECT_EQ(Pop3Protocol().implicit_tls_port(), 995);
  EXPECT_GE(Pop3Protocol().least_idle_seconds(), 600);  // RFC 1939 §3
}

TEST(Pop3Test, UpstreamsHaveAlikeLinesAndSharedMechanismsInCommon) {
  using Lines = std::vector<std::string>;
  const Lines a = {"TOP",        "UTF8 USER", "SASL PLAIN LOGIN XOAUTH2",
                   "PIPELINING", "EXPIRE 30", "LOGIN-DELAY 60"};
  const Lines b = {"sasl xoauth2 PLAIN", "utf8", "top", "EXPIRE 60",
                   "LOGIN-DELAY 60 USER"};
  EXPECT_EQ(Pop3Protocol().CommonCapabilities(a, b),
            (Lines{"TOP", "UTF8", "SASL PLAIN XOAUTH2"}));
  EXPECT_EQ(Pop3Protocol().CommonCapabilities(a, a), a);
  EXPECT_EQ(Pop3Protocol().CommonCapabilities({"SASL A"}, {"SASL B"}), Lines());
  EXPECT_EQ(Pop3Protocol().CommonCapabilities(a, {}), Lines());
}

TEST(Pop3DownstreamTest, RefusalOfTheConnectionStandsInTheGreetingsPlace) {
  auto machine = Pop3Protocol().NewDownstream(Tls());
  machine->Shutdown(DownstreamMachine::ShutdownReason::kTooManyConnections);
  EXPECT_EQ(machine->TakeOutput(), "-ERR [IN-USE] Too many connections.\r\n");
  EXPECT_TRUE(std::holds_alternative<Closed>(machine->Next()));
}

TEST(Pop3DownstreamTest, GreetingHoldsNoApopTimestamp) {
  const std::string greeting =
      Pop3Protocol().NewDownstream(Tls())->TakeOutput();
  EXPECT_EQ(greeting.find_first_of("<>@"), std::string::npos);
}

// --- Both machines joined: ours upstream, ours as the store ------------------

JoinedMachines Join(UpstreamOptions options) {
  return JoinedMachines(Pop3Protocol(), std::move(options), Tls());
}

std::string RandomPassword(std::mt19937& random) {
  std::string password;
  const size_t size = 1 + random() % 230;
  while (password.size() < size) {
    const auto octet = static_cast<unsigned char>(random());
    if (octet >= 0x20 && octet != 0x7f) password += static_cast<char>(octet);
  }
  return password;
}

TEST(Pop3JoinedTest, AnyPasswordArrivesOctetForOctet) {
  std::mt19937 random(1);
  for (int i = 0; i < 10000; ++i) {
    const std::string password = RandomPassword(random);
    JoinedMachines joined = Join(Login("bob", password));
    if (i % 2 != 0) {  // a store of RFC 1939 alone
      joined.edited = [](std::string said) {
        return said.starts_with("+OK Capa") ? "-ERR\r\n" : said;
      };
    }
    joined.piece = 1 + i % 64;
    const auto attempt = joined.Run();
    ASSERT_TRUE(attempt.has_value()) << i;
    EXPECT_EQ(attempt->mechanism, i % 2 == 0 ? "PLAIN" : "USER");
    EXPECT_EQ(attempt->user, "bob");
    ASSERT_EQ(attempt->secret.Reveal(), password);
  }
}

TEST(Pop3JoinedTest, LeftoversOfBothSidesCrossUntouched) {
  JoinedMachines joined = Join(Login("bob", "secret"));
  ASSERT_TRUE(joined.Run().has_value());
  joined.store->Feed("STAT\r\n");
  joined.store->LoginAccepted({});
  joined.upstream->Feed(joined.store->TakeOutput() + "+OK 2 320\r\n");
  EXPECT_TRUE(std::holds_alternative<UpstreamReady>(joined.upstream->Next()));
  EXPECT_EQ(joined.store->TakeTrailing(), "STAT\r\n");
  EXPECT_EQ(joined.upstream->TakeTrailing(), "+OK 2 320\r\n");
}

TEST(Pop3JoinedTest, EachRefusalMeansTheSameOnTheOtherSide) {
  using Kind = LoginRefusal::Kind;
  const std::pair<Kind, Kind> kinds[] = {
      {Kind::kCredentials, Kind::kCredentials},
      {Kind::kAuthorization, Kind::kCredentials},
      {Kind::kUnavailable, Kind::kUnavailable},
      {Kind::kContactAdmin, Kind::kContactAdmin},
      {Kind::kExpired, Kind::kCredentials},
      {Kind::kInUse, Kind::kInUse},
      {Kind::kLoginDelay, Kind::kLoginDelay},
      {Kind::kOverQuota, Kind::kOverQuota},
      {Kind::kLimit, Kind::kInUse},
  };
  for (const auto& [said, heard] : kinds) {
    JoinedMachines joined = Join(Login("bob", "secret"));
    ASSERT_TRUE(joined.Run().has_value());
    LoginRefusal refusal;
    refusal.kind = said;
    joined.store->LoginRefused(refusal);
    const UpstreamEvent event = joined.HearStore();
    const auto* failed = std::get_if<UpstreamFailed>(&event);
    ASSERT_NE(failed, nullptr);
    EXPECT_EQ(failed->refusal.kind, heard) << static_cast<int>(said);
  }
}

// --- Hostile stores ----------------------------------------------------------

// What no step before the login's answer may take for leave to go on. The
// last flag of a script: whether the password may have been sent by then.
struct Step {
  std::string state;
  std::vector<std::string> replies;  // good ones, up to the step
  bool credentials_sent;
};

const std::vector<Step>& Steps() {
  static const std::vector<Step> steps = {
      {"AwaitGreeting", {}, false},
      {"AwaitStls", {"+OK\r\n"}, false},
      {"AwaitCapa", {"+OK\r\n", "+OK\r\n"}, false},
      {"AwaitXclient",
       {"+OK [XCLIENT]\r\n", "+OK\r\n", "+OK\r\nSASL PLAIN\r\n.\r\n"},
       false},
      {"AwaitUtf8",
       {"+OK\r\n", "+OK\r\n", "+OK\r\nUTF8\r\nSASL PLAIN\r\n.\r\n"},
       false},
      {"AwaitUser",
       {"+OK\r\n", "+OK\r\n", "+OK\r\nUTF8\r\nUSER\r\n.\r\n", "+OK\r\n"},
       false},
      {"AwaitPass",
       {"+OK\r\n", "+OK\r\n", "-ERR\r\n", "+OK\r\n", "+OK\r\n"},
       true},
      {"AwaitAuth",
       {"+OK\r\n", "+OK\r\n", "+OK\r\nSASL PLAIN\r\n.\r\n", "+OK\r\n"},
       true},
  };
  return steps;
}

const std::vector<std::string>& HostileReplies() {
  static const std::vector<std::string> replies = {
      "\r\n",
      " \r\n",
      "+\r\n",
      "+ \r\n",
      "+ \r\n+ \r\n",
      "+O\r\n",
      "+ok\r\n",
      "+OKAY\r\n",
      "+OK+OK\r\n",
      "+OK\tfine\r\n",
      "+OK\0fine\r\n"s,
      "OK\r\n",
      "* OK IMAP4rev1 ready\r\n",
      "* PREAUTH welcome\r\n",
      "220 mx ESMTP\r\n",
      "250-mx\r\n250 OK\r\n",
      "SSH-2.0-OpenSSH\r\n",
      "HTTP/1.1 400 Bad Request\r\n",
      "\x15\x03\x01\0\x02\x02\x46\r\n"s,
      "\x16\x03\x01\r\n",
      "-\r\n",
      "-ER\r\n",
      "-err\r\n",
      "-ERROR\r\n",
      "\xff\xfe\r\n",
      "\0\r\n"s,
      std::string(70000, 'x'),
      std::string(70000, 'x') + "\r\n",
      "+OK",  // and then the end
      "+OK\r",
      "+OK\n",
      "-ERR",
      "+ x\r\n",
      "+ " + std::string(70000, 'A') + "\r\n",
      "",
      ".\r\n",
      "a OK done\r\n",
      "OK \"done\"\r\n",
      "-ERR [\r\n",
      "-ERR ]\r\n",
      "-ERR [IN-USE\r\n",
      "-ERR []\r\n",
  };
  return replies;
}

PlayedStore PlayHostile(const std::vector<std::string>& replies,
                        const std::string& hostile) {
  UpstreamOptions options = Login("bob", kSecret);
  options.start_tls = true;
  options.forward_client = true;
  options.login.utf8 = true;
  return PlayStore(Pop3Protocol().NewUpstream(std::move(options)), replies,
                   hostile);
}

bool IsErrOfItsOwnRight(const std::string& reply) {
  return reply.starts_with("-ERR ");
}

TEST(Pop3UpstreamTest, HostileRepliesAtEveryStepAreNoLogin) {
  for (const Step& step : Steps()) {
    for (const std::string& reply : HostileReplies()) {
      const PlayedStore played = PlayHostile(step.replies, reply);
      EXPECT_EQ(played.state, step.state);
      const auto* failed = std::get_if<UpstreamFailed>(&played.last);
      ASSERT_NE(failed, nullptr) << step.state << " " << reply.substr(0, 20);
      if (!IsErrOfItsOwnRight(reply)) {
        EXPECT_EQ(failed->refusal.kind, LoginRefusal::Kind::kUnavailable)
            << step.state << " " << reply.substr(0, 20);
      }
      EXPECT_EQ(failed->failure.text.find(kSecret), std::string::npos);
      EXPECT_LT(failed->failure.text.size(), 400u);
      if (!step.credentials_sent) {
        EXPECT_EQ(played.written.find(kSecret), std::string::npos);
        EXPECT_EQ(played.written.find("AUTH"), std::string::npos);
      }
    }
  }
}

TEST(Pop3UpstreamTest, EndlessCapaListIsCut) {
  auto machine = Pop3Protocol().NewUpstream(Login("bob", kSecret));
  machine->Feed("+OK\r\n");
  machine->Next();
  machine->Feed("+OK\r\n");
  for (int i = 0; i < 100000; ++i) {
    machine->Feed("X-A\r\n");
    const UpstreamEvent event = machine->Next();
    if (std::holds_alternative<UpstreamFailed>(event)) return;
  }
  FAIL() << "a list without end was taken";
}

TEST(Pop3UpstreamTest, ItsRefusalReachesOurLogInPartAndWithoutTheSecret) {
  const auto text_of = [](const std::string& refusal) {
    const PlayedStore played = PlayHostile(Steps().back().replies, refusal);
    return std::get<UpstreamFailed>(played.last).failure.text;
  };
  EXPECT_EQ(text_of("-ERR no " + std::string(kSecret) + "\r\n"),
            "refused the login");
  EXPECT_LT(text_of("-ERR " + std::string(5000, 'y') + "\r\n").size(), 400u);
  EXPECT_EQ(text_of("-ERR [AUTH] no\r\n"), "refused the login: [AUTH] no");
}

}  // namespace
}  // namespace gatehouse
