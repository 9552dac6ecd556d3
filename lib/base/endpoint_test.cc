#include "lib/base/endpoint.h"

#include <gtest/gtest.h>

#include <string>

namespace gatehouse {
namespace {

TEST(EndpointTest, ReadsWhatADirectoryMaySay) {
  const struct {
    const char* text;
    const char* host;
    int port;
  } kCases[] = {
      {"store1.example.com", "store1.example.com", 0},
      {"store1.example.com.", "store1.example.com.", 0},
      {"store1:1143", "store1", 1143},
      {"127.0.0.1", "127.0.0.1", 0},
      {"127.0.0.1:65535", "127.0.0.1", 65535},
      {"[::1]:143", "::1", 143},
      {"[2001:db8::1]", "2001:db8::1", 0},
      {"2001:db8::1", "2001:db8::1", 0},
      {"mail_host-1", "mail_host-1", 0},
  };
  for (const auto& c : kCases) {
    const auto endpoint = Endpoint::Parse(c.text);
    ASSERT_TRUE(endpoint) << c.text;
    EXPECT_EQ(endpoint->host, c.host);
    EXPECT_EQ(endpoint->port, c.port);
  }
}

TEST(EndpointTest, RefusesWhatIsNoHost) {
  const std::string kCases[] = {
      "",
      "host:0",
      "host:65536",
      "host:-1",
      "host:",
      "host:143abc",
      "host/..",
      "host\r\nX",
      "host name",
      "[::1",
      "[::1]x",
      "[host]:1",
      "0177.1",
      "127.1",
      "1",
      "0x7f.1",
      "a..b",
      "-a.example",
      "a-.example",
      "host:1:2",
      ".",
      "bücher.example",
      std::string("a\0b", 3),
      std::string("127.0.0.1\0x", 11),
      std::string("[::1\0x]:143", 11),
      std::string(300, 'a'),
      std::string(64, 'a') + ".example",
  };
  for (const std::string& text : kCases) {
    EXPECT_FALSE(Endpoint::Parse(text)) << text;
  }
}

TEST(EndpointTest, WritesWhatItReads) {
  for (const char* text : {"a.example:1", "a.example", "[::1]:2", "[::1]"}) {
    EXPECT_EQ(Endpoint::Parse(text)->ToString(), text);
  }
}

TEST(SocketAddressTest, KnowsLoopbackInEveryForm) {
  for (const char* text :
       {"127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"}) {
    EXPECT_TRUE(SocketAddress::Parse(text, 1)->IsLoopback()) << text;
  }
  for (const char* text : {"128.0.0.1", "0.0.0.0", "::", "::2", "10.0.0.1"}) {
    EXPECT_FALSE(SocketAddress::Parse(text, 1)->IsLoopback()) << text;
  }
  EXPECT_FALSE(SocketAddress().IsLoopback());
}

TEST(CidrTest, ContainsItsBlockOnly) {
  const struct {
    const char* block;
    const char* address;
    bool inside;
  } kCases[] = {
      {"10.0.0.0/8", "10.255.0.1", true},
      {"10.0.0.0/8", "11.0.0.1", false},
      {"10.0.0.0/8", "::ffff:10.1.1.1", true},
      {"192.0.2.128/25", "192.0.2.127", false},
      {"192.0.2.128/25", "192.0.2.129", true},
      {"0.0.0.0/0", "1.2.3.4", true},
      {"0.0.0.0/0", "::1", false},
      {"2001:db8::/33", "2001:db8:8000::1", false},
      {"2001:db8::/33", "2001:db8:7fff::1", true},
      {"192.0.2.1", "192.0.2.1", true},
      {"192.0.2.1", "192.0.2.2", false},
  };
  for (const auto& c : kCases) {
    const auto block = Cidr::Parse(c.block);
    ASSERT_TRUE(block) << c.block;
    EXPECT_EQ(block->Contains(*SocketAddress::Parse(c.address, 0)), c.inside)
        << c.block << " " << c.address;
  }
  for (const char* text : {"10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10/8",
                           "::/129", "host/8", "10.0.0.0/8x", ""}) {
    EXPECT_FALSE(Cidr::Parse(text)) << text;
  }
}

}  // namespace
}  // namespace gatehouse
