#include "lib/directory/ldap_syntax.h"

#include <string_view>

#include "gtest/gtest.h"

namespace gatehouse {
namespace {

using std::string_view_literals::operator""sv;

TEST(LdapSyntaxTest, KnowsDistinguishedNames) {
  for (const auto dn :
       {""sv, "dc=example,dc=com"sv, "uid=a\\,b+cn=c,2.5.4.11=people"sv}) {
    EXPECT_TRUE(IsDistinguishedName(dn)) << dn;
  }
  for (const auto dn : {"garbage"sv, "dc=example,,dc=com"sv, "=x"sv,
                        "dc=example,"sv, "dc=a\0b"sv}) {
    EXPECT_FALSE(IsDistinguishedName(dn)) << dn;
  }
}

TEST(LdapSyntaxTest, KnowsAttributeDescriptions) {
  for (const auto text : {"mailHost", "x-1", "cn;lang-en;x-a", "2.5.4.3",
                          "1.3.6.1.4.1.4203.666.1;binary"}) {
    EXPECT_TRUE(IsAttributeDescription(text)) << text;
  }
  for (const auto text : {"", "a b", "1mail", "-a", "mail_host", "cn;", ";a",
                          "2", "2..5", "2.05", "2.5.", "m\xc3\xa4il", "*"}) {
    EXPECT_FALSE(IsAttributeDescription(text)) << text;
  }
}

}  // namespace
}  // namespace gatehouse
