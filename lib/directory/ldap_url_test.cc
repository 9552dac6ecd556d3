#include "lib/directory/ldap_url.h"

#include <string>
#include <string_view>

#include "gtest/gtest.h"

namespace gatehouse {
namespace {

TEST(LdapUrlTest, KnowsUrlsOfServers) {
  for (const auto url : {"ldap://ldap1.example.com", "ldap://127.0.0.1:389",
                         "ldaps://[::1]:636", "ldaps://ldap1.example.com/",
                         "ldapi:///", "ldapi://", "ldapi://%2frun%2fldapi"}) {
    EXPECT_TRUE(IsLdapUrl(url)) << url;
  }
  for (const auto url :
       {"", "ldap1.example.com", "http://x", "ldap://", "ldap:///",
        "ldap://x:99999", "ldap://x:0", "ldap://x:", "ldap://a b",
        "ldap://x/dc=example", "ldap://x/?uid", "ldap://127.1", "ldap://::1",
        "ldapi://%2fx/dc=example"}) {
    EXPECT_FALSE(IsLdapUrl(url)) << url;
  }
}

// StartTLS is for what begins with "ldap://": another spelling had none.
TEST(LdapUrlTest, KnowsServersByTheUsualSpellingOfTheirSchemes) {
  for (const auto url : {"LDAP://x", "Ldaps://x", "LDAPI:///"}) {
    EXPECT_TRUE(ParseLdapUrl(url)) << url;
    EXPECT_FALSE(IsLdapUrl(url)) << url;
  }
}

TEST(LdapUrlTest, ReadsWhatIsToBeAsked) {
  const auto url = ParseLdapUrl(
      "LDAPS://Other.Example.com:6360/ou=a%20b,dc=example"
      "?cn,sn?ONE?(cn=%3f%28)?x-ext=1");
  ASSERT_TRUE(url);
  EXPECT_EQ(url->scheme, "ldaps");
  EXPECT_EQ(url->server, (Endpoint{"Other.Example.com", 6360}));
  EXPECT_EQ(url->dn, "ou=a b,dc=example");
  EXPECT_EQ(url->scope, LdapScope::kOneLevel);
  EXPECT_EQ(url->filter, "(cn=?()");
  EXPECT_EQ(ParseLdapUrl("ldap://x/??base")->scope, LdapScope::kBase);
  EXPECT_EQ(ParseLdapUrl("ldap://x/??Sub")->scope, LdapScope::kSubtree);
}

TEST(LdapUrlTest, LeavesEmptyWhatIsNotSaid) {
  for (const auto text : {"ldap://x", "ldap://x/", "ldap://x/????"}) {
    const auto url = ParseLdapUrl(text);
    ASSERT_TRUE(url) << text;
    EXPECT_EQ(url->server, (Endpoint{"x", 389})) << text;
    EXPECT_EQ(url->dn, "") << text;
    EXPECT_EQ(url->scope, std::nullopt) << text;
    EXPECT_EQ(url->filter, "") << text;
  }
  EXPECT_EQ(ParseLdapUrl("ldaps://x")->server.port, 636);
}

TEST(LdapUrlTest, RefusesWhatItMustNotGuess) {
  for (const auto text :
       {"", "://x", "x", "imap://x/", "ldap:///dc=example", "ldap://x?cn",
        "ldap://a b/", "ldap://x/dc=%4", "ldap://x/dc=%4g", "ldap://x/dc=%00",
        "ldap://x/??sub?(cn=%00)", "ldap://x/??children", "ldap://x/?????",
        "ldap://x/??sub?(cn=a)?!b", "ldap://x/????a=1,!b", "ldap://user@x/",
        "ldap://x:389:389/"}) {
    EXPECT_FALSE(ParseLdapUrl(text)) << text;
  }
}

TEST(LdapUrlTest, KnowsAServerWhateverItsSpelling) {
  const auto key = [](std::string_view text) {
    return LdapServerKey(*ParseLdapUrl(text));
  };
  for (const auto same : {"ldap://x.example.com:389", "ldaps://x.example.com",
                          "ldaps://X.example.COM:636/dc=example??sub",
                          "ldap://x.example.com./"}) {
    EXPECT_EQ(key(same), key("ldap://x.example.com")) << same;
  }
  for (const auto other :
       {"ldap://x.example.com:636", "ldaps://x.example.com:389",
        "ldap://x.example.com:3890", "ldap://x.example.com.evil.example",
        "ldap://xx.example.com"}) {
    EXPECT_NE(key(other), key("ldap://x.example.com")) << other;
  }
  EXPECT_EQ(key("ldap://[::1]"), key("ldap://[0:0::1]:389"));
}

}  // namespace
}  // namespace gatehouse
