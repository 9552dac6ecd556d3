// What no store may say to be let near a password, or to be believed.
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "gtest/gtest.h"
#include "lib/protocol/imap/imap_protocol.h"
#include "lib/testing/played_store.h"

namespace gatehouse {
namespace {

using namespace std::string_literals;

constexpr std::string_view kSecret = "s3cr3t-w0rd";

struct Step {
  std::string state;
  std::vector<std::string> replies;  // good ones, up to the step
  bool credentials_sent;
};

const std::vector<Step>& Steps() {
  static const std::vector<Step> kSteps = {
      {"AwaitGreeting", {}, false},
      {"AwaitStartTls", {"* OK hi\r\n"}, false},
      {"AwaitCapability", {"* OK hi\r\n", "G1 OK\r\n"}, false},
      {"AwaitId",
       {"* OK hi\r\n", "G1 OK\r\n",
        "* CAPABILITY IMAP4rev1 ID AUTH=PLAIN SASL-IR\r\nG2 OK\r\n"},
       false},
      {"AwaitLogin",
       {"* OK hi\r\n", "G1 OK\r\n",
        "* CAPABILITY IMAP4rev1 ID AUTH=PLAIN SASL-IR\r\nG2 OK\r\n",
        "G3 OK\r\n"},
       true},
      {"AwaitFinalCapability",
       {"* OK hi\r\n", "G1 OK\r\n",
        "* CAPABILITY IMAP4rev1 ID AUTH=PLAIN SASL-IR\r\nG2 OK\r\n",
        "G3 OK\r\n", "G4 OK\r\n"},
       true},
  };
  return kSteps;
}

const std::vector<std::string>& HostileReplies() {
  static const std::vector<std::string> kReplies = {
      "",
      "\r\n",
      " \r\n",
      "*\r\n",
      "* \r\n",
      "**\r\n",
      "+\r\n",
      "+ \r\n",
      "+ \r\n+ \r\n",
      "+OK\r\n",
      "-ERR\r\n",
      "OK\r\n",
      "ok\r\n",
      "G OK\r\n",
      "G0 OK\r\n",
      "G9 OK\r\n",
      "g1 OK\r\n",
      "a OK done\r\n",
      "G1\r\n",
      "G2\r\n",
      "G4 \r\n",
      "G4 YES\r\n",
      "G4 OKAY\r\n",
      "G4 BAD\r\n",
      "G4 PREAUTH\r\n",
      "G4 OK\n",
      "G4\tOK\r\n",
      "G4 O\0K\r\n"s,
      "* PREAUTH welcome\r\n",
      "* BYE\r\n",
      "* bye [UNAVAILABLE] inner.example.com\r\n",
      "220 mx ESMTP\r\n",
      "250-mx\r\n250 OK\r\n",
      "SSH-2.0-OpenSSH\r\n",
      "HTTP/1.1 400 Bad Request\r\n",
      "\x15\x03\x01\0\x02\x02\x46\r\n"s,
      "\x16\x03\x01\r\n",
      "\xff\xfe\r\n",
      "\0\r\n"s,
      "G4 OK",  // and then the end
      "G4 OK\r",
      "* OK [CAPABILITY",
      std::string(70000, 'x'),
      std::string(70000, 'x') + "\r\n",
      "* " + std::string(65533, 'x') + "\r\n* x\r\n",
  };
  return kReplies;
}

PlayedStore PlayHostile(const std::vector<std::string>& replies,
                        const std::string& hostile) {
  UpstreamOptions options;
  options.start_tls = true;
  options.forward_client = true;
  options.login.user = "bob";
  options.login.secret = Secret(kSecret);
  return PlayStore(ImapProtocol().NewUpstream(std::move(options)), replies,
                   hostile);
}

TEST(ImapHostileStoreTest, NoSuchReplyAtAnyStepIsALogin) {
  for (const Step& step : Steps()) {
    for (const std::string& reply : HostileReplies()) {
      const std::string what = step.state + " " + reply.substr(0, 20);
      const PlayedStore played = PlayHostile(step.replies, reply);
      EXPECT_EQ(played.state, step.state);
      const auto* failed = std::get_if<UpstreamFailed>(&played.last);
      ASSERT_NE(failed, nullptr) << what;
      EXPECT_EQ(failed->refusal.kind, LoginRefusal::Kind::kUnavailable) << what;
      EXPECT_EQ(failed->failure.text.find(kSecret), std::string::npos);
      EXPECT_LT(failed->failure.text.size(), 400u);
      if (step.credentials_sent) continue;
      EXPECT_EQ(played.written.find("AUTHENTICATE"), std::string::npos) << what;
      EXPECT_EQ(played.written.find("LOGIN"), std::string::npos) << what;
    }
  }
}

TEST(ImapHostileStoreTest, ItsRefusalReachesOurLogInPartAndWithoutTheSecret) {
  const auto text_of = [](const std::string& refusal) {
    const PlayedStore played = PlayHostile(Steps()[4].replies, refusal);
    return std::get<UpstreamFailed>(played.last).failure.text;
  };
  const std::string secret(kSecret);
  for (const std::string& echo :
       {"G4 NO [" + secret + "] no\r\n", "G4 NO [X " + secret + "] no\r\n",
        "G4 NO no " + secret + "\r\n", "G4 NO [ALERT] " + secret + "\r\n"}) {
    EXPECT_EQ(text_of(echo).find(secret), std::string::npos) << echo;
  }
  EXPECT_LT(text_of("G4 NO " + std::string(5000, 'y') + "\r\n").size(), 400u);
  EXPECT_LT(text_of("G4 NO [" + std::string(5000, 'y') + "]\r\n").size(), 400u);
  EXPECT_NE(text_of("G4 NO [LIMIT] too many\r\n").find("[LIMIT] too many"),
            std::string::npos);
}

}  // namespace
}  // namespace gatehouse
