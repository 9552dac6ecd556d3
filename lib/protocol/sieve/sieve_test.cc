#include <gtest/gtest.h>

#include <random>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "lib/protocol/sieve/sieve_protocol.h"
#include "lib/testing/joined_machines.h"
#include "lib/testing/played_store.h"
#include "lib/testing/transcript.h"

namespace gatehouse {
namespace {

using namespace std::string_literals;
using Lines = std::vector<std::string>;

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

TEST(SieveTest, EveryTranscriptPlaysWholeByteWiseAndTrailing) {
  PlayTranscripts(SieveProtocol(), "testdata/sieve");
}

TEST(SieveTest, ProtocolSaysItsNameAndPort) {
  EXPECT_EQ(SieveProtocol().name(), "sieve");
  EXPECT_EQ(SieveProtocol().alpn(), "managesieve");
  EXPECT_EQ(SieveProtocol().port(), 4190);
  EXPECT_GE(SieveProtocol().least_idle_seconds(), 1800);  // RFC 5804 §1.2
}

TEST(SieveTest, UpstreamsHaveTheWordsOfBothInCommon) {
  const Lines a = {"IMPLEMENTATION Store 1",
                   "SASL PLAIN LOGIN",
                   "SIEVE fileinto reject vacation",
                   "NOTIFY mailto",
                   "MAXREDIRECTS 10",
                   "VERSION 1.0",
                   "XCLIENT"};
  const Lines b = {"VERSION 1.0", "sieve Vacation fileinto body", "NOTIFY xmpp",
                   "MAXREDIRECTS 4"};
  EXPECT_EQ(
      SieveProtocol().CommonCapabilities(a, b),
      (Lines{"SIEVE fileinto vacation", "MAXREDIRECTS 4", "VERSION 1.0"}));
  EXPECT_EQ(SieveProtocol().CommonCapabilities(a, a), a);
  EXPECT_EQ(SieveProtocol().CommonCapabilities(a, {}), Lines());
  EXPECT_EQ(SieveProtocol().CommonCapabilities({"SIEVE a"}, {"SIEVE b"}),
            Lines{"SIEVE"});
}

TEST(SieveDownstreamTest, RefusalOfTheConnectionStandsInTheGreetingsPlace) {
  auto machine = SieveProtocol().NewDownstream(Tls());
  machine->Shutdown(DownstreamMachine::ShutdownReason::kTooManyConnections);
  EXPECT_EQ(machine->TakeOutput(),
            "BYE (TRYLATER) \"Too many connections.\"\r\n");
  EXPECT_TRUE(std::holds_alternative<Closed>(machine->Next()));
}

// --- Both machines joined: ours upstream, ours as the store ------------------

JoinedMachines Join(UpstreamOptions options) {
  return JoinedMachines(SieveProtocol(), std::move(options), Tls());
}

std::string RandomPassword(std::mt19937& random) {
  std::string password;
  const size_t size = 1 + random() % 1500;
  while (password.size() < size) {
    const auto octet = static_cast<unsigned char>(random());
    if (octet >= 0x20 && octet != 0x7f) password += static_cast<char>(octet);
  }
  return password;
}

TEST(SieveJoinedTest, AnyPasswordArrivesOctetForOctet) {
  std::mt19937 random(1);
  for (int i = 0; i < 2000; ++i) {
    const std::string password = RandomPassword(random);
    JoinedMachines joined = Join(Login("bob", password));
    joined.piece = 1 + i % 64;
    const auto attempt = joined.Run();
    ASSERT_TRUE(attempt.has_value()) << i;
    EXPECT_EQ(attempt->user, "bob");
    ASSERT_EQ(attempt->secret.Reveal(), password);
  }
}

TEST(SieveJoinedTest, LeftoversOfBothSidesCrossUntouched) {
  JoinedMachines joined = Join(Login("bob", "secret"));
  ASSERT_TRUE(joined.Run().has_value());
  joined.store->Feed("LISTSCRIPTS\r\n");
  joined.store->LoginAccepted({});
  joined.upstream->Feed(joined.store->TakeOutput() + "OK\r\n");
  EXPECT_TRUE(std::holds_alternative<UpstreamReady>(joined.upstream->Next()));
  EXPECT_EQ(joined.store->TakeTrailing(), "LISTSCRIPTS\r\n");
  EXPECT_EQ(joined.upstream->TakeTrailing(), "OK\r\n");
}

TEST(SieveJoinedTest, EachRefusalMeansTheSameOnTheOtherSide) {
  using Kind = LoginRefusal::Kind;
  const std::pair<Kind, Kind> kinds[] = {
      {Kind::kCredentials, Kind::kCredentials},
      {Kind::kAuthorization, Kind::kCredentials},
      {Kind::kUnavailable, Kind::kUnavailable},
      {Kind::kOverQuota, Kind::kOverQuota},
      {Kind::kInUse, Kind::kUnavailable},
      {Kind::kLimit, Kind::kUnavailable},
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

const std::string kGreeting =
    "\"IMPLEMENTATION\" \"x\"\r\n\"SASL\" \"PLAIN\"\r\n\"SIEVE\" \"\"\r\n"
    "\"STARTTLS\"\r\n\"XCLIENT\"\r\nOK\r\n";

struct Step {
  std::string state;
  std::vector<std::string> replies;  // good ones, up to the step
};

const std::vector<Step>& Steps() {
  static const std::vector<Step> steps = {
      {"AwaitGreeting", {}},
      {"AwaitStartTls", {kGreeting}},
      {"AwaitGreeting", {kGreeting, "OK\r\n"}},
      {"AwaitXclient", {kGreeting, "OK\r\n", kGreeting}},
      {"AwaitAuthenticate", {kGreeting, "OK\r\n", kGreeting, "OK\r\n"}},
  };
  return steps;
}

const std::vector<std::string>& HostileReplies() {
  static const std::vector<std::string> replies = {
      "",
      "\r\n",
      " \r\n",
      "O\r\n",
      "OKAY\r\n",
      "OK",
      "OK\n",
      "OK\r",
      "OK \"\r\n",
      "OK \"a\" \"\r\n",
      "OK {5}\r\nab",
      "OK {99999999999}\r\n",
      "OK {18446744073709551617}\r\n",
      "OK\0\r\n"s,
      "\"OK\r\n",
      "\"OK\" \"a\" \"b\"\r\n",
      "\"OK\" a\r\n",
      "+OK ready\r\n",
      "-ERR no\r\n",
      "* OK IMAP4rev1 ready\r\n",
      "220 mx ESMTP\r\n",
      "250-mx\r\n250 OK\r\n",
      "SSH-2.0-OpenSSH\r\n",
      "HTTP/1.1 400 Bad Request\r\n",
      "\x15\x03\x01\0\x02\x02\x46\r\n"s,
      "\xff\xfe\r\n",
      "(OK)\r\n",
      ") OK\r\n",
      "((((((((((\r\n",
      "BYE\r\n",
      "BYE {3}\r\nabc\r\n",
      "NO (TRYLATER) \"x\"\r\n",
      "NO (TRYLATER",
      std::string(70000, 'x'),
      std::string(70000, 'x') + "\r\n",
      "\"" + std::string(70000, 'x') + "\"\r\n",
  };
  return replies;
}

PlayedStore PlayHostile(const std::vector<std::string>& replies,
                        const std::string& hostile) {
  UpstreamOptions options = Login("bob", kSecret);
  options.start_tls = true;
  options.forward_client = true;
  return PlayStore(SieveProtocol().NewUpstream(std::move(options)), replies,
                   hostile);
}

TEST(SieveUpstreamTest, HostileRepliesAtEveryStepAreNoLogin) {
  for (const Step& step : Steps()) {
    for (const std::string& reply : HostileReplies()) {
      const PlayedStore played = PlayHostile(step.replies, reply);
      EXPECT_EQ(played.state, step.state);
      const auto* failed = std::get_if<UpstreamFailed>(&played.last);
      ASSERT_NE(failed, nullptr) << step.state << " " << reply.substr(0, 20);
      EXPECT_EQ(failed->refusal.kind, LoginRefusal::Kind::kUnavailable)
          << step.state << " " << reply.substr(0, 20);
      EXPECT_LT(failed->failure.text.size(), 400u);
      // The only command that holds a credential.
      EXPECT_EQ(played.written.find("AUTHENTICATE") != std::string::npos,
                step.state == "AwaitAuthenticate");
    }
  }
}

TEST(SieveUpstreamTest, ItsRefusalReachesOurLogInPartAndWithoutTheSecret) {
  const auto text_of = [](const std::string& refusal) {
    const PlayedStore played = PlayHostile(Steps().back().replies, refusal);
    return std::get<UpstreamFailed>(played.last).failure.text;
  };
  EXPECT_EQ(text_of("NO \"no " + std::string(kSecret) + "\"\r\n"),
            "refused the login");
  EXPECT_LT(text_of("NO \"" + std::string(5000, 'y') + "\"\r\n").size(), 400u);
  EXPECT_EQ(text_of("NO \"Who?\"\r\n"), "refused the login: Who?");
}

TEST(SieveUpstreamTest, EndlessCapabilitiesAreCut) {
  auto machine = SieveProtocol().NewUpstream(Login("bob", kSecret));
  for (int i = 0; i < 100000; ++i) {
    machine->Feed("\"X\" \"y\"\r\n");
    const UpstreamEvent event = machine->Next();
    if (std::holds_alternative<UpstreamFailed>(event)) return;
  }
  FAIL() << "a list without end was taken";
}

}  // namespace
}  // namespace gatehouse
