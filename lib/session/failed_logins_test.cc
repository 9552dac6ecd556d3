#include "lib/session/failed_logins.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace gatehouse {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);

SocketAddress At(const std::string& address) {
  return *SocketAddress::Parse(address, 4444);
}

TEST(FailedLoginsTest, CountsAnAddressWhateverItsNames) {
  FailedLogins failed;
  EXPECT_EQ(failed.Note(At("192.0.2.1"), "a", kNow), 1);
  EXPECT_EQ(failed.Note(At("192.0.2.1"), "b", kNow), 2);
  EXPECT_EQ(failed.Note(At("192.0.2.1"), "", kNow), 3);
  EXPECT_EQ(failed.OfAddress(At("192.0.2.1"), kNow), 3);
  EXPECT_EQ(failed.OfAddress(At("192.0.2.2"), kNow), 0);
}

TEST(FailedLoginsTest, CountsANameFromWhatAddressEver) {
  FailedLogins failed;
  EXPECT_EQ(failed.Note(At("192.0.2.1"), "alice@example.com", kNow), 1);
  EXPECT_EQ(failed.Note(At("192.0.2.2"), "Alice@Example.COM", kNow), 2);
  EXPECT_EQ(failed.Note(SocketAddress(), "alice@example.com", kNow), 3);
  EXPECT_EQ(failed.Note(At("192.0.2.3"), "bob@example.com", kNow), 1);
}

TEST(FailedLoginsTest, TakesAnIpv6NetworkForOneClient) {
  FailedLogins failed;
  failed.Note(At("2001:db8:1:2::1"), "", kNow);
  EXPECT_EQ(failed.Note(At("2001:db8:1:2:ffff::9"), "", kNow), 2);
  EXPECT_EQ(failed.Note(At("2001:db8:1:3::1"), "", kNow), 1);
}

TEST(FailedLoginsTest, KeepsANameApartFromAnAddressThatIsWrittenAlike) {
  FailedLogins failed;
  failed.Note(At("192.0.2.1"), "", kNow);
  EXPECT_EQ(failed.Note(SocketAddress(), "192.0.2.1", kNow), 1);
}

TEST(FailedLoginsTest, ForgetsOneAfterTheOther) {
  FailedLogins failed;
  const SocketAddress peer = At("192.0.2.1");
  for (int i = 0; i < 3; ++i) failed.Note(peer, "", kNow);
  EXPECT_EQ(failed.OfAddress(peer, kNow + absl::Seconds(59)), 3);
  EXPECT_EQ(failed.OfAddress(peer, kNow + absl::Seconds(60)), 2);
  EXPECT_EQ(failed.OfAddress(peer, kNow + absl::Seconds(179)), 1);
  EXPECT_EQ(failed.OfAddress(peer, kNow + absl::Seconds(180)), 0);
  EXPECT_EQ(failed.Note(peer, "", kNow + absl::Hours(1)), 1);
}

TEST(FailedLoginsTest, ForgetsEvenAnEndlessAttackWithinHours) {
  FailedLogins failed;
  for (int i = 0; i < 10'000; ++i) failed.Note(SocketAddress(), "bob", kNow);
  EXPECT_EQ(failed.Note(SocketAddress(), "bob", kNow),
            FailedLogins::kMostCounted);
  const absl::Time later =
      kNow + FailedLogins::kMostCounted * FailedLogins::kForgetOne;
  EXPECT_EQ(failed.Note(SocketAddress(), "bob", later), 1);
}

TEST(FailedLoginsTest, NamesTriedOnceDontDisplaceTheOneUnderAttack) {
  FailedLogins failed;
  for (int i = 0; i < 10; ++i) failed.Note(SocketAddress(), "bob", kNow);
  const size_t bytes = failed.bytes();
  for (int i = 0; i < 500'000; ++i) {
    failed.Note(SocketAddress(), std::to_string(i), kNow);
  }
  EXPECT_EQ(failed.Note(SocketAddress(), "bob", kNow), 11);
  EXPECT_EQ(failed.bytes(), bytes);
  EXPECT_LE(bytes, size_t{1} << 20);
}

TEST(FailedLoginsTest, LosesNoFailureBetweenThreads) {
  FailedLogins failed;
  failed.Note(At("192.0.2.1"), "", kNow);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&failed, i] {
      for (int j = 0; j < 50; ++j) {
        failed.Note(At("192.0.2.1"), std::to_string(i * 50 + j), kNow);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failed.OfAddress(At("192.0.2.1"), kNow), 201);
}

}  // namespace
}  // namespace gatehouse
