#include "lib/session/upstream_connector.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "lib/testing/fake_network.h"

namespace gatehouse {
namespace {

const SocketAddress kStore = *SocketAddress::Parse("10.0.0.1", 143);

class SourceAddressTest : public testing::Test {
 protected:
  SourceAddressTest() {
    for (const char* text : {"192.0.2.1", "2001:db8::1", "192.0.2.2"}) {
      settings_.source_addresses.push_back(*SocketAddress::Parse(text, 0));
    }
    network_.ScriptConnect(kStore, FakeNetwork::ConnectScript::kAccept);
  }

  // The address that the connection comes from, or the failure's text.
  std::string Connect() {
    std::optional<UpstreamConnected> result;
    auto connecting = ConnectUpstream(
        network_, settings_, Endpoint{"10.0.0.1", 143},
        [&](UpstreamConnected connected) { result = std::move(connected); });
    network_.RunUntilIdle();
    if (!result) return "nothing";
    if (auto* failure = std::get_if<Failure>(&*result)) return failure->text;
    return std::get<std::unique_ptr<Stream>>(*result)->local().AddressText();
  }

  FakeNetwork network_;
  UpstreamSettings settings_;
};

TEST_F(SourceAddressTest, AreTakenInTurnWithinTheStoresFamily) {
  std::vector<std::string> sources;
  for (int i = 0; i < 4; ++i) sources.push_back(Connect());
  EXPECT_EQ(sources, (std::vector<std::string>{"192.0.2.1", "192.0.2.2",
                                               "192.0.2.1", "192.0.2.2"}));
}

TEST_F(SourceAddressTest, OneWithoutAPortLeftIsPassedOver) {
  network_.ExhaustSource(settings_.source_addresses[0]);
  EXPECT_EQ(Connect(), "192.0.2.2");
  EXPECT_EQ(Connect(), "192.0.2.2");
}

TEST_F(SourceAddressTest, WithoutAPortLeftAnywhereTheFailureSaysSo) {
  for (const SocketAddress& source : settings_.source_addresses) {
    network_.ExhaustSource(source);
  }
  EXPECT_EQ(Connect(),
            "10.0.0.1:143: connect to 10.0.0.1:143: Cannot assign requested "
            "address");
}

TEST_F(SourceAddressTest, NoneOfTheStoresFamilyLeavesTheChoiceToTheKernel) {
  settings_.source_addresses = {*SocketAddress::Parse("2001:db8::1", 0)};
  EXPECT_EQ(Connect(), SocketAddress().AddressText());
}

}  // namespace
}  // namespace gatehouse
