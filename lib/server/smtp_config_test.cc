#include "lib/server/smtp_config.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "lib/protocol/smtp/smtp_protocol.h"
#include "lib/server/config.h"
#include "lib/server/json_file.h"

namespace gatehouse {
namespace {

constexpr char kFolder[] = "testdata/config";
constexpr char kInbound[] = R"({"address": "127.0.0.1", "port": 1025})";
constexpr char kSubmission[] =
    R"({"address": "127.0.0.1", "port": 1587, "role": "submission"})";
constexpr char kDomains[] = R"(, "localDomains": ["example.com"])";

std::string Small(const std::string& more = kDomains,
                  const std::string& listeners = kInbound) {
  return R"({"listeners": [)" + listeners +
         R"(], "userMaps": [{"name": "m", "type": "localFile",
              "localFile": "users.json"}],
             "mapping": {"userMap": "m"})" +
         more + "}";
}

ConfigResult Parse(const std::string& text) {
  return ParseConfig(text, "c.json", kFolder, SmtpProtocol());
}

// With a spool folder that the test may write.
ConfigResult ReadExample() {
  const std::string file = std::string(kFolder) + "/smtprouter.json";
  std::string text = ReadFile(file).value_or("");
  constexpr std::string_view kSpool = "\"/var/tmp\"";
  const size_t at = text.find(kSpool);
  if (at != std::string::npos) {
    text.replace(at, kSpool.size(), "\"" + testing::TempDir() + "\"");
  }
  return ParseConfig(text, file, kFolder, SmtpProtocol());
}

TEST(SmtpConfigTest, LoadsTheExample) {
  const ConfigResult result = ReadExample();
  ASSERT_TRUE(result.config) << testing::PrintToString(result.faults);
  const Config& config = *result.config;
  EXPECT_EQ(config.listeners[0].role, MailRole::kInbound);
  EXPECT_EQ(config.listeners[1].role, MailRole::kSubmission);
  EXPECT_EQ(config.upstream.port, 24);
  ASSERT_TRUE(config.smtp);
  const MailSettings& mail = config.smtp->mail;
  EXPECT_TRUE(mail.lmtp);
  EXPECT_EQ(mail.local_domains,
            (std::vector<std::string>{"example.com", ".example.net"}));
  EXPECT_EQ(mail.recipient_delimiter, "+");
  EXPECT_EQ(mail.fan_out, RecipientFanOut::kStream);
  ASSERT_TRUE(config.smtp->fallback_relay);
  EXPECT_EQ(config.smtp->fallback_relay->endpoint,
            (Endpoint{"127.0.0.1", 10025}));
  ASSERT_TRUE(config.smtp->relay_host);
  EXPECT_EQ(config.smtp->relay_host->endpoint,
            (Endpoint{"relay.example.org", 587}));
  EXPECT_EQ(config.smtp->relay_host->upstream.tls, TlsMode::kStartTls);
  EXPECT_EQ(config.smtp->relay_host->user, "gatehouse");
  EXPECT_EQ(config.smtp->relay_host->password, "example");
}

// The example says of each key that it stands there with its default; those
// that it says otherwise of are left out.
TEST(SmtpConfigTest, FillsInTheDefaultsThatTheExampleTells) {
  const auto example = ReadExample().config;
  const auto small = Parse(Small()).config;
  ASSERT_TRUE(example && small);
  const MailSettings& told = example->smtp->mail;
  const MailSettings& mail = small->smtp->mail;
  EXPECT_EQ(mail.message_bytes, told.message_bytes);
  EXPECT_EQ(mail.recipients, told.recipients);
  EXPECT_EQ(mail.transactions, told.transactions);
  EXPECT_EQ(mail.hops, told.hops);
  EXPECT_EQ(mail.prdr, told.prdr);
  EXPECT_EQ(mail.greeting_delay, told.greeting_delay);
  EXPECT_EQ(mail.sender_check, told.sender_check);
  EXPECT_EQ(mail.spool_folder, "/var/tmp");
  EXPECT_EQ(told.spool_folder, testing::TempDir());
  EXPECT_EQ(mail.timeouts.command, told.timeouts.command);
  EXPECT_EQ(mail.timeouts.body, told.timeouts.body);
  EXPECT_EQ(mail.timeouts.commit, told.timeouts.commit);
  EXPECT_EQ(mail.timeouts.fallback, told.timeouts.fallback);
  EXPECT_EQ(mail.timeouts.client, told.timeouts.client);
  const UpstreamPoolLimits& told_pool = example->smtp->pool;
  const UpstreamPoolLimits& pool = small->smtp->pool;
  EXPECT_EQ(pool.connections, told_pool.connections);
  EXPECT_EQ(pool.per_upstream, told_pool.per_upstream);
  EXPECT_EQ(pool.idle, told_pool.idle);
  EXPECT_EQ(pool.messages, told_pool.messages);
  EXPECT_EQ(small->smtp->submission, example->smtp->submission);
  EXPECT_FALSE(mail.lmtp);
  EXPECT_EQ(small->upstream.port, 25);
  EXPECT_EQ(mail.fan_out, RecipientFanOut::kDefer);
  EXPECT_EQ(mail.recipient_delimiter, "");
}

TEST(SmtpConfigTest, NeedsWhoChecksPasswordsOnlyWhereSomebodyLogsIn) {
  const std::string ldap_only =
      R"(, "localDomains": ["example.com"],
          "userMaps": [{"name": "l", "type": "ldapBind",
                        "userdbConnectorName": "L"}],
          "ldapConnectors": [{"name": "L", "urls": ["ldap://127.0.0.1"]}],
          "mapping": {"userMap": "l"}})";
  const auto listeners = [](const std::string& entry) {
    return R"({"listeners": [)" + entry + "]";
  };
  const auto inbound = Parse(listeners(kInbound) + ldap_only);
  ASSERT_TRUE(inbound.config) << testing::PrintToString(inbound.faults);
  EXPECT_FALSE(inbound.config->authenticate_on_proxy);
  EXPECT_EQ(Parse(listeners(kSubmission) + ldap_only).faults,
            std::vector<std::string>{
                "c.json: /userdbConnectorName: missing: which localFile map or "
                "LDAP connector checks the passwords?"});
}

TEST(SmtpConfigTest, TakesDomainsInAnyCase) {
  const auto config = Parse(Small(R"(, "localDomains": ["Example.COM"])"));
  ASSERT_TRUE(config.config);
  EXPECT_EQ(config.config->smtp->mail.local_domains,
            std::vector<std::string>{"example.com"});
}

TEST(SmtpConfigTest, ReadsTheHostsThatUsersAreJoinedTo) {
  const auto config = Parse(Small(R"(, "submission": {"mode": "home",
                      "upstream": {"tls": "implicit",
                                   "login": {"method": "xclient"},
                                   "forwardClient": "xclient"},
                      "capabilities": ["SIZE 1000000"]},
                    "oauth": true)",
                                  kSubmission));
  ASSERT_TRUE(config.config) << testing::PrintToString(config.faults);
  const SmtpConfig& smtp = *config.config->smtp;
  EXPECT_EQ(smtp.submission, SmtpConfig::SubmissionMode::kHome);
  EXPECT_EQ(smtp.home.port, 465);
  EXPECT_EQ(smtp.home.login, UpstreamSettings::Login::kXclient);
  EXPECT_EQ(smtp.home.forward_client,
            UpstreamSettings::ForwardClient::kProtocol);
  EXPECT_EQ(smtp.home_capabilities, std::vector<std::string>{"SIZE 1000000"});
  EXPECT_TRUE(config.config->token_mechanisms);
}

TEST(SmtpConfigTest, WarnsOfAPasswordInTheClear) {
  const ConfigResult result =
      Parse(Small(std::string(kDomains) +
                  R"(, "relayHost": {"host": "r.example.org",
                  "auth": {"user": "u", "passwordFile": "relay.secret"}})"));
  ASSERT_TRUE(result.config) << testing::PrintToString(result.faults);
  EXPECT_NE(std::find(result.warnings.begin(), result.warnings.end(),
                      "c.json: /relayHost/auth: the password is sent in the "
                      "clear (tls is none)"),
            result.warnings.end());
}

TEST(SmtpConfigTest, NamesThePlaceAndTheFault) {
  const auto inbound = [](const std::string& more) {
    return Small(kDomains + (", " + more));
  };
  const auto submission = [](const std::string& more) {
    return Small(kDomains + (", " + more), kSubmission);
  };
  const struct {
    std::string text;
    const char* fault;
  } kCases[] = {
      {Small(""),
       "c.json: /localDomains: none (an inbound listener takes mail for these "
       "only)"},
      {Small(R"(, "localDomains": ["exämple.com"])"),
       "c.json: /localDomains: \"exämple.com\" is not a domain in ASCII "
       "(\"example.com\", \".example.com\")"},
      {Small(R"(, "localDomains": ["127.0.0.1"])"),
       "c.json: /localDomains: \"127.0.0.1\" is not a domain in ASCII "
       "(\"example.com\", \".example.com\")"},
      {Small(R"(, "localDomains": ["a.example:25"])"),
       "c.json: /localDomains: \"a.example:25\" is not a domain in ASCII "
       "(\"example.com\", \".example.com\")"},
      {Small(kDomains, R"({"address": "::1", "role": "relay"})"),
       "c.json: /listeners/0/role: \"relay\" is none of inbound, submission"},
      {inbound(R"("recipientDelimiter": "+-")"),
       "c.json: /recipientDelimiter: \"+-\" is not one punctuation mark "
       "(\"+\")"},
      {inbound(R"("recipientDelimiter": "@")"),
       "c.json: /recipientDelimiter: \"@\" is not one punctuation mark "
       "(\"+\")"},
      {inbound(R"("recipientFanOut": "stream")"),
       "c.json: /recipientFanOut: \"stream\" needs /fallbackRelay, for what "
       "only some hosts have accepted"},
      {inbound(R"("recipientFanOut": "split")"),
       "c.json: /recipientFanOut: \"split\" is none of defer, stream"},
      {inbound(R"("fallbackRelay": {})"),
       "c.json: /fallbackRelay/host: missing"},
      {inbound(R"("fallbackRelay": "r.example.org")"),
       "c.json: /fallbackRelay: a string (should be an object)"},
      {inbound(R"("relayHost": {"host": "a b"})"),
       "c.json: /relayHost/host: \"a b\" is not a host name or address"},
      {inbound(R"("relayHost": {"host": "a.example:25"})"),
       "c.json: /relayHost/host: \"a.example:25\" is not a host name or "
       "address"},
      {inbound(R"("relayHost": {"host": "a", "port": 0})"),
       "c.json: /relayHost/port: 0 is not a port (1 to 65535)"},
      {inbound(R"("relayHost": {"host": "a", "auth": {"user": "u"}})"),
       "c.json: /relayHost/auth/passwordFile: missing"},
      {inbound(R"("relayHost": {"host": "a",
                    "auth": {"passwordFile": "relay.secret"}})"),
       "c.json: /relayHost/auth/user: missing"},
      {inbound(R"("relayHost": {"host": "a", "allowedHosts": []})"),
       "c.json: /relayHost/allowedHosts: unknown key"},
      {inbound(R"("upstream": {"protocol": "esmtp"})"),
       "c.json: /upstream/protocol: \"esmtp\" is none of smtp, lmtp"},
      {inbound(R"("upstream": {"forwardClient": "protocol"})"),
       "c.json: /upstream/forwardClient: \"protocol\" is none of none, "
       "xclient, proxyV2"},
      {inbound(R"("upstream": {"login": {}})"),
       "c.json: /upstream/login: unknown key"},
      {inbound(R"("messageBytes": 1000)"),
       "c.json: /messageBytes: 1000 is out of range (65536 to "
       "1099511627776)"},
      {inbound(R"("recipientLimit": 99)"),
       "c.json: /recipientLimit: 99 is out of range (100 to 1000000)"},
      {inbound(R"("spoolFolder": "none")"),
       "c.json: /spoolFolder: testdata/config/none: no such folder"},
      {inbound(R"("spoolFolder": "users.json")"),
       "c.json: /spoolFolder: testdata/config/users.json: no such folder"},
      {inbound(R"("spoolFolder": "")"),
       "c.json: /spoolFolder: \"\" is not a folder"},
      {inbound(R"("timeouts": {"command": "5m"})"),
       "c.json: /timeouts/command: too long (a client waits five minutes)"},
      {inbound(R"("timeouts": {"commit": "8m"})"),
       "c.json: /timeouts/commit: with fallback too long (a client waits ten "
       "minutes)"},
      {inbound(R"("timeouts": {"client": "5m"})"),
       "c.json: /timeouts/client: unknown key"},
      {inbound(R"("greetingDelay": "2m")"),
       "c.json: /greetingDelay: too long (at most a minute)"},
      {inbound(R"("idleTimeout": "4m")"),
       "c.json: /idleTimeout: \"4m\" is too short (at least \"5m\")"},
      {inbound(R"("upstreamPool": {"perUpstream": 0})"),
       "c.json: /upstreamPool/perUpstream: 0 is out of range (1 to 1000000)"},
      {submission(R"("submission": {"mode": "relay"})"),
       "c.json: /submission/mode: \"relay\" is none of route, home"},
      {submission(R"("submission": {"upstream": {"port": 587}})"),
       "c.json: /submission/upstream: is for mode \"home\""},
      {submission(R"("submission": {"mode": "home", "senderCheck": "off"})"),
       "c.json: /submission/senderCheck: is for mode \"route\" (at home the "
       "host checks)"},
      {submission(R"("submission": {"mode": "home",
                       "upstream": {"protocol": "smtp"}})"),
       "c.json: /submission/upstream/protocol: unknown key"},
      {submission(R"("authenticateOnProxy": false)"),
       "c.json: /authenticateOnProxy: submission in mode \"route\" needs it: "
       "nobody else would check a password"},
      {Small("", kSubmission),
       "c.json: /relayHost: missing (without it and /localDomains users' mail "
       "can go nowhere)"},
      {submission(R"("oauth": true)"),
       "c.json: /oauth: needs /submission/mode \"home\""},
      {submission(R"("external": true)"),
       "c.json: /external: needs /submission/mode \"home\""},
      {submission(R"("submission": {"mode": "home"}, "external": true)"),
       "c.json: /external: needs /submission/upstream/login with method "
       "masterUser or xclient"},
  };
  for (const auto& c : kCases) {
    const std::vector<std::string> faults = Parse(c.text).faults;
    EXPECT_NE(std::find(faults.begin(), faults.end(), c.fault), faults.end())
        << c.text << "\n wanted " << c.fault << "\n got "
        << testing::PrintToString(faults);
  }
}

}  // namespace
}  // namespace gatehouse
