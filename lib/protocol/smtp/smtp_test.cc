#include <gtest/gtest.h>

#include <string>
#include <variant>
#include <vector>

#include "lib/protocol/smtp/smtp_protocol.h"
#include "lib/testing/played_store.h"
#include "lib/testing/transcript.h"

namespace gatehouse {
namespace {

constexpr std::string_view kSecret = "s3cr3t-w0rd";

TEST(SmtpTest, EveryTranscriptPlaysWholeByteWiseAndTrailing) {
  PlayTranscripts(SmtpProtocol(), "testdata/smtp/upstream");
  PlayTranscripts(SmtpProtocol(), "testdata/smtp/home");
  PlayTranscripts(LmtpProtocol(), "testdata/lmtp");
}

TEST(SmtpTest, ProtocolsSayTheirNamesAndPorts) {
  EXPECT_EQ(SmtpProtocol().name(), "smtp");
  EXPECT_EQ(SmtpProtocol().port(), 25);
  EXPECT_EQ(SmtpProtocol().implicit_tls_port(), 465);
  EXPECT_EQ(LmtpProtocol().name(), "lmtp");
  EXPECT_EQ(LmtpProtocol().port(), 24);
  // RFC 5321 §4.5.3.2.7
  EXPECT_GE(SmtpProtocol().least_idle_seconds(), 300);
}

TEST(SmtpTest, UpstreamsPromiseTogetherTheLeastOfEach) {
  EXPECT_EQ(SmtpProtocol().CommonCapabilities({"SIZE 10", "DSN", "AUTH PLAIN"},
                                              {"size 0", "AUTH LOGIN PLAIN"}),
            (std::vector<std::string>{"SIZE 10", "AUTH PLAIN"}));
}

// --- Hostile servers ---------------------------------------------------------

// What a server said, rightly, up to a step.
struct Step {
  std::string state;
  std::vector<std::string> replies;
};

const std::vector<Step>& Steps() {
  static const std::string ehlo =
      "250-store\r\n250-AUTH PLAIN\r\n250 XCLIENT ADDR\r\n";
  static const std::vector<Step> steps = {
      {"AwaitGreeting", {}},
      {"AwaitEhlo", {"220 a\r\n"}},
      {"AwaitStartTls", {"220 a\r\n", "250 STARTTLS\r\n"}},
      {"AwaitEhlo", {"220 a\r\n", "250 STARTTLS\r\n", "220 b\r\n"}},
      {"AwaitXclient", {"220 a\r\n", "250 STARTTLS\r\n", "220 b\r\n", ehlo}},
      {"AwaitEhloAfterXclient",
       {"220 a\r\n", "250 STARTTLS\r\n", "220 b\r\n", ehlo, "220 c\r\n"}},
      {"AwaitAuth",
       {"220 a\r\n", "250 STARTTLS\r\n", "220 b\r\n", ehlo, "220 c\r\n", ehlo}},
  };
  return steps;
}

const std::vector<std::string>& HostileReplies() {
  using namespace std::string_literals;
  static const std::vector<std::string> replies = {
      "",
      "\r\n",
      "\n",
      "2",
      "250",
      "250\r",
      "250 ok\n",
      "250-ok\n250 ok\n",
      "250-ok\r\n",
      "250-ok\r\n220 ok\r\n",
      "250ok\r\n",
      "250\tok\r\n",
      "250 o\0k\r\n"s,
      "250 o\rk\r\n",
      "150 ok\r\n",
      "354 go on\r\n",
      "334 \r\n334 \r\n",
      "600 ok\r\n",
      "25 ok\r\n",
      "2500 ok\r\n",
      "999\r\n",
      "+OK POP3\r\n",
      "* OK IMAP4rev1 ready\r\n",
      "SSH-2.0-OpenSSH\r\n",
      "HTTP/1.1 400 Bad Request\r\n",
      "\x16\x03\x01\r\n",
      std::string(70000, '2'),
      "250-" + std::string(70000, 'x') + "\r\n",
      "220 x\r\n250 x\r\n235 x\r\n",
      "421 4.3.2 closing\r\n",
      "454 4.7.0 later\r\n",
  };
  return replies;
}

PlayedStore PlayHostile(const std::vector<std::string>& replies,
                        const std::string& hostile) {
  UpstreamOptions options;
  options.host_name = "mx";
  options.login.user = "bob";
  options.login.secret = Secret(kSecret);
  options.start_tls = true;
  options.forward_client = true;
  return PlayStore(SmtpProtocol().NewUpstream(std::move(options)), replies,
                   hostile);
}

TEST(SmtpUpstreamTest, HostileRepliesAtEveryStepAreNoLogin) {
  for (const Step& step : Steps()) {
    for (const std::string& reply : HostileReplies()) {
      const PlayedStore played = PlayHostile(step.replies, reply);
      EXPECT_EQ(played.state, step.state);
      const auto* failed = std::get_if<UpstreamFailed>(&played.last);
      ASSERT_NE(failed, nullptr) << step.state << " " << reply.substr(0, 20);
      EXPECT_EQ(failed->refusal.kind, LoginRefusal::Kind::kUnavailable)
          << step.state << " " << reply.substr(0, 20);
      EXPECT_EQ(failed->failure.text.find(kSecret), std::string::npos);
      EXPECT_LT(failed->failure.text.size(), 400u);
      if (step.state == "AwaitAuth") continue;
      EXPECT_EQ(played.written.find("AUTH"), std::string::npos) << step.state;
    }
  }
}

TEST(SmtpUpstreamTest, HostileRepliesToHeloAreNoServer) {
  for (const std::string& reply : HostileReplies()) {
    UpstreamOptions options;
    options.login.method = UpstreamLogin::Method::kNone;
    const PlayedStore played =
        PlayStore(SmtpProtocol().NewUpstream(std::move(options)),
                  {"220 a\r\n", "500 what?\r\n"}, reply);
    EXPECT_EQ(played.state, "AwaitHelo");
    EXPECT_TRUE(std::holds_alternative<UpstreamFailed>(played.last))
        << reply.substr(0, 20);
  }
}

TEST(SmtpUpstreamTest, EndlessEhloAnswerIsCut) {
  UpstreamOptions options;
  options.login.method = UpstreamLogin::Method::kNone;
  auto machine = SmtpProtocol().NewUpstream(std::move(options));
  machine->Feed("220 a\r\n");
  machine->Next();
  for (int i = 0; i < 100000; ++i) {
    machine->Feed("250-X-A\r\n");
    const UpstreamEvent event = machine->Next();
    if (std::holds_alternative<UpstreamFailed>(event)) return;
  }
  FAIL() << "an answer without end was taken";
}

}  // namespace
}  // namespace gatehouse
