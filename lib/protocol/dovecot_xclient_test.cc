#include "lib/protocol/dovecot_xclient.h"

#include <gtest/gtest.h>

#include <string>

namespace gatehouse {
namespace {

ClientFacts Client(std::string_view address, const std::string& session_id) {
  ClientFacts facts;
  facts.client = *SocketAddress::Parse(address, 1234);
  facts.session_id = session_id;
  return facts;
}

TEST(DovecotXclientTest, SaysAddressPortSessionAndHops) {
  EXPECT_EQ(DovecotXclient(Client("192.0.2.1", "abc1"), 4),
            "XCLIENT ADDR=192.0.2.1 PORT=1234 SESSION=abc1 TTL=4");
  EXPECT_EQ(DovecotXclient(Client("2001:db8::1", "abc1"), 4),
            "XCLIENT ADDR=2001:db8::1 PORT=1234 SESSION=abc1 TTL=4");
}

TEST(DovecotXclientTest, MappedAddressIsSaidAsIpv4) {
  EXPECT_EQ(DovecotXclient(Client("::ffff:192.0.2.1", "a"), 4),
            "XCLIENT ADDR=192.0.2.1 PORT=1234 SESSION=a TTL=4");
}

TEST(DovecotXclientTest, LeavesOutWhatCouldBeReadAsMore) {
  for (const std::string& id :
       {std::string("a ADDR=10.0.0.1"), std::string("a\r\nQUIT"),
        std::string("a=b"), std::string(65, 'a'), std::string()}) {
    EXPECT_EQ(DovecotXclient(Client("192.0.2.1", id), 4),
              "XCLIENT ADDR=192.0.2.1 PORT=1234 TTL=4");
  }
  EXPECT_EQ(DovecotXclient(ClientFacts(), 1), "XCLIENT TTL=1");
}

}  // namespace
}  // namespace gatehouse
