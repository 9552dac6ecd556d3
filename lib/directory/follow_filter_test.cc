#include "lib/directory/follow_filter.h"

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace gatehouse {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

FollowFilter Made(const std::string& filter) {
  auto made = FollowFilter::Create(filter);
  EXPECT_TRUE(made.ok()) << made.status();
  return *made;
}

std::string ErrorOf(const std::string& filter) {
  return std::string(FollowFilter::Create(filter).status().message());
}

std::vector<std::string> KeysOf(const FollowFilter& filter) {
  std::vector<std::string> keys;
  for (const NameTemplate& key : filter.keys()) keys.push_back(key.text());
  return keys;
}

LdapEntry Entry(std::initializer_list<std::string_view> uids,
                std::initializer_list<std::string_view> domains = {}) {
  LdapEntry entry("uid=x");
  entry.Add("uid", uids);
  entry.Add("dc", domains);
  return entry;
}

TEST(FollowFilterTest, AsksForWhateverHasTheAttribute) {
  const auto made =
      Made("(&(objectClass=inetLocalMailRecipient)(mailLocalAddress=%e))");
  EXPECT_EQ(made.text(),
            "(&(objectClass=inetLocalMailRecipient)(|(mailLocalAddress=*)))");
  EXPECT_THAT(made.key_attributes(), ElementsAre("maillocaladdress"));
  EXPECT_THAT(KeysOf(made), ElementsAre("%e"));
}

TEST(FollowFilterTest, KeepsWhatDoesNotDependOnTheName) {
  EXPECT_EQ(Made("(&(!(a=\\2a*))(cn=50%%)(|(b=1)(c>=2))(uid=%u))").text(),
            "(&(!(a=\\2a*))(cn=50%)(|(b=1)(c>=2))(|(uid=*)))");
  EXPECT_EQ(Made("(uid=%u)").text(), "(&(|(uid=*)))");
}

TEST(FollowFilterTest, TellsTheNamesThatFindAnEntry) {
  const auto made = Made("(&(dc=%d)(&(|(Mail=%e)(uid=%u)(uid=%u))(x=1)))");
  EXPECT_EQ(made.text(), "(&(|(dc=*))(|(Mail=*)(uid=*)(uid=*))(x=1))");
  EXPECT_THAT(made.key_attributes(), ElementsAre("mail", "uid"));
  EXPECT_THAT(made.compared_attributes(), ElementsAre("mail", "uid", "dc"));
  EXPECT_THAT(KeysOf(made), ElementsAre("%e", "%u"));
  EXPECT_TRUE(made.Matches(Entry({"b", "A"}, {"D"}), {"a", "d"}));
  EXPECT_FALSE(made.Matches(Entry({"b"}, {"d"}), {"a", "d"}));
  EXPECT_FALSE(made.Matches(Entry({"a"}, {"e"}), {"a", "d"}));
  EXPECT_FALSE(made.Matches(Entry({"a"}), {"a", "d"}));
}

TEST(FollowFilterTest, RefusesWhereAnEntryDoesNotSayWhoFindsIt) {
  EXPECT_THAT(ErrorOf("(&(mail=%e)(!(uid=%u)))"), HasSubstr("(!(uid=%u))"));
  EXPECT_THAT(ErrorOf("(|(mail=%e)(alias=%u*))"), HasSubstr("(alias=%u*)"));
  EXPECT_THAT(ErrorOf("(|(mail=%e)(vip=TRUE))"), HasSubstr("(vip=TRUE)"));
  EXPECT_THAT(ErrorOf("(|(mail=%e)(&(uid=%u)(dc=%d)))"), HasSubstr("(&(uid"));
  EXPECT_THAT(ErrorOf("(&(uid=%u)(n>=%u))"), HasSubstr("(n>=%u)"));
  EXPECT_THAT(ErrorOf("(&(mail;x-y=%e)(mail=%e))"), HasSubstr("(mail;x-y=%e)"));
  EXPECT_THAT(ErrorOf("(|(mail=%e)(dc=%d))"), HasSubstr("no part"));
  EXPECT_THAT(ErrorOf("(mail=%x)"), HasSubstr("position"));
}

}  // namespace
}  // namespace gatehouse
