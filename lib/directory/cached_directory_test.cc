#include "lib/directory/cached_directory.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/testing/fake_directory.h"
#include "lib/testing/fake_network.h"
#include "lib/testing/recording_log.h"

namespace gatehouse {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr char kAlice[] = "alice@example.com";
constexpr absl::Duration kTtl = absl::Minutes(1);
constexpr absl::Duration kNegativeTtl = absl::Seconds(10);
constexpr absl::Duration kStaleTtl = absl::Hours(1);
constexpr absl::Duration kPasswordTtl = absl::Seconds(30);

Location At(const std::string& host) {
  Location location;
  location.user = "Alice@example.com";
  location.host = Endpoint{host, 0};
  return location;
}

SharedLocation SharedAt(const std::string& host) {
  return std::make_shared<Location>(At(host));
}

Failure Outage() {
  return {Failure::Side::kDirectory, Failure::Kind::kUnreachable,
          Failure::Retry::kSafe, "down"};
}

Failure BadEntry() {
  return {Failure::Side::kDirectory, Failure::Kind::kConfiguration,
          Failure::Retry::kNo, "entries differ"};
}

class CachedDirectoryTest : public ::testing::Test {
 protected:
  CachedDirectoryTest() {
    options_.ttl = kTtl;
    options_.negative_ttl = kNegativeTtl;
    options_.stale_ttl = kStaleTtl;
  }

  void RememberPasswords() { options_.password_ttl = kPasswordTtl; }

  // Made at its first use, so that a test may change the options before.
  CachedDirectory& directory() {
    if (directory_ == nullptr) {
      cache_ = std::make_shared<DirectoryCache>(options_);
      directory_ = NewDirectory(behind_);
      behind_->AddUser(kAlice, "secret", At("store1"));
    }
    return *directory_;
  }

  std::unique_ptr<CachedDirectory> NewDirectory(FakeDirectory*& behind) {
    auto made = std::make_unique<FakeDirectory>(network_);
    behind = made.get();
    return std::make_unique<CachedDirectory>(network_, log_, LoginNameRules(),
                                             std::move(made), cache_);
  }

  std::string Authenticate(std::string_view password,
                           std::string_view name = kAlice) {
    std::optional<AuthenticateResult> answer;
    auto operation = directory().Authenticate(
        name, Secret(password),
        [&](AuthenticateResult result) { answer = std::move(result); });
    EXPECT_FALSE(answer.has_value()) << "answered inside the call";
    network_.RunUntilIdle();
    if (!answer) return "silent";
    if (const auto* account = std::get_if<Account>(&*answer)) {
      EXPECT_EQ(account->user, "Alice@example.com");
      return account->location ? account->location->host->host : "somewhere";
    }
    return Name(*answer);
  }

  // What is known without asking must be what is answered.
  std::string Locate(std::string_view name = kAlice) {
    const auto known = directory().LocateNow(name);
    const int asked = behind_->locations();
    std::optional<LocateResult> answer;
    auto operation = directory().Locate(
        name, [&](LocateResult result) { answer = std::move(result); });
    EXPECT_FALSE(answer.has_value()) << "answered inside the call";
    network_.RunUntilIdle();
    EXPECT_EQ(known.has_value(), behind_->locations() == asked);
    if (!answer) return "silent";
    EXPECT_EQ(Told(known.value_or(*answer)), Told(*answer));
    return Told(*answer);
  }

  static std::string Told(const LocateResult& answer) {
    if (const auto* location = std::get_if<SharedLocation>(&answer)) {
      return (*location)->host.value_or(Endpoint{"default", 0}).host;
    }
    return Name(answer);
  }

  template <typename Result>
  static std::string Name(const Result& result) {
    if (const auto* failure = std::get_if<Failure>(&result)) {
      return "failure: " + failure->text;
    }
    switch (std::get<Denial>(result)) {
      case Denial::kNotFound:
        return "not found";
      case Denial::kWrongPassword:
        return "wrong password";
      case Denial::kDisabled:
        return "disabled";
      case Denial::kExpired:
        return "expired";
    }
    return "";
  }

  FakeNetwork network_;
  RecordingLog log_;
  DirectoryCacheOptions options_;
  std::shared_ptr<DirectoryCache> cache_;
  FakeDirectory* behind_ = nullptr;
  std::unique_ptr<CachedDirectory> directory_;
};

// --- Locations ---

TEST_F(CachedDirectoryTest, AsksOnceForALocationWhileItIsYoung) {
  EXPECT_EQ(Locate(), "store1");
  network_.Advance(kTtl - absl::Seconds(1));
  EXPECT_EQ(Locate(), "store1");
  EXPECT_EQ(behind_->locations(), 1);
  network_.Advance(absl::Seconds(1));
  EXPECT_EQ(Locate(), "store1");
  EXPECT_EQ(behind_->locations(), 2);
}

TEST_F(CachedDirectoryTest, SpellingsOfOneNameShareAnAnswer) {
  EXPECT_EQ(Locate("alice@example.com"), "store1");
  EXPECT_EQ(Locate("alice@EXAMPLE.com"), "store1");
  EXPECT_EQ(behind_->locations(), 1);
}

TEST_F(CachedDirectoryTest, AsksOnceForAnUnknownNameWhileThatIsYoung) {
  EXPECT_EQ(Locate("nobody@example.com"), "not found");
  EXPECT_EQ(Locate("nobody@example.com"), "not found");
  EXPECT_EQ(behind_->locations(), 1);
  network_.Advance(kNegativeTtl);
  EXPECT_EQ(Locate("nobody@example.com"), "not found");
  EXPECT_EQ(behind_->locations(), 2);
}

TEST_F(CachedDirectoryTest, AKnownLocationOutlivesTheDirectory) {
  EXPECT_EQ(Locate(), "store1");
  behind_->set_failure(Outage());
  network_.Advance(kStaleTtl - absl::Seconds(1));
  EXPECT_EQ(Locate(), "store1");
  EXPECT_EQ(behind_->locations(), 2);
  EXPECT_THAT(log_.events(), ElementsAre("directory_stale"));
  network_.Advance(absl::Seconds(1));
  EXPECT_EQ(Locate(), "failure: down");
}

TEST_F(CachedDirectoryTest, TheLogSaysThatOldAnswersAreGivenButNotForEach) {
  EXPECT_EQ(Locate(), "store1");
  behind_->set_failure(Outage());
  network_.Advance(kTtl);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(Locate(), "store1");
  EXPECT_THAT(log_.events(), ElementsAre("directory_stale"));
  network_.Advance(absl::Minutes(1));
  EXPECT_EQ(Locate(), "store1");
  EXPECT_EQ(log_.events().size(), 2u);
}

TEST_F(CachedDirectoryTest,
       UnknownNamesHearOfAnOutageAndNotThatTheyAreUnknown) {
  EXPECT_EQ(Locate("nobody@example.com"), "not found");
  network_.Advance(kNegativeTtl);
  directory();
  behind_->set_failure(Outage());
  EXPECT_EQ(Locate("nobody@example.com"), "failure: down");
  EXPECT_EQ(Locate("new@example.com"), "failure: down");
  behind_->set_failure(std::nullopt);
  EXPECT_EQ(Locate(), "store1");
}

TEST_F(CachedDirectoryTest, EntriesThatContradictAreNoOutage) {
  EXPECT_EQ(Locate(), "store1");
  network_.Advance(kTtl);
  behind_->set_failure(BadEntry());
  EXPECT_EQ(Locate(), "failure: entries differ");
}

TEST_F(CachedDirectoryTest, AMailboxOnTheMoveIsAskedForEachTime) {
  EXPECT_EQ(Locate(), "store1");
  network_.Advance(kTtl);
  Location moving = At("store1");
  moving.moving = true;
  behind_->ScriptLocate(kAlice, moving);
  EXPECT_EQ(Locate(), "store1");
  EXPECT_EQ(Locate(), "store1");
  EXPECT_EQ(behind_->locations(), 3);
  behind_->set_failure(Outage());
  EXPECT_EQ(Locate(), "failure: down");
}

TEST_F(CachedDirectoryTest, ALoginRefreshesTheLocation) {
  EXPECT_EQ(Locate(), "store1");
  behind_->AddUser(kAlice, "secret", At("store2"));
  EXPECT_EQ(Locate(), "store1");
  EXPECT_EQ(Authenticate("secret"), "store2");
  EXPECT_EQ(Locate(), "store2");
  EXPECT_EQ(behind_->locations(), 1);
}

TEST_F(CachedDirectoryTest, NamesThatCannotBeAreLeftToTheDirectoryBehind) {
  EXPECT_EQ(Locate("\xff"), "not found");
  EXPECT_EQ(Locate("\xff"), "not found");
  EXPECT_EQ(behind_->locations(), 2);
  EXPECT_EQ(Authenticate("secret", "alice*master"), "not found");
}

TEST_F(CachedDirectoryTest, ACancelledLookupAnswersNobody) {
  directory();
  auto operation = directory().Locate(
      kAlice, [](LocateResult) { ADD_FAILURE() << "answered"; });
  operation = nullptr;
  network_.RunUntilIdle();
  EXPECT_EQ(behind_->pending(), 0);
}

// --- Moves ---

TEST_F(CachedDirectoryTest, EveryWorkerHearsOfAnotherHost) {
  directory();
  FakeDirectory* others_behind = nullptr;
  const auto other = NewDirectory(others_behind);
  std::vector<std::string> heard;
  const auto observer = [&](std::string_view user,
                            const std::optional<Endpoint>& host) {
    heard.push_back(std::string(user) + " " + (host ? host->host : "default"));
  };
  directory().set_move_observer(observer);
  other->set_move_observer(observer);
  EXPECT_EQ(Locate(), "store1");
  behind_->AddUser(kAlice, "secret", At("store2"));
  EXPECT_THAT(heard, IsEmpty());
  network_.Advance(kTtl);
  EXPECT_EQ(Locate(), "store2");
  network_.RunUntilIdle();
  EXPECT_THAT(heard, ElementsAre("Alice@example.com store2",
                                 "Alice@example.com store2"));
  heard.clear();
  Location at_default = At("store2");
  at_default.host.reset();
  behind_->AddUser(kAlice, "secret", at_default);
  network_.Advance(kTtl);
  EXPECT_EQ(Locate(), "default");
  network_.RunUntilIdle();
  EXPECT_THAT(heard, ElementsAre("Alice@example.com default",
                                 "Alice@example.com default"));
}

TEST_F(CachedDirectoryTest, AMoveMayOutliveTheDirectoryThatWouldHearOfIt) {
  directory();
  FakeDirectory* others_behind = nullptr;
  auto other = NewDirectory(others_behind);
  other->set_move_observer(
      [](std::string_view, const std::optional<Endpoint>&) {
        ADD_FAILURE() << "told a directory that has gone";
      });
  cache_->PutLocation(kAlice, SharedAt("store1"), network_.Now());
  cache_->PutLocation(kAlice, SharedAt("store2"), network_.Now());
  other = nullptr;
  network_.RunUntilIdle();
  cache_->PutLocation(kAlice, SharedAt("store3"), network_.Now());
  network_.RunUntilIdle();
}

TEST_F(CachedDirectoryTest, HandsOnTheMovesThatTheDirectoryBehindSees) {
  std::vector<std::string> heard;
  directory().set_move_observer(
      [&](std::string_view user, const std::optional<Endpoint>&) {
        heard.emplace_back(user);
      });
  behind_->Move("alice", {"store2", 0});
  EXPECT_THAT(heard, ElementsAre("alice"));
}

// --- Passwords ---

TEST_F(CachedDirectoryTest, RemembersNoPasswordUnlessToldTo) {
  EXPECT_EQ(Authenticate("secret"), "store1");
  EXPECT_EQ(Authenticate("secret"), "store1");
  EXPECT_EQ(behind_->authentications(), 2);
  behind_->set_failure(Outage());
  EXPECT_EQ(Authenticate("secret"), "failure: down");
  EXPECT_EQ(cache_->FindKnown(kAlice)->password_hash, "");
}

TEST_F(CachedDirectoryTest, AsksOnceForAPasswordWhileItIsYoung) {
  RememberPasswords();
  EXPECT_EQ(Authenticate("secret"), "store1");
  EXPECT_EQ(Authenticate("secret"), "store1");
  EXPECT_EQ(behind_->authentications(), 1);
  EXPECT_THAT(cache_->FindKnown(kAlice)->password_hash,
              Not(HasSubstr("secret")));
  network_.Advance(kPasswordTtl);
  EXPECT_EQ(Authenticate("secret"), "store1");
  EXPECT_EQ(behind_->authentications(), 2);
}

TEST_F(CachedDirectoryTest, ALocationMayHaveToBeAskedForWithoutThePassword) {
  RememberPasswords();
  options_.ttl = absl::Seconds(1);
  EXPECT_EQ(Authenticate("secret"), "store1");
  network_.Advance(absl::Seconds(2));
  behind_->ScriptLocate(kAlice, At("store2"));
  EXPECT_EQ(Authenticate("secret"), "store2");
  network_.Advance(absl::Seconds(2));
  behind_->ScriptLocate(kAlice, Denial::kDisabled);
  EXPECT_EQ(Authenticate("secret"), "disabled");
  EXPECT_EQ(behind_->authentications(), 1);
  EXPECT_FALSE(cache_->FindKnown(kAlice));
}

TEST_F(CachedDirectoryTest, AnotherPasswordIsForTheDirectoryToJudge) {
  RememberPasswords();
  EXPECT_EQ(Authenticate("secret"), "store1");
  behind_->AddUser(kAlice, "new", At("store1"));
  EXPECT_EQ(Authenticate("new"), "store1");
  EXPECT_EQ(behind_->authentications(), 2);
  EXPECT_EQ(Authenticate("new"), "store1");
  EXPECT_EQ(behind_->authentications(), 2);
  EXPECT_EQ(Authenticate("secret"), "wrong password");
}

TEST_F(CachedDirectoryTest, ForgetsAPasswordAtTheFirstRefusal) {
  RememberPasswords();
  EXPECT_EQ(Authenticate("secret"), "store1");
  EXPECT_EQ(Authenticate("wrong"), "wrong password");
  EXPECT_EQ(cache_->FindKnown(kAlice)->password_hash, "");
  EXPECT_EQ(Authenticate("secret"), "store1");
  EXPECT_EQ(behind_->authentications(), 3);
}

TEST_F(CachedDirectoryTest, ForgetsAPasswordThatTheUpstreamHasRefused) {
  RememberPasswords();
  EXPECT_EQ(Authenticate("secret"), "store1");
  directory().ForgetPassword("alice@EXAMPLE.com");
  EXPECT_EQ(Authenticate("secret"), "store1");
  EXPECT_EQ(behind_->authentications(), 2);
}

TEST_F(CachedDirectoryTest, AKnownUserLogsInWhileTheDirectoryIsAway) {
  RememberPasswords();
  EXPECT_EQ(Authenticate("secret"), "store1");
  behind_->set_failure(Outage());
  network_.Advance(kStaleTtl - absl::Seconds(1));
  EXPECT_EQ(Authenticate("secret"), "store1");
  EXPECT_THAT(log_.events(), Contains("directory_stale"));
  EXPECT_EQ(Authenticate("wrong"), "failure: down");
  EXPECT_EQ(Authenticate("secret", "other@example.com"), "failure: down");
  EXPECT_EQ(Authenticate("secret"), "store1");
  network_.Advance(absl::Seconds(1));
  EXPECT_EQ(Authenticate("secret"), "failure: down");
}

TEST_F(CachedDirectoryTest, AYoungPasswordAndAnOldLocationSurviveAnOutage) {
  RememberPasswords();
  options_.ttl = absl::ZeroDuration();
  EXPECT_EQ(Authenticate("secret"), "store1");
  behind_->set_failure(Outage());
  EXPECT_EQ(Authenticate("secret"), "store1");
  EXPECT_EQ(Authenticate("wrong"), "failure: down");
}

TEST_F(CachedDirectoryTest, NoPasswordIsGoodForEntriesThatContradict) {
  RememberPasswords();
  EXPECT_EQ(Authenticate("secret"), "store1");
  network_.Advance(kPasswordTtl);
  behind_->set_failure(BadEntry());
  EXPECT_EQ(Authenticate("secret"), "failure: entries differ");
}

TEST_F(CachedDirectoryTest, EmptyPasswordsAndOnesWithNulAreNeverRemembered) {
  RememberPasswords();
  directory();
  behind_->ScriptAuthenticate(kAlice,
                              Account{"Alice@example.com", SharedAt("s")});
  EXPECT_EQ(Authenticate(""), "s");
  EXPECT_EQ(Authenticate(std::string("secret\0x", 8)), "s");
  EXPECT_EQ(cache_->FindKnown(kAlice)->password_hash, "");
}

TEST_F(CachedDirectoryTest, ALoginMayBeCancelledAtEachOfItsWaits) {
  RememberPasswords();
  EXPECT_EQ(Authenticate("secret"), "store1");
  network_.HoldOffLoop(true);
  for (const char* password : {"secret", "wrong"}) {
    auto operation = directory().Authenticate(
        kAlice, Secret(password),
        [](AuthenticateResult) { ADD_FAILURE() << "answered"; });
    network_.RunUntilIdle();
    operation = nullptr;
  }
  network_.HoldOffLoop(false);
  network_.RunUntilIdle();
  EXPECT_EQ(behind_->pending(), 0);
}

// As with a live map behind it, which knows better.
TEST_F(CachedDirectoryTest, ADirectoryThatKnowsIsAskedForEachLocation) {
  RememberPasswords();
  options_.keep_locations = false;
  EXPECT_EQ(Authenticate("secret"), "store1");
  behind_->ScriptLocate(kAlice, At("store2"));
  EXPECT_EQ(Authenticate("secret"), "store2");
  EXPECT_EQ(behind_->authentications(), 1);
  network_.Advance(kPasswordTtl);
  behind_->ScriptAuthenticate(kAlice, Outage());
  behind_->ScriptLocate(kAlice, At("store3"));
  EXPECT_EQ(Authenticate("secret"), "store3");
  behind_->ScriptLocate("new@example.com", Denial::kNotFound);
  EXPECT_EQ(Locate("new@example.com"), "not found");
  behind_->ScriptLocate("new@example.com", At("store4"));
  EXPECT_EQ(Locate("new@example.com"), "store4");
}

}  // namespace
}  // namespace gatehouse
