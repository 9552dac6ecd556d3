#include <gtest/gtest.h>

#include "lib/session/login_fixture.h"

namespace gatehouse {
namespace {

// A fault at every step of a login.

enum class Step {
  kGreeted,
  kAuthenticating,
  kConnecting,
  kGreeting,
  kUpstreamTls,
  kUpstreamLogin
};
constexpr Step kSteps[] = {Step::kGreeted,     Step::kAuthenticating,
                           Step::kConnecting,  Step::kGreeting,
                           Step::kUpstreamTls, Step::kUpstreamLogin};

// Brings a login to the point where it waits for the step's answer.
class LoginStepTest : public LoginTest,
                      public testing::WithParamInterface<Step> {
 protected:
  void Reach(Step step) {
    settings_.upstream.tls = TlsMode::kStartTls;
    store_greets_ = step > Step::kGreeting;
    if (step == Step::kUpstreamTls) {
      before_greeting_ = [](FakePeer& peer) {
        peer.ScriptTls(FakePeer::TlsScript::kStall);
      };
    }
    if (step == Step::kAuthenticating) {
      directory_->mood = OneUserDirectory::Mood::kSilent;
    }
    if (step == Step::kConnecting) {
      network_.ScriptConnect(kStore, FakeNetwork::ConnectScript::kStall);
    }
    Begin();
    client_->TakeSent();
    if (step == Step::kGreeted) return;
    Say("LOGIN alice secret\n");
    if (step >= Step::kUpstreamTls) StoreSays("OK\n");
  }
};

TEST_P(LoginStepTest, EndsWhenTheClientGoesAway) {
  Reach(GetParam());
  client_->DeliverEof();
  network_.RunUntilIdle();
  EXPECT_TRUE(ended());
  EXPECT_EQ(record_.end, "eof");
  EXPECT_EQ(network_.timers(), 0u);
  for (const auto& peer : network_.connected()) {
    EXPECT_NE(peer->end(), FakePeer::End::kOpen);
  }
}

TEST_P(LoginStepTest, EndsWhenTheClientResets) {
  Reach(GetParam());
  client_->DeliverFailure({Failure::Side::kDownstream, Failure::Kind::kReset,
                           Failure::Retry::kNo, "reset"});
  network_.RunUntilIdle();
  EXPECT_TRUE(ended());
  EXPECT_EQ(record_.end, "reset");
  EXPECT_EQ(network_.timers(), 0u);
}

TEST_P(LoginStepTest, EndsByItsDeadlineWhenTheStepStalls) {
  settings_.upstream.connect_timeout = absl::Hours(1);
  settings_.upstream.login_timeout = absl::Hours(1);
  Reach(GetParam());
  network_.Advance(settings_.login_timeout);
  EXPECT_TRUE(ended());
  EXPECT_EQ(client_->Sent(), "BYE timeout\n");
  EXPECT_EQ(network_.timers(), 0u);
}

TEST_P(LoginStepTest, SaysGoodByeWhenDrainedInTheMiddle) {
  Reach(GetParam());
  login_->Shutdown(DownstreamMachine::ShutdownReason::kDraining);
  network_.RunUntilIdle();
  EXPECT_TRUE(ended());
  EXPECT_EQ(client_->Sent(), "BYE draining\n");
}

TEST_P(LoginStepTest, LeavesNothingBehindWhenDestroyed) {
  Reach(GetParam());
  login_.reset();
  network_.RunUntilIdle();
  EXPECT_FALSE(outcome_);
  EXPECT_EQ(network_.timers(), 0u);
  EXPECT_EQ(client_->end(), FakePeer::End::kDropped);
}

TEST_P(LoginStepTest, AnswersUnavailableWhenTheStoreIsCut) {
  if (GetParam() < Step::kGreeting) {
    // No store is there to be cut: it refuses the connection instead.
    network_.ScriptConnect(kStore, FakeNetwork::ConnectScript::kRefuse);
    Begin();
    client_->TakeSent();
    Say("LOGIN alice secret\n");
  } else {
    Reach(GetParam());
    store().DeliverFailure({Failure::Side::kUpstream, Failure::Kind::kReset,
                            Failure::Retry::kNo, "reset"});
    network_.RunUntilIdle();
  }
  network_.Advance(absl::ZeroDuration());
  EXPECT_EQ(client_->Sent(), "NO unavailable\n");
  EXPECT_EQ(log_.events(), std::vector<std::string>{"upstream_failure"});
  EXPECT_EQ(log_.text().find("secret"), std::string::npos);
  EXPECT_FALSE(outcome_) << "the session goes on";
}

TEST_P(LoginStepTest, AnswersUnavailableWhenTheStoreStalls) {
  if (GetParam() < Step::kConnecting) return Reach(GetParam());
  Reach(GetParam());
  network_.Advance(settings_.upstream.connect_timeout +
                   settings_.upstream.login_timeout);
  EXPECT_EQ(client_->Sent(), "NO unavailable\n");
}

INSTANTIATE_TEST_SUITE_P(EveryStep, LoginStepTest, testing::ValuesIn(kSteps));

}  // namespace
}  // namespace gatehouse
