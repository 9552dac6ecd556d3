#include "lib/directory/live_map_store.h"

#include <atomic>
#include <cstring>
#include <initializer_list>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/directory/login_name.h"

namespace gatehouse {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

LiveMapAttributes Attributes() {
  return {{"mailhost", false, false, true},
          {"maillocaladdress", true, true, false},
          {"uid", true, true, false},
          {"cn", false, false, false}};
}

EntryUuid Uuid(int number) {
  EntryUuid uuid = {};
  std::memcpy(uuid.data(), &number, sizeof(number));
  return uuid;
}

std::string DnOf(const std::string& uid) {
  return "uid=" + uid + ",ou=people,dc=example,dc=com";
}

LdapEntry EntryOf(const std::string& dn, const std::string& host,
                  std::initializer_list<std::string_view> addresses,
                  std::string_view uid) {
  LdapEntry entry(dn);
  entry.Add("mailhost", {host});
  entry.Add("maillocaladdress", addresses);
  entry.Add("uid", {uid});
  return entry;
}

LdapEntry Entry(const std::string& uid, const std::string& host) {
  return EntryOf(DnOf(uid), host, {uid + "@example.com", uid + "@example.net"},
                 uid);
}

class LiveMapStoreTest : public ::testing::Test {
 protected:
  // The DNs of what is found; "?" for an unusual one.
  std::vector<std::string> Find(std::string_view key) {
    std::vector<std::string> found;
    reader_.Find(LookupKeyOf(key).hash, [&](const LdapEntry* entry) {
      found.push_back(entry == nullptr ? "?" : std::string(entry->dn()));
    });
    return found;
  }

  // Of the account whose uid or address it is.
  std::string HostOf(std::string_view key) {
    const std::string dn = DnOf(std::string(key.substr(0, key.find('@'))));
    std::string host;
    reader_.Find(LookupKeyOf(key).hash, [&](const LdapEntry* entry) {
      if (entry->dn() == dn) host += entry->Values("mailHost").front();
    });
    return host;
  }

  LiveMapStore store_{Attributes()};
  LiveMapStore::Reader reader_{store_};
};

TEST_F(LiveMapStoreTest, GivesAnEntryAsItWas) {
  LdapEntry entry = Entry("Alice", "store1.example.com");
  entry.Add("cn", {"", "Alice \xc3\xa4", "alice@", "@", "a@b@c",
                   std::string(1000, 'x'), "Alice"});
  ASSERT_TRUE(store_.Put(Uuid(1), entry));
  int found = 0;
  reader_.Find(LookupKeyOf("alice@example.net").hash,
               [&](const LdapEntry* read) {
                 ++found;
                 ASSERT_NE(read, nullptr);
                 EXPECT_EQ(*read, entry);
               });
  EXPECT_EQ(found, 1);
  EXPECT_THAT(Find("alice"), SizeIs(1));
  EXPECT_THAT(Find("store1.example.com"), IsEmpty());
}

TEST_F(LiveMapStoreTest, KeepsDnsOfAnyShape) {
  const std::string dns[] = {"", "x", "=", "a=b", "a=b,", ",", "a=b\\,c=d,e"};
  for (int i = 0; i < 7; ++i) {
    ASSERT_TRUE(
        store_.Put(Uuid(i), EntryOf(dns[i], "h", {"u@example.com"}, "u")));
  }
  EXPECT_THAT(Find("u"), testing::UnorderedElementsAreArray(dns));
}

TEST_F(LiveMapStoreTest, ReplacesAndRemoves) {
  store_.Put(Uuid(1), Entry("alice", "old"));
  store_.Put(Uuid(2), Entry("bob", "other"));
  store_.Put(Uuid(1), Entry("alice", "new"));
  EXPECT_EQ(HostOf("alice"), "new");
  EXPECT_EQ(store_.size(), 2u);
  store_.Put(Uuid(1), Entry("alicia", "new"));
  EXPECT_THAT(Find("alice"), IsEmpty());
  EXPECT_EQ(HostOf("alicia@example.com"), "new");
  store_.Remove(Uuid(1));
  store_.Remove(Uuid(7));
  EXPECT_THAT(Find("alicia"), IsEmpty());
  EXPECT_EQ(HostOf("bob"), "other");
  EXPECT_EQ(store_.size(), 1u);
  EXPECT_FALSE(store_.Get(Uuid(1)).has_value());
  EXPECT_EQ(store_.Get(Uuid(2))->dn(), DnOf("bob"));
}

TEST_F(LiveMapStoreTest, FindsAllEntriesOfOneKey) {
  store_.Put(Uuid(1), Entry("twin", "a"));
  store_.Put(Uuid(2),
             EntryOf(DnOf("other"), "b", {"TWIN@example.com"}, "other"));
  EXPECT_THAT(Find("twin@example.com"),
              UnorderedElementsAre(DnOf("twin"), DnOf("other")));
}

TEST_F(LiveMapStoreTest, SaysWhereItCannotAnswer) {
  const char kSpaced[] =
      "Bo\xc2\xad"  // a soft hyphen
      "b ";
  store_.Put(Uuid(1), EntryOf(DnOf("x"), "h", {"x@example.com"}, kSpaced));
  EXPECT_THAT(Find("bob"), ElementsAre("?"));
  LdapEntry subtype = Entry("y", "h");
  subtype.Add("uid;x-old", {"Carol"});
  store_.Put(Uuid(2), subtype);
  EXPECT_THAT(Find("carol"), ElementsAre("?"));
  EXPECT_THAT(Find("y"), ElementsAre("?"));
  LdapEntry large = Entry("z", "h");
  large.Add("cn", {std::string(100'000, 'x')});
  store_.Put(Uuid(3), large);
  EXPECT_THAT(Find("z@example.com"), ElementsAre("?"));
  EXPECT_FALSE(store_.Get(Uuid(3)).has_value());

  store_.Put(Uuid(2), Entry("y", "h"));
  EXPECT_THAT(Find("carol"), IsEmpty());
  EXPECT_EQ(HostOf("y"), "h");
  store_.Remove(Uuid(1));
  EXPECT_THAT(Find("bob"), IsEmpty());
}

TEST_F(LiveMapStoreTest, RefusesWhatHasNoRoom) {
  LdapEntry endless = Entry("x", "h");
  for (int i = 0; i < 600'000; ++i) endless.AddValue(std::to_string(i));
  EXPECT_FALSE(store_.Put(Uuid(1), endless));
  EXPECT_EQ(store_.size(), 0u);
}

TEST_F(LiveMapStoreTest, RemovesWhatARefreshDidNotName) {
  for (int round = 0; round < 600; ++round) {
    store_.Put(Uuid(1), Entry("put", "h"));
    store_.Put(Uuid(2), Entry("marked", "h"));
    store_.Put(Uuid(3), Entry("gone" + std::to_string(round), "h"));
    store_.BeginMarking();
    store_.Put(Uuid(1), Entry("put", "h"));
    store_.Mark(Uuid(2));
    store_.Mark(Uuid(9));
    ASSERT_EQ(store_.RemoveUnmarked(), 1u) << round;
    ASSERT_EQ(store_.size(), 2u);
  }
  EXPECT_THAT(Find("put"), SizeIs(1));
  EXPECT_THAT(Find("marked"), SizeIs(1));
}

// An entry that no refresh has named since is no newer for 256 others.
TEST_F(LiveMapStoreTest, TakesNoOldMarkForANewOne) {
  store_.BeginMarking();
  store_.Put(Uuid(1), Entry("old", "h"));
  for (int i = 0; i < 255; ++i) store_.BeginMarking();
  EXPECT_EQ(store_.RemoveUnmarked(), 1u);
}

TEST_F(LiveMapStoreTest, LeavesGarbageBehind) {
  store_.Put(Uuid(2), Entry("bob", "stays"));
  LdapEntry unusual = Entry("carol ", "h");
  store_.Put(Uuid(3), unusual);
  for (int i = 0; i < 5000; ++i) {
    LdapEntry entry = Entry("alice", "host" + std::to_string(i));
    entry.Add("cn", {std::string(10'000, 'x')});
    store_.Put(Uuid(1), entry);
  }
  EXPECT_LT(store_.bytes(), 8u << 20);
  EXPECT_EQ(HostOf("alice"), "host4999");
  EXPECT_EQ(HostOf("bob"), "stays");
  EXPECT_THAT(Find("carol"), ElementsAre("?"));
}

// More domains than there are short references for words.
TEST_F(LiveMapStoreTest, KeepsMoreWordsThanItCanNumber) {
  constexpr int kEntries = 70'000;
  for (int i = 0; i < kEntries; ++i) {
    const std::string number = std::to_string(i);
    ASSERT_TRUE(store_.Put(Uuid(i), Entry("u" + number, "host" + number)));
  }
  for (int i = 0; i < kEntries; i += 97) {
    const std::string number = std::to_string(i);
    ASSERT_EQ(HostOf("u" + number + "@example.com"), "host" + number);
  }
}

// What stays is found at any time, and whole, while everything around it
// changes, the table grows and the arena is compacted.
TEST_F(LiveMapStoreTest, ReadersSeeWholeEntriesAtAnyTime) {
  constexpr int kAccounts = 500;
  constexpr int kChanges = 5'000;
  const std::string ballast(4000, 'x');
  const auto put = [&](int account, int version) {
    const std::string text = std::to_string(version);
    LdapEntry entry = Entry("u" + std::to_string(account), "host" + text);
    entry.Add("cn", {ballast + text});
    store_.Put(Uuid(account), entry);
  };
  for (int i = 0; i < kAccounts; ++i) put(i, 0);

  std::atomic<bool> stop = false;
  std::atomic<int> faults = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&, t] {
      LiveMapStore::Reader reader(store_);
      for (int i = t; !stop; i = (i + 7) % kAccounts) {
        const std::string uid = "u" + std::to_string(i);
        int found = 0;
        reader.Find(LookupKeyOf(uid).hash, [&](const LdapEntry* entry) {
          const std::string version(
              entry->Values("mailhost").front().substr(4));
          faults += entry->Values("cn").front() != ballast + version;
          // Else it is another one, whose key has the same hash.
          found += entry->Values("uid").front() == uid;
        });
        faults += found != 1;
      }
    });
  }
  for (int i = 1; i <= kChanges; ++i) {
    put(i % kAccounts, i);
    put(kAccounts + i % 3000, i);
    if (i % 5 == 0) store_.Remove(Uuid(kAccounts + i % 1000));
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(faults, 0);
}

}  // namespace
}  // namespace gatehouse
