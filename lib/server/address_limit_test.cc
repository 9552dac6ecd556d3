#include "lib/server/address_limit.h"

#include <gtest/gtest.h>

namespace gatehouse {
namespace {

SocketAddress At(const char* address) {
  return *SocketAddress::Parse(address, 1);
}

TEST(AddressLimitTest, CountsEachAddressByItself) {
  AddressLimit limit;
  EXPECT_TRUE(limit.Enter(At("192.0.2.1"), 2));
  EXPECT_TRUE(limit.Enter(At("192.0.2.1"), 2));
  EXPECT_FALSE(limit.Enter(At("192.0.2.1"), 2));
  EXPECT_TRUE(limit.Enter(At("192.0.2.2"), 2));
  limit.Leave(At("192.0.2.1"));
  EXPECT_TRUE(limit.Enter(At("192.0.2.1"), 2));
}

TEST(AddressLimitTest, TakesAnIpv6NetworkForOneAddress) {
  AddressLimit limit;
  EXPECT_TRUE(limit.Enter(At("2001:db8:1:2::1"), 1));
  EXPECT_FALSE(limit.Enter(At("2001:db8:1:2:ffff::9"), 1));
  EXPECT_TRUE(limit.Enter(At("2001:db8:1:3::1"), 1));
  limit.Leave(At("2001:db8:1:2:1234::1"));
  EXPECT_TRUE(limit.Enter(At("2001:db8:1:2::2"), 1));
}

}  // namespace
}  // namespace gatehouse
