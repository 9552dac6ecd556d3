#include "lib/directory/ldap_sync.h"

#include <string>
#include <string_view>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace gatehouse {
namespace {

using ::testing::ElementsAre;

constexpr std::string_view kUuid = "0123456789abcdef";

std::string Element(char tag, std::string_view content) {
  std::string element = {tag, static_cast<char>(content.size())};
  return element.append(content);
}
std::string Cookie(std::string_view cookie) { return Element(0x04, cookie); }
std::string Uuid() { return Element(0x04, kUuid); }
std::string Boolean(bool value) {
  return Element(0x01, value ? "\xff" : std::string(1, '\0'));
}
std::string State(char state, std::string_view more = "") {
  return Element(
      0x30, Element(0x0a, std::string(1, state)) + Uuid() + std::string(more));
}
EntryUuid UuidOf(std::string_view text) {
  EntryUuid uuid;
  std::copy(text.begin(), text.end(), uuid.begin());
  return uuid;
}

TEST(LdapSyncTest, AsksForEverythingWithoutCookie) {
  EXPECT_EQ(EncodeSyncRequest(""), Element(0x30, "\x0a\x01\x03"));
}

TEST(LdapSyncTest, AsksFromACookieOn) {
  EXPECT_EQ(EncodeSyncRequest("rid=1"),
            Element(0x30, "\x0a\x01\x03" + Cookie("rid=1")));
}

TEST(LdapSyncTest, ReadsTheStateOfAnEntry) {
  auto state = DecodeSyncState(State(1, Cookie("c")));
  ASSERT_TRUE(state.has_value());
  EXPECT_EQ(state->state, LdapSyncState::State::kAdd);
  EXPECT_EQ(state->uuid, UuidOf(kUuid));
  EXPECT_EQ(state->cookie, "c");
  state = DecodeSyncState(State(3));
  ASSERT_TRUE(state.has_value());
  EXPECT_EQ(state->state, LdapSyncState::State::kDelete);
  EXPECT_EQ(state->cookie, "");
}

TEST(LdapSyncTest, ReadsTheFourMessages) {
  auto info = DecodeSyncInfo(Element('\x80', "new"));
  ASSERT_TRUE(info.has_value());
  EXPECT_EQ(std::get<LdapSyncNewCookie>(*info).cookie, "new");

  info = DecodeSyncInfo(Element('\xa1', ""));
  ASSERT_TRUE(info.has_value());
  EXPECT_TRUE(std::get<LdapSyncPhaseEnd>(*info).unmentioned_stays);
  EXPECT_TRUE(std::get<LdapSyncPhaseEnd>(*info).refresh_done);

  info = DecodeSyncInfo(Element('\xa2', Cookie("c") + Boolean(false)));
  ASSERT_TRUE(info.has_value());
  EXPECT_FALSE(std::get<LdapSyncPhaseEnd>(*info).unmentioned_stays);
  EXPECT_FALSE(std::get<LdapSyncPhaseEnd>(*info).refresh_done);
  EXPECT_EQ(std::get<LdapSyncPhaseEnd>(*info).cookie, "c");

  info = DecodeSyncInfo(Element(
      '\xa3', Cookie("c") + Boolean(true) +
                  Element(0x31, Uuid() + Element(0x04, "fedcba9876543210"))));
  ASSERT_TRUE(info.has_value());
  const auto& set = std::get<LdapSyncIdSet>(*info);
  EXPECT_TRUE(set.deleted);
  EXPECT_EQ(set.cookie, "c");
  EXPECT_THAT(set.uuids,
              ElementsAre(UuidOf(kUuid), UuidOf("fedcba9876543210")));
}

TEST(LdapSyncTest, RefusesWhatIsOtherwise) {
  EXPECT_FALSE(DecodeSyncState(""));
  EXPECT_FALSE(DecodeSyncState(State(4)));
  EXPECT_FALSE(DecodeSyncState(State('\xff')));
  EXPECT_FALSE(DecodeSyncState(State(1) + "x"));
  EXPECT_FALSE(DecodeSyncState(State(1, "x")));
  EXPECT_FALSE(DecodeSyncState(
      Element(0x30, Element(0x0a, "\x01") + Element(0x04, "short"))));
  EXPECT_FALSE(DecodeSyncInfo(""));
  EXPECT_FALSE(DecodeSyncInfo(Element('\xa4', "")));
  EXPECT_FALSE(DecodeSyncInfo(Element('\xa3', "")));
  EXPECT_FALSE(
      DecodeSyncInfo(Element('\xa3', Element(0x31, Uuid() + "\x04\x01x"))));
}

// Cut anywhere, nothing is read.
TEST(LdapSyncTest, RefusesWhatIsCut) {
  const std::string whole =
      Element('\xa3', Cookie("c") + Boolean(true) + Element(0x31, Uuid()));
  const std::string state = State(1, Cookie("c"));
  ASSERT_TRUE(DecodeSyncInfo(whole) && DecodeSyncState(state));
  for (size_t length = 0; length < whole.size(); ++length) {
    EXPECT_FALSE(DecodeSyncInfo(whole.substr(0, length))) << length;
  }
  for (size_t length = 0; length < state.size(); ++length) {
    EXPECT_FALSE(DecodeSyncState(state.substr(0, length))) << length;
  }
}

}  // namespace
}  // namespace gatehouse
