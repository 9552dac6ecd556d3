#include "lib/testing/fake_directory.h"

#include <optional>
#include <utility>

#include "gtest/gtest.h"
#include "lib/testing/fake_network.h"

namespace gatehouse {
namespace {

class FakeDirectoryTest : public ::testing::Test {
 protected:
  FakeDirectoryTest() {
    Location location;
    location.user = "alice";
    location.host = Endpoint{"10.0.0.1", 143};
    directory_.AddUser("alice@example.com", "secret", location);
  }

  std::optional<AuthenticateResult> Authenticate(std::string_view name,
                                                 std::string_view password) {
    std::optional<AuthenticateResult> answer;
    auto operation = directory_.Authenticate(
        name, Secret(password),
        [&](AuthenticateResult result) { answer = std::move(result); });
    EXPECT_FALSE(answer.has_value()) << "answered inside the call";
    network_.RunUntilIdle();
    return answer;
  }

  FakeNetwork network_;
  FakeDirectory directory_{network_};
};

TEST_F(FakeDirectoryTest, LetsInWhoWasWrittenDown) {
  auto answer = Authenticate("alice@example.com", "secret");
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(std::get<Account>(*answer).user, "alice");
  EXPECT_EQ(std::get<Account>(*answer).location->host->port, 143);
}

TEST_F(FakeDirectoryTest, TellsWrongPasswordsFromStrangers) {
  EXPECT_EQ(std::get<Denial>(*Authenticate("alice@example.com", "wrong")),
            Denial::kWrongPassword);
  EXPECT_EQ(std::get<Denial>(*Authenticate("bob@example.com", "secret")),
            Denial::kNotFound);
}

TEST_F(FakeDirectoryTest, HangsWhenSilent) {
  directory_.set_silent(true);
  auto operation = directory_.Locate("alice@example.com", [](LocateResult) {
    ADD_FAILURE() << "a silent directory answered";
  });
  network_.RunUntilIdle();
  EXPECT_EQ(directory_.pending(), 1);
  operation.reset();
  EXPECT_EQ(directory_.pending(), 0);
  EXPECT_EQ(directory_.locations(), 1);
}

TEST_F(FakeDirectoryTest, AnswersACancelledQuestionNowhere) {
  auto operation = directory_.Locate("alice@example.com", [](LocateResult) {
    ADD_FAILURE() << "a cancelled question was answered";
  });
  operation.reset();
  network_.RunUntilIdle();
}

}  // namespace
}  // namespace gatehouse
