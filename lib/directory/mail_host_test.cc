#include "lib/directory/mail_host.h"

#include <optional>
#include <string>
#include <string_view>

#include "gtest/gtest.h"

namespace gatehouse {
namespace {

using Rank = MailHostValue::Rank;

TEST(MailHostTest, ReadsEachForm) {
  const struct {
    std::string_view value;
    MailHostValue host;
  } kCases[] = {
      {"a.example", {{"a.example", 0}}},
      {"a.example:10143", {{"a.example", 10143}}},
      {"[2001:db8::1]:143", {{"2001:db8::1", 143}}},
      {"imap://a.example",
       {{"a.example", 0}, std::nullopt, Rank::kThisService}},
      {"IMAPS://a.example:993/",
       {{"a.example", 993}, true, Rank::kThisService}},
      // The configured port may be one of STARTTLS.
      {"imaps://a.example", {{"a.example", 993}, true, Rank::kThisService}},
      {"A.Example", {{"a.example", 0}}},
      // Where POP3 waits, and how, says nothing of IMAP but the host.
      {"pop3s://a.example:995",
       {{"a.example", 0}, std::nullopt, Rank::kOtherService}},
      {"lmtp://a.example:24",
       {{"a.example", 0}, std::nullopt, Rank::kOtherService}},
  };
  for (const auto& c : kCases) {
    EXPECT_EQ(ParseMailHost(c.value, "imap"), c.host) << c.value;
  }
}

TEST(MailHostTest, KnowsTheServiceOfEveryScheme) {
  const struct {
    std::string_view scheme, service;
  } kCases[] = {
      {"imap", "imap"},   {"imaps", "imap"},      {"pop", "pop3"},
      {"pops", "pop3"},   {"pop3", "pop3"},       {"pop3s", "pop3"},
      {"sieve", "sieve"}, {"lmtp", "smtp"},       {"smtp", "smtp"},
      {"smtps", "smtp"},  {"submission", "smtp"}, {"submissions", "smtp"}};
  for (const auto& c : kCases) {
    const std::string value = std::string(c.scheme) + "://a.example:1";
    for (const std::string_view service : {"imap", "pop3", "sieve", "smtp"}) {
      EXPECT_EQ(ParseMailHost(value, service)->rank,
                service == c.service ? Rank::kThisService : Rank::kOtherService)
          << value << " for " << service;
    }
  }
}

TEST(MailHostTest, RefusesWhatIsNoHost) {
  for (const std::string_view value :
       {"", "70000:x", "a.example:70000", "http://a.example", "imap://",
        "imap:a.example", "imap://a.example/INBOX", "imap://u@a.example",
        "a b"}) {
    EXPECT_EQ(ParseMailHost(value, "imap"), std::nullopt) << value;
  }
}

}  // namespace
}  // namespace gatehouse
