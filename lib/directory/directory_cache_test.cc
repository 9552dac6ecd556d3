#include "lib/directory/directory_cache.h"

#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace gatehouse {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

constexpr absl::Time kNow = absl::UnixEpoch();

SharedLocation At(const std::string& user, const std::string& host) {
  auto location = std::make_shared<Location>();
  location->user = user;
  location->host = Endpoint{host, 0};
  return location;
}

std::string Name(int number) {
  return "user" + std::to_string(number) + "@example.com";
}

TEST(LruMapTest, ForgetsWhatWasUsedLongestAgo) {
  LruMap<int> map(1000);
  const int kBytes = 200;
  map.Put("a", 1, kBytes);
  map.Put("b", 2, kBytes);
  map.Put("c", 3, kBytes);
  ASSERT_NE(map.Find("a"), nullptr);
  map.Put("d", 4, kBytes);
  EXPECT_EQ(map.Find("b"), nullptr);
  EXPECT_EQ(*map.Find("a"), 1);
  EXPECT_EQ(*map.Find("c"), 3);
  EXPECT_EQ(*map.Find("d"), 4);
}

TEST(LruMapTest, KeepsWithinItsSizeWhateverIsPut) {
  LruMap<int> map(10000);
  for (int i = 0; i < 1000; ++i) {
    map.Put(Name(i % 300), i, i % 500);
    ASSERT_LE(map.bytes(), 10000u);
  }
  map.Put("too big", 1, 10001);
  EXPECT_EQ(map.Find("too big"), nullptr);
  for (int i = 0; i < 300; ++i) map.Erase(Name(i));
  EXPECT_EQ(map.size(), 0u);
  EXPECT_EQ(map.bytes(), 0u);
}

class DirectoryCacheTest : public ::testing::Test {
 protected:
  DirectoryCacheTest() {
    cache_.moves().Subscribe([this](const Moves& moves) {
      for (const Move& move : *moves) {
        moves_.emplace_back(move.user, move.host ? move.host->host : "default");
      }
    });
  }

  static DirectoryCacheOptions Options() {
    DirectoryCacheOptions options;
    options.size_bytes = 1 << 20;
    return options;
  }

  void PutPassword(const std::string& name) {
    cache_.ExpectPassword(name, kNow);
    cache_.PutPassword(name, name, "hash", kNow);
  }

  DirectoryCache cache_{Options()};
  std::vector<std::pair<std::string, std::string>> moves_;
};

TEST_F(DirectoryCacheTest, RemembersLocationsAndPasswordsOfOneNameTogether) {
  PutPassword("alice");
  cache_.PutLocation("alice", At("Alice", "store1"), kNow + absl::Seconds(1));
  const auto known = cache_.FindKnown("alice");
  ASSERT_TRUE(known);
  EXPECT_EQ(known->location->host->host, "store1");
  EXPECT_EQ(cache_.FindLocation("alice")->location, known->location)
      << "not a copy";
  EXPECT_EQ(known->located_at, kNow + absl::Seconds(1));
  EXPECT_EQ(known->password_hash, "hash");
  EXPECT_EQ(known->verified_at, kNow);
  EXPECT_FALSE(cache_.FindKnown("Alice"));
  cache_.DropPassword("alice");
  EXPECT_EQ(cache_.FindKnown("alice")->password_hash, "");
}

TEST_F(DirectoryCacheTest, ARefusalOvertakesTheHash) {
  cache_.ExpectPassword("alice", kNow);
  cache_.DropPassword("alice");
  cache_.PutPassword("alice", "Alice", "hash", kNow);
  EXPECT_EQ(cache_.FindKnown("alice")->password_hash, "");
}

TEST_F(DirectoryCacheTest, DroppingWhatIsNotThereAddsNothing) {
  cache_.DropPassword("alice");
  cache_.DropLocation("alice");
  cache_.PutPassword("alice", "Alice", "hash", kNow);
  EXPECT_EQ(cache_.bytes(), 0u);
}

TEST_F(DirectoryCacheTest, AnUnknownNameIsNoLongerKnown) {
  PutPassword("alice");
  cache_.PutUnknown("alice", Denial::kNotFound, kNow);
  EXPECT_FALSE(cache_.FindKnown("alice"));
  EXPECT_TRUE(cache_.FindUnknown("alice"));
  cache_.PutLocation("alice", At("Alice", "store1"), kNow);
  EXPECT_FALSE(cache_.FindUnknown("alice"));
}

TEST_F(DirectoryCacheTest, KeepsWithinItsSize) {
  for (int i = 0; i < 20000; ++i) {
    Location location = *At(Name(i), "store1.a-long-name.example.com");
    location.addresses.assign(i % 20, Name(i));
    cache_.PutLocation(Name(i), std::make_shared<Location>(location), kNow);
    ASSERT_LE(cache_.bytes(), Options().size_bytes);
  }
  EXPECT_GT(cache_.bytes(), Options().size_bytes / 2);
  EXPECT_TRUE(cache_.FindKnown(Name(19999)));
  EXPECT_FALSE(cache_.FindKnown(Name(0)));
}

TEST_F(DirectoryCacheTest, ADictionaryOfNamesPushesNobodyOut) {
  for (int i = 0; i < 100; ++i) {
    cache_.PutLocation(Name(i), At(Name(i), "store1"), kNow);
  }
  for (int i = 100; i < 100000; ++i) {
    cache_.PutUnknown(Name(i), Denial::kNotFound, kNow);
  }
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(cache_.FindKnown(Name(i)));
  EXPECT_LE(cache_.bytes(), Options().size_bytes);
}

TEST_F(DirectoryCacheTest, TellsOfAnotherHostOfTheSameUserOnly) {
  cache_.PutLocation("alice", At("Alice", "store1"), kNow);
  cache_.PutLocation("alice", At("Alice", "store1"), kNow);
  EXPECT_THAT(moves_, IsEmpty());
  cache_.PutLocation("alice", At("Alice", "store2"), kNow);
  EXPECT_THAT(moves_, ElementsAre(Pair("Alice", "store2")));
  cache_.PutLocation("alice", At("other", "store3"), kNow);
  EXPECT_EQ(moves_.size(), 1u);
}

TEST_F(DirectoryCacheTest, ALocationThatWasDroppedStillTellsOfTheMove) {
  cache_.PutLocation("alice", At("Alice", "store1"), kNow);
  cache_.DropLocation("alice");
  EXPECT_EQ(cache_.FindKnown("alice")->located_at, absl::InfinitePast());
  cache_.PutLocation("alice", At("Alice", "store2"), kNow);
  EXPECT_THAT(moves_, ElementsAre(Pair("Alice", "store2")));
}

TEST_F(DirectoryCacheTest, ServesManyThreads) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([this, t] {
      const int mine = cache_.moves().Subscribe([](const Moves&) {});
      for (int i = 0; i < 5000; ++i) {
        const std::string name = Name(i % 50);
        cache_.PutLocation(name, At(name, "store" + std::to_string(t)), kNow);
        if (i % 7 == 0) PutPassword(name);
        if (i % 11 == 0) cache_.PutUnknown(name, Denial::kNotFound, kNow);
        if (i % 13 == 0) cache_.DropPassword(name);
        const auto known = cache_.FindKnown(name);
        if (known && known->location) {
          EXPECT_EQ(known->location->user, name);
        }
      }
      cache_.moves().Unsubscribe(mine);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace gatehouse
