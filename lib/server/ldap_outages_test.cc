#include "lib/server/ldap_outages.h"

#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "lib/testing/recording_log.h"

namespace gatehouse {
namespace {

constexpr char kUrl[] = "ldap://ldap1.example.com";

class LdapOutagesTest : public testing::Test {
 protected:
  std::unique_ptr<LdapReplicaLog> Worker() {
    return std::make_unique<LdapReplicaLog>(log_, "LDAP_Master", outages_);
  }
  void Lose(LdapReplicaLog& worker, const std::string& url = kUrl) {
    worker.OnReplicaLost(
        url, {Failure::Side::kDirectory, Failure::Kind::kUnreachable,
              Failure::Retry::kSafe, "Connection refused"});
  }
  // Since the last call.
  std::vector<std::string> Events() {
    const std::vector<std::string> events(log_.events().begin() + told_,
                                          log_.events().end());
    told_ = static_cast<int>(log_.events().size());
    return events;
  }

  const std::vector<std::string> lost_{"ldap_replica_lost"};
  const std::vector<std::string> recovered_{"ldap_replica_recovered"};
  const std::vector<std::string> nothing_;
  RecordingLog log_;
  int told_ = 0;
  std::shared_ptr<LdapOutages> outages_ = std::make_shared<LdapOutages>();
};

TEST_F(LdapOutagesTest, TellsALossWithItsReason) {
  const auto worker = Worker();
  Lose(*worker);
  EXPECT_EQ(Events(), lost_);
  EXPECT_EQ(log_.text(),
            "connector=LDAP_Master\nurl=ldap://ldap1.example.com\n"
            "kind=unreachable\ndetail=Connection refused\n");
}

TEST_F(LdapOutagesTest, TellsOnceWhatAllWorkersSee) {
  const auto first = Worker();
  const auto second = Worker();
  first->OnReplicaWell(kUrl);
  EXPECT_EQ(Events(), nothing_) << "it was well all the time";
  Lose(*first);
  EXPECT_EQ(Events(), lost_);
  Lose(*second);
  second->OnReplicaWell(kUrl);
  EXPECT_EQ(Events(), nothing_) << "the first has it lost still";
  first->OnReplicaWell(kUrl);
  EXPECT_EQ(Events(), recovered_);
  Lose(*second);
  EXPECT_EQ(Events(), lost_) << "another outage";
}

TEST_F(LdapOutagesTest, TellsOfEachReplica) {
  const auto worker = Worker();
  Lose(*worker);
  Lose(*worker, "ldap://ldap2.example.com");
  EXPECT_EQ(Events().size(), 2u);
  worker->OnReplicaWell(kUrl);
  EXPECT_EQ(Events(), recovered_);
}

TEST_F(LdapOutagesTest, AReloadMakesNoOutageAnother) {
  auto before = Worker();
  Lose(*before);
  EXPECT_EQ(Events(), lost_);
  const auto after = Worker();
  before.reset();
  Lose(*after);
  EXPECT_EQ(Events(), nothing_);
  after->OnReplicaWell(kUrl);
  EXPECT_EQ(Events(), recovered_);
}

TEST_F(LdapOutagesTest, WhoComesLaterTellsThatItIsOver) {
  auto before = Worker();
  Lose(*before);
  EXPECT_EQ(Events(), lost_);
  before.reset();
  Worker()->OnReplicaWell(kUrl);
  EXPECT_EQ(Events(), recovered_);
}

TEST_F(LdapOutagesTest, TellsOnceOfAReferralThatIsRefused) {
  const auto first = Worker();
  const auto second = Worker();
  first->OnReferralRefused("other.example.com:389");
  second->OnReferralRefused("other.example.com:389");
  EXPECT_EQ(Events(), std::vector<std::string>{"ldap_referral_refused"});
  EXPECT_NE(log_.text().find("host=other.example.com:389\n"),
            std::string::npos);
  for (int i = 0; i < 1000; ++i) {
    first->OnReferralRefused("host" + std::to_string(i));
  }
  EXPECT_EQ(Events().size(), 99u) << "an answer may name any number of hosts";
}

}  // namespace
}  // namespace gatehouse
