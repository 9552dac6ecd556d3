#include "lib/directory/ldap_filter.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace gatehouse {
namespace {

using ::testing::HasSubstr;

std::string ErrorOf(std::string_view text) {
  auto made = FilterTemplate::Create(text);
  return made.ok() ? "" : std::string(made.status().message());
}

TEST(LdapFilterTest, QuotesWhatAFilterWouldTakeForItself) {
  EXPECT_EQ(QuoteFilterValue("*"), "\\2a");
  EXPECT_EQ(QuoteFilterValue("bob)(uid=*"), "bob\\29\\28uid=\\2a");
  EXPECT_EQ(QuoteFilterValue("bob\\2a"), "bob\\5c2a");
  EXPECT_EQ(QuoteFilterValue(std::string("a\0b", 3)), "a\\00b");
  EXPECT_EQ(QuoteFilterValue("\xc3\xb6"), "\\c3\\b6");
  EXPECT_EQ(QuoteFilterValue("alice+x@example.com"), "alice+x@example.com");
}

TEST(LdapFilterTest, EveryOctetComesBackFromItsQuoting) {
  for (int octet = 0; octet < 256; ++octet) {
    const std::string value(3, static_cast<char>(octet));
    auto items = ParseFilter("(uid=" + QuoteFilterValue(value) + ")");
    ASSERT_TRUE(items.ok()) << octet << items.status();
    ASSERT_EQ(items->size(), 1u);
    EXPECT_EQ((*items)[0], (FilterItem{"uid", "=", value, false}));
  }
}

TEST(LdapFilterTest, FillsTheHoles) {
  auto made = FilterTemplate::Create("(&(mail=%e)(uid=%u)(dc=%d)(cn=50%%))");
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->Fill({"al*ce", "example.com"}),
            "(&(mail=al\\2ace@example.com)(uid=al\\2ace)(dc=example.com)"
            "(cn=50%))");
}

TEST(LdapFilterTest, KnowsWhichAttributesHoldTheName) {
  auto made =
      FilterTemplate::Create("(&(|(mail=%e)(uid=%u)(uid=x*%u))(dc=%d))");
  ASSERT_TRUE(made.ok()) << made.status();
  const auto& assertions = made->name_assertions();
  ASSERT_EQ(assertions.size(), 2u);
  EXPECT_EQ(assertions[0].attribute, "mail");
  EXPECT_EQ(assertions[0].value.text(), "%e");
  EXPECT_EQ(assertions[1].attribute, "uid");
  EXPECT_EQ(assertions[1].value.text(), "%u");
}

TEST(LdapFilterTest, NamesThePositionOfAnError) {
  EXPECT_THAT(ErrorOf("mail=%e"), HasSubstr("position 1: expected \"(\""));
  EXPECT_THAT(ErrorOf("(&(a=b)(mail=%e)"), HasSubstr("position 17: "));
  EXPECT_THAT(ErrorOf("(mail=%e))"), HasSubstr("position 10: "));
  EXPECT_THAT(ErrorOf("(mail=%x)"), HasSubstr("position 7: "));
  EXPECT_THAT(ErrorOf("(mail=%"), HasSubstr("position 7: "));
  EXPECT_THAT(ErrorOf("(mail%e)"), HasSubstr("position 6: "));
  EXPECT_THAT(ErrorOf("(=%e)"), HasSubstr("expected an attribute"));
  EXPECT_THAT(ErrorOf("(mail=\\zz%e)"), HasSubstr("position 7: "));
  EXPECT_THAT(ErrorOf(""), HasSubstr("position 1: "));
}

TEST(LdapFilterTest, RefusesATemplateThatFindsTheSameEntryForAll) {
  EXPECT_NE(ErrorOf("(objectClass=person)"), "");
  EXPECT_NE(ErrorOf("(uid=%%e)"), "");
  EXPECT_NE(ErrorOf("(associatedDomain=%d)"), "");
}

TEST(LdapFilterTest, RefusesNestingWithoutEnd) {
  std::string deep;
  for (int i = 0; i < 100000; ++i) deep += "(!";
  EXPECT_THAT(ErrorOf(deep), HasSubstr("deep"));
}

TEST(LdapFilterTest, ReadsWhatRfc4515Shows) {
  for (std::string_view example :
       {"(cn=Babs Jensen)", "(!(cn=Tim Howes))",
        "(&(objectClass=Person)(|(sn=Jensen)(cn=Babs J*)))",
        "(o=univ*of*mich*)", "(seeAlso=)",
        "(cn:caseExactMatch:=Fred Flintstone)",
        "(sn:dn:2.4.6.8.10:=Barney Rubble)", "(:1.2.3:=Wilma Flintstone)",
        "(o=Parens R Us \\28for all your parenthetical needs\\29)", "(&)",
        "(1.3.6.1.4.1.1466.0=\\04\\02\\48\\69)"}) {
    EXPECT_TRUE(ParseFilter(example).ok()) << example;
  }
}

}  // namespace
}  // namespace gatehouse
