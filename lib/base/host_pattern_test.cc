#include "lib/base/host_pattern.h"

#include <gtest/gtest.h>

namespace gatehouse {
namespace {

TEST(HostPatternTest, MatchesNamesAndAddressesAsTheyAreWritten) {
  const struct {
    const char* pattern;
    const char* host;
    bool matches;
  } kCases[] = {
      {"store1.example.com", "store1.example.com", true},
      {"store1.example.com", "STORE1.Example.com.", true},
      {"store1.example.com.", "store1.example.com", true},
      {"store1.example.com", "xstore1.example.com", false},
      {"store1.example.com", "10.0.0.1", false},
      {".example.com", "store1.EXAMPLE.com", true},
      {".example.com", "a.b.example.com.", true},
      {".example.com", "example.com", false},
      {".example.com", "evilexample.com", false},
      {"10.0.0.0/8", "10.1.2.3", true},
      {"10.0.0.0/8", "11.1.2.3", false},
      {"10.0.0.0/8", "store1.example.com", false},
      {"10.0.0.1", "10.0.0.1", true},
      {"10.0.0.1", "10.0.0.2", false},
      {"2001:db8::/32", "2001:db8::1", true},
  };
  for (const auto& c : kCases) {
    const auto pattern = HostPattern::Parse(c.pattern);
    ASSERT_TRUE(pattern) << c.pattern;
    EXPECT_EQ(pattern->Matches(c.host), c.matches)
        << c.pattern << " " << c.host;
  }
}

TEST(HostPatternTest, KnowsWhatIsThisMachineAlone) {
  for (const char* text : {"127.0.0.1", "127.0.0.0/8", "::1", "localhost",
                           "LocalHost.", "::ffff:127.0.0.1"}) {
    EXPECT_TRUE(HostPattern::Parse(text)->IsLoopback()) << text;
  }
  for (const char* text : {"126.0.0.0/7", "127.0.0.1/0", "::1/127", "::/0",
                           "10.0.0.1", ".localhost", "localhost.example.com"}) {
    EXPECT_FALSE(HostPattern::Parse(text)->IsLoopback()) << text;
  }
}

TEST(HostPatternTest, RefusesWhatIsNoHost) {
  for (const char* text : {"", ".", "..a", "a b", "store1:143", "[::1]",
                           "10.0.0.0/33", "*.example.com"}) {
    EXPECT_FALSE(HostPattern::Parse(text)) << text;
  }
}

}  // namespace
}  // namespace gatehouse
