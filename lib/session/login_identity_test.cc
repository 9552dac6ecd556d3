#include "lib/session/login_identity.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace gatehouse {
namespace {

const MasterLogins kNobody;
const MasterLogins kAdmin = {"*", {"admin@example.com"}};

// "user", "user by master", or the refusal.
std::string Identify(std::string_view name, const MasterLogins& masters,
                     std::string_view authorization_id = "",
                     Credentials credentials = Credentials::kPassword) {
  LoginAttempt attempt;
  attempt.credentials = credentials;
  attempt.user = name;
  attempt.authorization_id = authorization_id;
  const auto result = IdentifyLogin(attempt, {"example.com", false}, masters);
  if (const auto* kind = std::get_if<LoginRefusal::Kind>(&result)) {
    return *kind == LoginRefusal::Kind::kCredentials     ? "credentials"
           : *kind == LoginRefusal::Kind::kAuthorization ? "authorization"
                                                         : "other";
  }
  const auto& identity = std::get<LoginIdentity>(result);
  return identity.master.empty() ? identity.user
                                 : identity.user + " by " + identity.master;
}

TEST(LoginIdentityTest, NormalisesNames) {
  EXPECT_EQ(Identify("alice", kNobody), "alice@example.com");
  EXPECT_EQ(Identify("Alice@EXAMPLE.com", kNobody), "Alice@example.com");
  EXPECT_EQ(Identify("a@b@example.com", kNobody), "credentials");
}

TEST(LoginIdentityTest, RefusesAMasterSeparatorWhereNobodyIsMaster) {
  EXPECT_EQ(Identify("victim*admin", kNobody), "credentials");
  EXPECT_EQ(Identify("victim\xef\xbc\x8a"
                     "admin",
                     kNobody),
            "credentials");
  EXPECT_EQ(Identify("victim@example.com*admin@example.com", kNobody),
            "credentials");
  EXPECT_EQ(Identify("admin@example.com", kNobody, "victim"), "authorization");
}

TEST(LoginIdentityTest, TakesAnAuthorizationIdentityForOneselfInAnySpelling) {
  for (const auto* masters : {&kNobody, &kAdmin}) {
    for (const auto how : {Credentials::kPassword, Credentials::kToken,
                           Credentials::kExternal}) {
      EXPECT_EQ(Identify("alice", *masters, "alice@EXAMPLE.com", how),
                "alice@example.com");
      EXPECT_EQ(Identify("alice@Example.com", *masters, "alice", how),
                "alice@example.com");
      EXPECT_EQ(Identify("alice@other.example", *masters, "alice", how),
                "authorization");
    }
  }
}

TEST(LoginIdentityTest, LetsMastersInToOthersMailboxes) {
  EXPECT_EQ(Identify("bob@example.com*admin@example.com", kAdmin),
            "bob@example.com by admin@example.com");
  EXPECT_EQ(Identify("bob*ADMIN", kAdmin),
            "bob@example.com by ADMIN@example.com");
  EXPECT_EQ(Identify("admin", kAdmin, "bob"),
            "bob@example.com by admin@example.com");
  EXPECT_EQ(Identify("admin", kAdmin), "admin@example.com");
}

TEST(LoginIdentityTest, RefusesOthersAsMasters) {
  EXPECT_EQ(Identify("bob*alice", kAdmin), "credentials");
  EXPECT_EQ(Identify("bob*", kAdmin), "credentials");
  EXPECT_EQ(Identify("*admin", kAdmin), "credentials");
  EXPECT_EQ(Identify("bob*x*admin", kAdmin), "credentials");
  EXPECT_EQ(Identify("alice", kAdmin, "bob"), "authorization");
  EXPECT_EQ(Identify("admin", kAdmin, "bob*x"), "credentials");
}

TEST(LoginIdentityTest, TakesNoTokenOrCertificateForAMastersPassword) {
  EXPECT_EQ(Identify("bob*admin", kAdmin, "", Credentials::kToken),
            "credentials");
  EXPECT_EQ(Identify("admin", kAdmin, "bob", Credentials::kExternal),
            "authorization");
}

}  // namespace
}  // namespace gatehouse
