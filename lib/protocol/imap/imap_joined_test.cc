// Both machines joined in memory: our upstream side logs in to our downstream
// side, which plays the store.
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "gtest/gtest.h"
#include "lib/protocol/imap/imap_protocol.h"
#include "lib/testing/joined_machines.h"

namespace gatehouse {
namespace {

UpstreamOptions Login(std::string_view user, std::string_view secret) {
  UpstreamOptions options;
  options.login.user = std::string(user);
  options.login.secret = Secret(secret);
  return options;
}

DownstreamOptions Store() {
  DownstreamOptions options;
  options.tls_active = true;
  return options;
}

// `withheld`: capabilities that the store doesn't tell.
JoinedMachines Joined(UpstreamOptions options,
                      std::vector<std::string> withheld = {}) {
  JoinedMachines joined(ImapProtocol(), std::move(options), Store());
  joined.edited = [withheld = std::move(withheld)](std::string said) {
    for (const std::string& capability : withheld) {
      const size_t at = said.find(" " + capability);
      if (at != said.npos) said.erase(at, capability.size() + 1);
    }
    return said;
  };
  return joined;
}

std::string RandomPassword(std::mt19937& random) {
  std::string password;
  const size_t size = 1 + random() % (random() % 100 == 0 ? 2000 : 60);
  while (password.size() < size) {
    const auto octet = static_cast<unsigned char>(random());
    if (octet >= 0x20 && octet != 0x7f) password += static_cast<char>(octet);
  }
  return password;
}

TEST(ImapJoinedTest, AnyPasswordArrivesOctetForOctet) {
  const struct {
    std::vector<std::string> withheld;
    std::string_view mechanism;
  } kStores[] = {
      {{}, "PLAIN"},
      {{"SASL-IR"}, "PLAIN"},
      {{"AUTH=PLAIN"}, "LOGIN"},
      {{"AUTH=PLAIN", "LITERAL-"}, "LOGIN"},
  };
  std::mt19937 random(1);
  for (int i = 0; i < 10000; ++i) {
    const auto& store = kStores[i % std::size(kStores)];
    const std::string password = RandomPassword(random);
    JoinedMachines joined =
        Joined(Login("bob@example.com", password), store.withheld);
    joined.piece = 1 + i % 64;
    const auto attempt = joined.Run();
    ASSERT_TRUE(attempt.has_value()) << i;
    EXPECT_EQ(attempt->mechanism, store.mechanism);
    EXPECT_EQ(attempt->user, "bob@example.com");
    ASSERT_EQ(attempt->secret.Reveal(), password);
  }
}

TEST(ImapJoinedTest, OddNamesAndPasswordsArriveAsTheyAre) {
  for (const std::string_view text :
       {"{5}", "x {5}", "{5+}", "\"", "\\", "\\\"", "NIL", "a b", " ", "*",
        "bob)(uid=*", "j\xc3\xb6rg", "(", "%n%s"}) {
    for (const bool plain : {true, false}) {
      JoinedMachines joined =
          Joined(Login(text, text), {plain ? "-" : "AUTH=PLAIN"});
      const auto attempt = joined.Run();
      ASSERT_TRUE(attempt.has_value()) << text;
      EXPECT_EQ(attempt->user, text);
      EXPECT_EQ(attempt->secret.Reveal(), text);
    }
  }
}

TEST(ImapJoinedTest, TheMasterUserAsksForTheAccount) {
  UpstreamOptions options = Login("bob", "m4ster");
  options.login.method = UpstreamLogin::Method::kMasterUser;
  options.login.master_user = "gate";
  const auto attempt = Joined(std::move(options)).Run();
  ASSERT_TRUE(attempt.has_value());
  EXPECT_EQ(attempt->user, "gate");
  EXPECT_EQ(attempt->authorization_id, "bob");
}

TEST(ImapJoinedTest, LeftoversOfBothSidesCrossUntouched) {
  JoinedMachines joined = Joined(Login("bob", "secret"));
  ASSERT_TRUE(joined.Run().has_value());
  joined.store->Feed("x NOOP\r\n");
  UpstreamReady ready;
  ready.capabilities = {"IMAP4rev1"};
  joined.store->LoginAccepted(ready);
  joined.upstream->Feed(joined.store->TakeOutput() + "* 5 EXISTS\r\n");
  EXPECT_TRUE(std::holds_alternative<UpstreamReady>(joined.upstream->Next()));
  EXPECT_EQ(joined.store->TakeTrailing(), "x NOOP\r\n");
  EXPECT_EQ(joined.upstream->TakeTrailing(), "* 5 EXISTS\r\n");
}

TEST(ImapJoinedTest, EachRefusalMeansTheSameOnTheOtherSide) {
  using Kind = LoginRefusal::Kind;
  const std::pair<Kind, Kind> kKinds[] = {
      {Kind::kCredentials, Kind::kCredentials},
      {Kind::kAuthorization, Kind::kAuthorization},
      {Kind::kUnavailable, Kind::kUnavailable},
      {Kind::kContactAdmin, Kind::kContactAdmin},
      {Kind::kExpired, Kind::kExpired},
      {Kind::kInUse, Kind::kInUse},
      {Kind::kLoginDelay, Kind::kUnavailable},
      {Kind::kOverQuota, Kind::kOverQuota},
      {Kind::kLimit, Kind::kLimit},
  };
  for (const auto& [said, heard] : kKinds) {
    JoinedMachines joined = Joined(Login("bob", "secret"));
    ASSERT_TRUE(joined.Run().has_value());
    LoginRefusal refusal;
    refusal.kind = said;
    joined.store->LoginRefused(refusal);
    const UpstreamEvent event = joined.HearStore();
    const auto* failed = std::get_if<UpstreamFailed>(&event);
    ASSERT_NE(failed, nullptr);
    EXPECT_EQ(failed->refusal.kind, heard) << static_cast<int>(said);
  }
}

}  // namespace
}  // namespace gatehouse
