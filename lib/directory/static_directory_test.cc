#include "lib/directory/static_directory.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "lib/testing/fake_network.h"

namespace gatehouse {
namespace {

// crypt(3) of "secret" by MD5: quick, for tests.
constexpr char kSecretHash[] = "$1$salt$ez2vlPGdaLYkJam5pWs/Y1";

class StaticDirectoryTest : public testing::Test {
 protected:
  StaticDirectoryTest() {
    auto map = std::make_shared<LocalMap>();
    const auto at = [&](const char* host, uint16_t port) {
      Location location;
      location.host = Endpoint{host, port};
      return map->Keep(std::move(location));
    };
    EXPECT_TRUE(map->Add("Alice@Example.com", {"alice@example.com", kSecretHash,
                                               at("127.0.0.1", 10143)}));
    EXPECT_TRUE(
        map->Add("@example.org", {"", "", at("store2.example.com", 0)}));
    EXPECT_TRUE(map->Add("locked@example.com",
                         {"locked@example.com", "", map->Keep(Location())}));
    directory_ = std::make_unique<StaticDirectory>(
        network_, std::make_shared<CurrentLocalMap>(std::move(map)));
  }

  std::optional<Account> Authenticate(std::string_view name,
                                      std::string_view password) {
    std::optional<AuthenticateResult> got;
    const auto operation = directory_->Authenticate(
        name, Secret(password),
        [&](AuthenticateResult result) { got = std::move(result); });
    EXPECT_FALSE(got) << "answered inside the call";
    network_.RunUntilIdle();
    if (const auto* denial = std::get_if<Denial>(&*got)) denial_ = *denial;
    const Account* account = std::get_if<Account>(&*got);
    return account == nullptr ? std::nullopt : std::optional(*account);
  }

  LocateResult Locate(std::string_view name) {
    std::optional<LocateResult> got;
    const auto operation = directory_->Locate(
        name, [&](LocateResult result) { got = std::move(result); });
    network_.RunUntilIdle();
    return *got;
  }

  FakeNetwork network_;
  std::unique_ptr<StaticDirectory> directory_;
  std::optional<Denial> denial_;  // the last
};

TEST_F(StaticDirectoryTest, NamesEachHostOnce) {
  LocalMap map;
  for (const char* host : {"store1", "store2", "store1"}) {
    Location location;
    location.host = Endpoint{host, 0};
    map.Keep(std::move(location));
  }
  map.Keep(Location());
  EXPECT_EQ(map.hosts().size(), 2u);
  for (size_t i = 0; i < 2 * LocalMap::kMostHosts; ++i) {
    Location location;
    location.host = Endpoint{"host" + std::to_string(i), 0};
    map.Keep(std::move(location));
  }
  EXPECT_EQ(map.hosts().size(), LocalMap::kMostHosts);
  EXPECT_EQ(directory_->SampleLocations(9).size(), 2u);
  EXPECT_EQ(directory_->SampleLocations(1).front().host->host, "127.0.0.1");
}

TEST_F(StaticDirectoryTest, GivesTheCanonicalNameAndTheHost) {
  const auto account = Authenticate("ALICE@example.com", "secret");
  ASSERT_TRUE(account);
  EXPECT_EQ(account->user, "alice@example.com");
  EXPECT_EQ(account->location->host, (Endpoint{"127.0.0.1", 10143}));
}

TEST_F(StaticDirectoryTest, RefusesWhatIsNotThePassword) {
  for (const std::string& password :
       {std::string("wrong"), std::string("Secret"), std::string(),
        std::string("secret\0x", 8), std::string("\0secret", 7),
        std::string("secret ")}) {
    EXPECT_FALSE(Authenticate("alice@example.com", password)) << password;
  }
}

TEST_F(StaticDirectoryTest, TellsWrongPasswordsFromStrangers) {
  Authenticate("alice@example.com", "wrong");
  EXPECT_EQ(denial_, Denial::kWrongPassword);
  Authenticate("nobody@example.com", "secret");
  EXPECT_EQ(denial_, Denial::kNotFound);
}

TEST_F(StaticDirectoryTest, LetsNobodyInWithoutAHash) {
  EXPECT_FALSE(Authenticate("locked@example.com", "secret"));
  EXPECT_FALSE(Authenticate("locked@example.com", "*"));
  EXPECT_EQ(denial_, Denial::kWrongPassword);
  EXPECT_FALSE(Authenticate("nobody@example.com", "secret"));
  EXPECT_FALSE(Authenticate("@example.org", "secret"));
}

TEST_F(StaticDirectoryTest, LocatesByDomainWhereTheAddressHasNoEntry) {
  const LocateResult found = Locate("somebody@Example.ORG");
  const auto& location = *std::get<SharedLocation>(found);
  EXPECT_EQ(location.user, "somebody@Example.ORG");
  EXPECT_EQ(location.host->host, "store2.example.com");
  EXPECT_EQ(std::get<Denial>(Locate("somebody@example.net")),
            Denial::kNotFound);
  EXPECT_EQ(std::get<Denial>(Locate("bare")), Denial::kNotFound);
}

TEST_F(StaticDirectoryTest, AnswersNobodyWhoHasGone) {
  bool answered = false;
  {
    const auto operation =
        directory_->Authenticate("alice@example.com", Secret("secret"),
                                 [&](AuthenticateResult) { answered = true; });
  }
  network_.RunUntilIdle();
  EXPECT_FALSE(answered);
}

}  // namespace
}  // namespace gatehouse
