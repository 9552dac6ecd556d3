#include "lib/session/mail_policy.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace gatehouse {
namespace {

SmtpAddress Address(std::string_view text) {
  if (text == "Postmaster") return {"Postmaster", ""};
  const auto address = ParseSmtpAddress(text);
  EXPECT_TRUE(address) << text;
  return address.value_or(SmtpAddress{});
}

std::optional<SmtpAddress> Sender(std::string_view text) {
  if (text.empty()) return std::nullopt;
  return Address(text);
}

class MailPolicyTest : public testing::Test {
 protected:
  MailPolicyTest() {
    settings_.local_domains = {"example.com", ".sub.example.com",
                               "xn--bcher-kva.example"};
    settings_.recipient_delimiter = "+";
    settings_.relay_host = std::make_shared<MailRelay>();
    alice_.role = MailRole::kSubmission;
    alice_.authenticated = true;
    alice_.addresses = {"alice@example.com", "a.lice@example.com",
                        "@alice.example.net", "alice@xn--bcher-kva.example",
                        "j\u00f6rg@example.com"};
  }

  MailSettings settings_;
  const MailParty stranger_;
  MailParty alice_;
  const MailParty unknown_{MailRole::kSubmission, false, {}};
};

TEST_F(MailPolicyTest, GivesTheWholeTableOfVerdicts) {
  using V = MailVerdict;
  const struct {
    const MailParty* party;
    const char* sender;
    const char* recipient;
    V verdict;
  } kTable[] = {
      // Port 25: our domains and nothing else, whoever claims to send.
      {&stranger_, "x@example.net", "bob@example.com", V::kLocal},
      {&stranger_, "", "bob@example.com", V::kLocal},
      {&stranger_, "alice@example.com", "bob@example.com", V::kLocal},
      {&stranger_, "x@example.net", "bob@EXAMPLE.com", V::kLocal},
      {&stranger_, "x@example.net", "bob@a.sub.example.com", V::kLocal},
      {&stranger_, "x@example.net", "bob@b\u00fccher.example", V::kLocal},
      {&stranger_, "x@example.net", "Postmaster", V::kLocal},
      {&stranger_, "x@example.net", "bob@sub.example.com", V::kRelayDenied},
      {&stranger_, "x@example.net", "bob@example.org", V::kRelayDenied},
      {&stranger_, "", "bob@example.org", V::kRelayDenied},
      {&stranger_, "alice@example.com", "bob@example.org", V::kRelayDenied},
      {&stranger_, "bob@example.org", "bob@example.org", V::kRelayDenied},
      {&stranger_, "x@example.net", "bob@[127.0.0.1]", V::kRelayDenied},
      {&stranger_, "x@example.net", "bob@[192.0.2.1]", V::kRelayDenied},
      {&stranger_, "x@example.net", "bob@notexample.com", V::kRelayDenied},
      {&stranger_, "x@example.net", "bob@example.com.org", V::kRelayDenied},
      // Recipients that carry another way in themselves.
      {&stranger_, "", "bob%example.org@example.com", V::kRelayDenied},
      {&stranger_, "", "example.org!bob@example.com", V::kRelayDenied},
      {&stranger_, "", "\"bob@example.org\"@example.com", V::kRelayDenied},
      {&alice_, "alice@example.com", "bob%example.org@example.com",
       V::kRelayDenied},
      // Submission before AUTH: nothing.
      {&unknown_, "alice@example.com", "bob@example.com", V::kLoginFirst},
      {&unknown_, "alice@example.com", "bob@example.org", V::kLoginFirst},
      {&unknown_, "", "bob@example.com", V::kLoginFirst},
      {&unknown_, "", "Postmaster", V::kLoginFirst},
      // Submission: everywhere, as oneself.
      {&alice_, "alice@example.com", "bob@example.com", V::kLocal},
      {&alice_, "alice@example.com", "bob@example.org", V::kRelay},
      {&alice_, "Alice@Example.com", "bob@example.org", V::kRelay},
      {&alice_, "a.lice@example.com", "bob@example.org", V::kRelay},
      {&alice_, "alice+news@example.com", "bob@example.org", V::kRelay},
      {&alice_, "any@alice.example.net", "bob@example.org", V::kRelay},
      {&alice_, "", "bob@example.org", V::kRelay},
      {&alice_, "alice@example.com", "b%b@example.org", V::kRelay},
      {&alice_, "alice@example.com", "Postmaster", V::kLocal},
      {&alice_, "alice@b\u00fccher.example", "bob@example.org", V::kRelay},
      {&alice_, "j\u00f6rg@example.com", "bob@example.org", V::kRelay},
      {&alice_, "jo\u0308rg@example.com", "bob@example.org", V::kRelay},
      {&alice_, "jorg@example.com", "bob@example.org", V::kSenderNotOwned},
      {&alice_, "\"alice \"@example.com", "bob@example.org",
       V::kSenderNotOwned},
      {&alice_, "\"alice@example.com\"@example.com", "bob@example.org",
       V::kSenderNotOwned},
      {&alice_, "bob@example.com", "bob@example.com", V::kSenderNotOwned},
      {&alice_, "bob@example.com", "bob@example.org", V::kSenderNotOwned},
      {&alice_, "x@example.net", "bob@example.org", V::kSenderNotOwned},
      {&alice_, "alice@example.org", "bob@example.org", V::kSenderNotOwned},
      {&alice_, "bob+alice@example.com", "bob@example.org", V::kSenderNotOwned},
  };
  for (const auto& row : kTable) {
    EXPECT_EQ(JudgeMail(settings_, *row.party, Sender(row.sender),
                        Address(row.recipient)),
              row.verdict)
        << row.sender << " to " << row.recipient;
  }
}

TEST_F(MailPolicyTest, RelaysNothingWithoutARelayHost) {
  settings_.relay_host = nullptr;
  EXPECT_EQ(JudgeMail(settings_, alice_, Sender("alice@example.com"),
                      Address("bob@example.org")),
            MailVerdict::kRelayDenied);
  EXPECT_EQ(JudgeMail(settings_, alice_, Sender("alice@example.com"),
                      Address("bob@example.com")),
            MailVerdict::kLocal);
}

TEST_F(MailPolicyTest, TakesNothingWithoutLocalDomains) {
  settings_.local_domains.clear();
  for (const char* recipient : {"bob@example.com", "Postmaster"}) {
    EXPECT_EQ(JudgeMail(settings_, stranger_, Sender("x@example.net"),
                        Address(recipient)),
              MailVerdict::kRelayDenied);
  }
}

TEST_F(MailPolicyTest, SendsPostmastersMailToADomainThatIsOne) {
  EXPECT_EQ(PostmasterDomain(settings_), "example.com");
  settings_.local_domains = {".sub.example.com", "example.com"};
  EXPECT_EQ(PostmasterDomain(settings_), "example.com");
  settings_.local_domains = {".sub.example.com"};
  EXPECT_EQ(PostmasterDomain(settings_), "sub.example.com");
}

TEST_F(MailPolicyTest, LetsAnySenderPassWhereNobodyChecks) {
  settings_.sender_check = SenderCheck::kOff;
  EXPECT_EQ(JudgeMail(settings_, alice_, Sender("bob@example.com"),
                      Address("bob@example.org")),
            MailVerdict::kRelay);
}

TEST_F(MailPolicyTest, AnswersWithTheRfcsCodes) {
  EXPECT_EQ(Summary(ReplyTo(MailVerdict::kLoginFirst)),
            "530 5.7.0 Authentication required");
  EXPECT_EQ(ReplyTo(MailVerdict::kSenderNotOwned).code, 553);
  EXPECT_EQ(Summary(ReplyTo(MailVerdict::kRelayDenied)),
            "554 5.7.1 Relay access denied");
}

TEST_F(MailPolicyTest, FindsWhatStandsBeforeADetail) {
  EXPECT_EQ(WithoutDetail("alice+lists+x", "+"), "alice");
  EXPECT_EQ(WithoutDetail("alice--x", "--"), "alice");
  EXPECT_EQ(WithoutDetail("alice", "+"), std::nullopt);
  EXPECT_EQ(WithoutDetail("+alice", "+"), std::nullopt);
  EXPECT_EQ(WithoutDetail("alice+x", ""), std::nullopt);
}

}  // namespace
}  // namespace gatehouse
