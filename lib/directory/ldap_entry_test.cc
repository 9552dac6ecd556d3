#include "lib/directory/ldap_entry.h"

#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace gatehouse {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

LdapEntry Alice() {
  LdapEntry entry("uid=alice,dc=example,dc=com");
  entry.Add("mail", {"alice@example.com", "", "a@example.org"});
  entry.Add("uid");
  entry.AddValue("ali", "ce");
  entry.Add("cn");
  return entry;
}

TEST(LdapEntryTest, GivesWhatWasAdded) {
  const LdapEntry entry = Alice();
  EXPECT_EQ(entry.dn(), "uid=alice,dc=example,dc=com");
  EXPECT_THAT(entry.Values("mail"),
              ElementsAre("alice@example.com", "", "a@example.org"));
  EXPECT_THAT(entry.Values("mail"), SizeIs(3));
  EXPECT_EQ(entry.Values("uid").front(), "alice");
  EXPECT_THAT(entry.Values("cn"), IsEmpty());
  EXPECT_THAT(entry.Values("sn"), IsEmpty());
  EXPECT_THAT(entry.Values(""), IsEmpty());
  EXPECT_EQ(entry.attribute_count(), 3u);
}

TEST(LdapEntryTest, ComparesNamesWithoutRegardToCase) {
  EXPECT_EQ(Alice().Values("UID").front(), "alice");
  EXPECT_THAT(Alice().Values("ui"), IsEmpty());
}

TEST(LdapEntryTest, StaysAsItIsWhenMoved) {
  LdapEntry entry("");
  entry.Add("uid", {"a"});
  LdapEntry moved = std::move(entry);
  moved.AddValue("b");
  EXPECT_EQ(moved.dn(), "");
  EXPECT_THAT(moved.Values("uid"), ElementsAre("a", "b"));
}

TEST(LdapEntryTest, NamesItsAttributesInTheirOrder) {
  std::vector<std::string> seen;
  Alice().ForEachAttribute([&](std::string_view name, LdapValues values) {
    seen.push_back(std::string(name) + " " + std::to_string(values.size()));
  });
  EXPECT_THAT(seen, ElementsAre("mail 3", "uid 1", "cn 0"));
}

}  // namespace
}  // namespace gatehouse
