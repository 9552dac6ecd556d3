#include "lib/net/resolver.h"

#include <map>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/testing/fake_network.h"

namespace gatehouse {
namespace {

using ::testing::ElementsAre;

std::vector<std::string>& Lookups() {
  static std::vector<std::string> lookups;
  return lookups;
}

Network::ResolveResult LookUp(const std::string& host) {
  Lookups().push_back(host);
  if (host.starts_with("bad")) return Failure{.text = "no " + host};
  return std::vector<SocketAddress>{*SocketAddress::Parse("10.0.0.1", 0)};
}

class ResolverTest : public ::testing::Test {
 protected:
  ResolverTest() { Lookups().clear(); }

  std::unique_ptr<Operation> Ask(const std::string& host) {
    return resolver_.Resolve(host, [this](Network::ResolveResult result) {
      const Failure* failure = std::get_if<Failure>(&result);
      answers_.push_back(failure != nullptr
                             ? failure->text
                             : std::get<0>(result).front().AddressText());
    });
  }
  void AskAndWait(const std::string& host) {
    const auto question = Ask(host);
    network_.RunUntilIdle();
  }

  FakeNetwork network_;
  Resolver resolver_{&network_, LookUp};
  std::vector<std::string> answers_;
};

TEST_F(ResolverTest, AnswersAddressesWithoutALookup) {
  AskAndWait("192.0.2.7");
  EXPECT_THAT(answers_, ElementsAre("192.0.2.7"));
  EXPECT_TRUE(Lookups().empty());
}

TEST_F(ResolverTest, ManyQuestionsForANameAreOneLookup) {
  const auto first = Ask("store1");
  const auto second = Ask("store1");
  const auto other = Ask("store2");
  EXPECT_TRUE(answers_.empty());
  network_.RunUntilIdle();
  EXPECT_EQ(answers_.size(), 3u);
  EXPECT_THAT(Lookups(), ElementsAre("store1", "store2"));
}

TEST_F(ResolverTest, KeepsAnAnswerForAFewSecondsOnly) {
  AskAndWait("store1");
  AskAndWait("store1");
  EXPECT_EQ(Lookups().size(), 1u);
  network_.Advance(absl::Seconds(6));
  AskAndWait("store1");
  EXPECT_EQ(Lookups().size(), 2u);
  EXPECT_EQ(answers_.size(), 3u);
}

TEST_F(ResolverTest, KeepsAFailureForASecondOnly) {
  AskAndWait("bad");
  AskAndWait("bad");
  EXPECT_THAT(answers_, ElementsAre("no bad", "no bad"));
  EXPECT_EQ(Lookups().size(), 1u);
  network_.Advance(absl::Seconds(2));
  AskAndWait("bad");
  EXPECT_EQ(Lookups().size(), 2u);
}

TEST_F(ResolverTest, ACancelledQuestionIsSilentAndTheOthersAreAnswered) {
  auto cancelled = Ask("store1");
  const auto kept = Ask("store1");
  cancelled.reset();
  network_.RunUntilIdle();
  EXPECT_EQ(answers_.size(), 1u);
}

TEST_F(ResolverTest, AnAnswerMayCancelTheOtherQuestions) {
  std::unique_ptr<Operation> other;
  const auto first = resolver_.Resolve("store1", [&](auto) { other.reset(); });
  other = Ask("store1");
  network_.RunUntilIdle();
  EXPECT_TRUE(answers_.empty());
}

TEST_F(ResolverTest, AnAnswerMayMakeRoomByDroppingItsOwnName) {
  for (int i = 0; i < 1023; ++i) AskAndWait("store" + std::to_string(i));
  std::unique_ptr<Operation> next;
  const auto last =
      resolver_.Resolve("last", [&](auto) { next = Ask("next"); });
  network_.RunUntilIdle();
  EXPECT_EQ(answers_.size(), 1024u);
}

TEST_F(ResolverTest, NamesWithoutEndStillGetAnswers) {
  for (int i = 0; i < 5000; ++i) AskAndWait("store" + std::to_string(i));
  EXPECT_EQ(answers_.size(), 5000u);
  // The oldest has been forgotten, so memory is bounded.
  AskAndWait("store0");
  EXPECT_EQ(Lookups().size(), 5001u);
}

}  // namespace
}  // namespace gatehouse
