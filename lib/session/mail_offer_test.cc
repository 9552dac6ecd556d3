#include "lib/session/mail_offer.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/protocol/smtp/smtp_protocol.h"

namespace gatehouse {
namespace {

using Lines = std::vector<std::string>;
using ::testing::ElementsAre;
using ::testing::Pointee;

class MailOfferTest : public testing::Test {
 protected:
  static std::shared_ptr<const MailRelay> Relay(
      std::shared_ptr<const Lines> offers) {
    auto relay = std::make_shared<MailRelay>();
    relay->protocol = &SmtpProtocol();
    relay->capabilities = std::make_shared<CapabilitiesView>(
        std::make_shared<LearnedCapabilities>(std::move(offers)));
    return relay;
  }
  static std::shared_ptr<const Lines> Offers(Lines lines) {
    return std::make_shared<const Lines>(std::move(lines));
  }

  const std::shared_ptr<const Lines> stores_ =
      Offers({"8BITMIME", "SMTPUTF8", "DSN", "SIZE 1000"});
  MailSettings mail_;
};

TEST_F(MailOfferTest, IsTheStoresWhereNoRelayIsKnown) {
  EXPECT_EQ(OfferedByRelaysToo(stores_, mail_, MailRole::kSubmission), stores_);
  mail_.fallback_relay = Relay(nullptr);
  EXPECT_EQ(OfferedByRelaysToo(stores_, mail_, MailRole::kInbound), stores_);
  auto fixed = std::make_shared<MailRelay>();  // nothing of it is learned
  mail_.fallback_relay = fixed;
  EXPECT_EQ(OfferedByRelaysToo(stores_, mail_, MailRole::kInbound), stores_);
  mail_.fallback_relay = Relay(Offers({"DSN"}));
  EXPECT_EQ(OfferedByRelaysToo(nullptr, mail_, MailRole::kInbound), nullptr);
}

TEST_F(MailOfferTest, IsWhatEachRelayThatMayGetTheMessageOffers) {
  mail_.fallback_relay = Relay(Offers({"8BITMIME", "DSN", "SIZE 500"}));
  mail_.relay_host = Relay(Offers({"8BITMIME", "SMTPUTF8", "SIZE 700"}));
  EXPECT_THAT(OfferedByRelaysToo(stores_, mail_, MailRole::kInbound),
              Pointee(ElementsAre("8BITMIME", "DSN", "SIZE 500")));
  EXPECT_THAT(OfferedByRelaysToo(stores_, mail_, MailRole::kSubmission),
              Pointee(ElementsAre("8BITMIME", "SIZE 500")));
}

}  // namespace
}  // namespace gatehouse
