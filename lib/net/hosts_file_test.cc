#include "lib/net/hosts_file.h"

#include "gtest/gtest.h"

namespace gatehouse {
namespace {

constexpr char kHosts[] =
    "127.0.0.1\tlocalhost # store9\n"
    "#10.0.0.1 store1\n"
    "10.0.0.2   store1.example.com store1\n"
    "fe80::1%eth0 store1\n"
    "nonsense store1\n"
    "\n"
    "2001:db8::5 Store1 other";

TEST(HostsFileTest, FindsEachAddressOfAName) {
  const auto found = AddressesInHosts(kHosts, "STORE1");
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].AddressText(), "10.0.0.2");
  EXPECT_EQ(found[1].AddressText(), "2001:db8::5");
}

TEST(HostsFileTest, CommentsAndPartsOfNamesDoNotCount) {
  EXPECT_TRUE(AddressesInHosts(kHosts, "store9").empty());
  EXPECT_TRUE(AddressesInHosts(kHosts, "store").empty());
  EXPECT_TRUE(AddressesInHosts(kHosts, "").empty());
}

}  // namespace
}  // namespace gatehouse
