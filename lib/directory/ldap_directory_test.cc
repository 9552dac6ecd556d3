// Against a real slapd: what a client's name and password can and can't do.

#include "lib/directory/ldap_directory.h"

#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/net/loop_test_kit.h"
#include "lib/testing/real_slapd.h"

namespace gatehouse {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

std::string People() {
  return MailEntry("alice", "Alice@example.com", "secret",
                   "mailLocalAddress: alice@example.net\n"
                   "mailHost: 127.0.0.1:10143\n") +
         MailEntry("bob", "bob@example.com", "hunter2",
                   "mailHost: imaps://store2.example.com:10993\n"
                   "mailRoutingAddress: bob@store2.example.com\n") +
         MailEntry("everywhere", "everywhere@example.com", "secret",
                   "labeledURI: store2.example.com:10995\n"
                   "labeledURI: pop3s://store3.example.com:995\n"
                   "labeledURI: imaps://store1.example.com:10993\n"
                   "labeledURI: lmtp://store4.example.com:24\n") +
         MailEntry("undecided", "undecided@example.com", "secret",
                   "labeledURI: imap://store1.example.com\n"
                   "labeledURI: imap://store2.example.com\n"
                   "labeledURI: store2.example.com\n") +
         MailEntry("hostless", "hostless@example.com", "secret", "") +
         MailEntry("badhost", "badhost@example.com", "secret",
                   "mailHost: 70000:x\n") +
         MailEntry("twin1", "twin@example.com", "secret",
                   "mailHost: store1.example.com\n") +
         MailEntry("twin2", "twin@example.com", "secret",
                   "mailHost: store2.example.com\n") +
         MailEntry("same1", "same@example.com", "secret",
                   "mailHost: store1.example.com\n") +
         MailEntry("same2", "same@example.com", "secret",
                   "mailHost: store1.example.com\n") +
         MailEntry("closed", "closed@example.com", "secret",
                   "mailHost: store1.example.com\nemployeeType: closed\n") +
         MailEntry("sieveonly", "sieveonly@example.com", "secret",
                   "mailHost: store1.example.com\ndepartmentNumber: sieve\n") +
         MailEntry("moving", "moving@example.com", "secret",
                   "mailHost: store1.example.com\ncarLicense: TRUE\n") +
         MailEntry("domain", "@example.org", "secret",
                   "mailHost: store3.example.com\n") +
         // Below it, entries live on a server that must not be asked.
         "dn: ou=away,dc=example,dc=com\n"
         "objectClass: referral\nobjectClass: extensibleObject\n"
         "ou: away\nref: ldap://127.0.0.1:1/ou=away,dc=example,dc=com\n\n";
}

class LdapDirectoryTest : public LoopTest {
 protected:
  LdapDirectoryTest() {
    options_->admin_dn = RealSlapd::kAdminDn;
    options_->admin_password = Secret(RealSlapd::kAdminPassword);
    options_->account_base_dn = "ou=people,dc=example,dc=com";
    options_->status_attribute = "employeeType";
    options_->service_attribute = "departmentNumber";
    options_->service = "imap";
    options_->moving_attribute = "carLicense";
    options_->urls = {slapd_.url()};
  }

  Directory& directory() {
    if (directory_ == nullptr) {
      auto made = CreateLdapDirectory(*network_, options_, map_);
      EXPECT_TRUE(made.ok()) << made.status();
      directory_ = *std::move(made);
    }
    return *directory_;
  }

  AuthenticateResult Authenticate(std::string_view name,
                                  std::string_view password) {
    std::optional<AuthenticateResult> answer;
    auto operation = directory().Authenticate(
        name, Secret(password),
        [&](AuthenticateResult result) { answer = std::move(result); });
    EXPECT_FALSE(answer.has_value()) << "answered inside the call";
    EXPECT_TRUE(RunUntil([&] { return answer.has_value(); }));
    return *answer;
  }

  LocateResult Locate(std::string_view name) {
    std::optional<LocateResult> answer;
    auto operation = directory().Locate(
        name, [&](LocateResult result) { answer = std::move(result); });
    EXPECT_TRUE(RunUntil([&] { return answer.has_value(); }));
    return *answer;
  }

  static RealSlapd::Options SlapdOptions() {
    RealSlapd::Options options;
    options.ldif = People();
    // What RFC 4513 §5.1.2 warns of: without it, the tests of empty passwords
    // couldn't fail.
    options.global_config = "allow bind_anon_cred bind_anon_dn\n";
    return options;
  }

  // How often slapd was asked for the address.
  int Searches(const std::string& address) const {
    const std::string log = slapd_.Log();
    const std::string filter = "(mailLocalAddress=" + address + ")";
    int count = 0;
    for (size_t at = log.find(filter); at != std::string::npos;
         at = log.find(filter, at + 1)) {
      ++count;
    }
    return count;
  }

  RealSlapd slapd_{SlapdOptions()};
  std::shared_ptr<LdapOptions> options_ = std::make_shared<LdapOptions>();
  std::shared_ptr<LiveMap> map_;
  std::unique_ptr<Directory> directory_;
};

// What it says that a live map has heard of the account.
void TellMap(LiveMap& map, const std::string& uid, const std::string& address,
             const std::string& host) {
  LdapSyncEntry event;
  event.sync.state = LdapSyncState::State::kModify;
  event.sync.uuid = {uid[0]};
  event.entry = LdapEntry("uid=" + uid + ",ou=people,dc=example,dc=com");
  event.entry.Add("maillocaladdress", {address});
  event.entry.Add("mailhost", {host});
  map.OnEntry(std::move(event));
}

#define EXPECT_DENIED(result, denial)                     \
  do {                                                    \
    const auto answered = (result);                       \
    ASSERT_TRUE(std::holds_alternative<Denial>(answered)) \
        << (std::holds_alternative<Failure>(answered)     \
                ? std::get<Failure>(answered).text        \
                : "let in");                              \
    EXPECT_EQ(std::get<Denial>(answered), denial);        \
  } while (false)

#define EXPECT_FAILS(result, expected_kind, expected_text)                   \
  do {                                                                       \
    const auto answered = (result);                                          \
    ASSERT_TRUE(std::holds_alternative<Failure>(answered));                  \
    EXPECT_EQ(std::get<Failure>(answered).kind, expected_kind)               \
        << std::get<Failure>(answered).text;                                 \
    EXPECT_THAT(std::get<Failure>(answered).text, HasSubstr(expected_text)); \
  } while (false)

TEST_F(LdapDirectoryTest, GivesTheEntrysSpellingAndHost) {
  const auto answer = Authenticate("aLICE@EXAMPLE.com", "secret");
  ASSERT_TRUE(std::holds_alternative<Account>(answer));
  const Account& account = std::get<Account>(answer);
  EXPECT_EQ(account.user, "Alice@example.com");
  ASSERT_TRUE(account.location != nullptr);
  EXPECT_EQ(account.location->host, (Endpoint{"127.0.0.1", 10143}));
  EXPECT_THAT(account.location->addresses,
              ElementsAre("Alice@example.com", "alice@example.net"));
}

TEST_F(LdapDirectoryTest, ReadsUriHostsAndRoutingAddresses) {
  const auto answer = Locate("bob@example.com");
  ASSERT_TRUE(std::holds_alternative<SharedLocation>(answer));
  const Location& location = *std::get<SharedLocation>(answer);
  EXPECT_EQ(location.host, (Endpoint{"store2.example.com", 10993}));
  EXPECT_EQ(location.implicit_tls, true);
  EXPECT_EQ(location.routing_address, "bob@store2.example.com");
}

TEST_F(LdapDirectoryTest, AnswersForEntriesWithoutAHost) {
  const auto answer = Locate("hostless@example.com");
  ASSERT_TRUE(std::holds_alternative<SharedLocation>(answer));
  EXPECT_FALSE(std::get<SharedLocation>(answer)->host.has_value());
}

TEST_F(LdapDirectoryTest, AnswersForWholeDomains) {
  const auto answer = Locate("@Example.ORG");
  ASSERT_TRUE(std::holds_alternative<SharedLocation>(answer));
  EXPECT_EQ(std::get<SharedLocation>(answer)->host->host, "store3.example.com");
}

TEST_F(LdapDirectoryTest, TellsWrongPasswordsFromStrangers) {
  EXPECT_DENIED(Authenticate("alice@example.com", "wrong"),
                Denial::kWrongPassword);
  EXPECT_DENIED(Authenticate("nobody@example.com", "secret"),
                Denial::kNotFound);
  EXPECT_DENIED(Authenticate("alice@example.com", "hunter2"),
                Denial::kWrongPassword);
}

TEST_F(LdapDirectoryTest, NamesCannotReachIntoTheFilter) {
  const std::string names[] = {
      "*",
      "a*",
      "alice*",
      "bob)(uid=*",
      "bob\\2a",
      "*)(|(uid=*",
      std::string("bob@example.com\0", 16),
      "\\",
      std::string(300, '('),
      "alice@example.com)(mailHost=*",
      "bo\xc2\xad"
      "b@example.com",
      "bob @example.com",
      "\xff\xfe@example.com",
      std::string(65536, 'a'),
  };
  for (const std::string& name : names) {
    EXPECT_DENIED(Authenticate(name, "secret"), Denial::kNotFound);
    EXPECT_DENIED(Authenticate(name, "hunter2"), Denial::kNotFound);
  }
  EXPECT_THAT(slapd_.Log(), HasSubstr("mailLocalAddress=bob\\5C2a)"));
  EXPECT_THAT(slapd_.Log(), Not(HasSubstr("(uid=*)")));
}

TEST_F(LdapDirectoryTest, StarsAndBracketsAreAskedForAsThemselves) {
  EXPECT_DENIED(Locate("*"), Denial::kNotFound);
  EXPECT_DENIED(Locate("*)(uid=bob"), Denial::kNotFound);
  EXPECT_THAT(slapd_.Log(), HasSubstr("\\2A"));
  EXPECT_THAT(slapd_.Log(), Not(HasSubstr("(uid=bob)")));
}

TEST_F(LdapDirectoryTest, RefusesEmptyPasswordsBeforeLdap) {
  for (const std::string& password :
       {std::string(), std::string(1, '\0'), std::string("\0secret", 7),
        std::string("secret\0", 7)}) {
    EXPECT_DENIED(Authenticate("alice@example.com", password),
                  Denial::kNotFound);
  }
  EXPECT_THAT(slapd_.Log(), Not(HasSubstr("dn=\"uid=alice")));
  EXPECT_THAT(slapd_.Log(), Not(HasSubstr("BIND dn=\"\"")));
}

TEST_F(LdapDirectoryTest, NeverBindsAsNobody) {
  EXPECT_DENIED(Authenticate("nobody@example.com", "secret"),
                Denial::kNotFound);
  EXPECT_THAT(slapd_.Log(), Not(HasSubstr("BIND dn=\"\"")));
}

TEST_F(LdapDirectoryTest, EntriesThatDifferAreAFailure) {
  EXPECT_FAILS(Authenticate("twin@example.com", "secret"),
               Failure::Kind::kConfiguration, "uid=twin");
  EXPECT_FAILS(Locate("twin@example.com"), Failure::Kind::kConfiguration,
               "differ");
}

TEST_F(LdapDirectoryTest, OfSeveralHostsTheOneOfTheServiceCounts) {
  options_->hostname_attribute = "labeledURI";
  const struct {
    std::string_view service;
    Endpoint host;
  } kCases[] = {
      {"imap", {"store1.example.com", 10993}},
      {"pop3", {"store3.example.com", 995}},
      {"smtp", {"store4.example.com", 24}},
      {"sieve", {"store2.example.com", 10995}},
  };
  for (const auto& c : kCases) {
    options_->service = c.service;
    directory_.reset();
    const auto answer = Locate("everywhere@example.com");
    ASSERT_TRUE(std::holds_alternative<SharedLocation>(answer));
    EXPECT_EQ(std::get<SharedLocation>(answer)->host, c.host);
  }
  options_->service = "imap";
  directory_.reset();
  EXPECT_FAILS(Locate("undecided@example.com"), Failure::Kind::kConfiguration,
               "several values of labeledURI for imap");
}

TEST_F(LdapDirectoryTest, EntriesThatRouteAlikeAreFine) {
  const auto answer = Locate("same@example.com");
  ASSERT_TRUE(std::holds_alternative<SharedLocation>(answer));
  EXPECT_EQ(std::get<SharedLocation>(answer)->host->host, "store1.example.com");
}

TEST_F(LdapDirectoryTest, AHostThatIsNoneIsAFailureThatNamesTheEntry) {
  EXPECT_FAILS(Locate("badhost@example.com"), Failure::Kind::kConfiguration,
               "uid=badhost,ou=people,dc=example,dc=com: mailHost "
               "\"70000:x\" is not a host");
}

TEST_F(LdapDirectoryTest, ClosedAccountsAreToldSoOnlyWithTheirPassword) {
  EXPECT_DENIED(Authenticate("closed@example.com", "secret"),
                Denial::kDisabled);
  EXPECT_DENIED(Authenticate("closed@example.com", "wrong"),
                Denial::kWrongPassword);
  EXPECT_DENIED(Authenticate("sieveonly@example.com", "secret"),
                Denial::kDisabled);
}

TEST_F(LdapDirectoryTest, ReportsMailboxesOnTheMove) {
  const auto answer = Locate("moving@example.com");
  ASSERT_TRUE(std::holds_alternative<SharedLocation>(answer));
  EXPECT_TRUE(std::get<SharedLocation>(answer)->moving);
}

TEST_F(LdapDirectoryTest, DoesNotFollowReferrals) {
  options_->account_base_dn = "ou=away,dc=example,dc=com";
  EXPECT_FAILS(Authenticate("alice@example.com", "secret"),
               Failure::Kind::kConfiguration, "not followed");
}

TEST_F(LdapDirectoryTest, AMissingBaseIsAFailure) {
  options_->account_base_dn = "ou=nowhere,dc=example,dc=com";
  EXPECT_FAILS(Authenticate("alice@example.com", "secret"),
               Failure::Kind::kConfiguration, "No such object");
}

TEST_F(LdapDirectoryTest, AWrongAdministratorIsAFailure) {
  options_->admin_password = Secret("not admin");
  EXPECT_FAILS(Authenticate("alice@example.com", "secret"),
               Failure::Kind::kConfiguration, "bind as administrator");
}

TEST_F(LdapDirectoryTest, PutsNoPasswordOnAPlainConnectionWhereTlsIsAsked) {
  options_->start_tls = true;
  EXPECT_FAILS(Authenticate("alice@example.com", "secret"), Failure::Kind::kTls,
               "StartTLS");
  EXPECT_THAT(slapd_.Log(), Not(HasSubstr("BIND dn=")));
}

TEST_F(LdapDirectoryTest, GivesTheUserAttributeWhereOneIsNamed) {
  options_->user_attribute = "uid";
  const auto answer = Authenticate("alice@example.net", "secret");
  ASSERT_TRUE(std::holds_alternative<Account>(answer));
  EXPECT_EQ(std::get<Account>(answer).user, "alice");
}

// Half of them with a wrong password, a fifth with names that break things.
TEST_F(LdapDirectoryTest, ManyLoginsAtOnceGetTheirOwnVerdicts) {
  constexpr int kLogins = 200;
  options_->max_bind_connections = 8;
  int right = 0;
  int wrong = 0;
  int other = 0;
  std::vector<std::unique_ptr<Operation>> operations;
  for (int i = 0; i < kLogins; ++i) {
    const bool odd = i % 2 == 1;
    std::string name = i % 4 < 2 ? "alice@example.com" : "bob@example.com";
    std::string password = i % 4 < 2 ? "secret" : "hunter2";
    if (odd) password = i % 4 < 2 ? "hunter2" : "secret";
    if (i % 5 == 0) {
      operations.push_back(directory().Locate(
          std::string("\xc3\xa9(*\\") + std::string(200, '\\'),
          [](LocateResult) {}));
    }
    operations.push_back(directory().Authenticate(
        name, Secret(password), [&, odd](AuthenticateResult result) {
          const bool let_in = std::holds_alternative<Account>(result);
          const bool denied = std::holds_alternative<Denial>(result);
          right += let_in && !odd;
          wrong += denied && odd;
          other += !(let_in && !odd) && !(denied && odd);
        }));
  }
  ASSERT_TRUE(RunUntil([&] { return right + wrong + other == kLogins; }));
  EXPECT_EQ(right, kLogins / 2);
  EXPECT_EQ(wrong, kLogins / 2);
}

// Cancelled at once, while connecting, while searching, while binding.
TEST_F(LdapDirectoryTest, CancelledLoginsAnswerNobodyAndHarmNobody) {
  constexpr int kLogins = 60;
  for (int i = 0; i < kLogins; ++i) {
    auto cancelled = std::make_shared<bool>(false);
    auto operation = directory().Authenticate(
        "alice@example.com", Secret("secret"),
        [cancelled](AuthenticateResult) { EXPECT_FALSE(*cancelled); });
    RunFor(absl::Microseconds(100) * i);
    operation = nullptr;
    *cancelled = true;
  }
  const auto answer = Authenticate("alice@example.com", "secret");
  EXPECT_TRUE(std::holds_alternative<Account>(answer));
}

TEST_F(LdapDirectoryTest, AsksOnceForOneNameAtTheSameTime) {
  EXPECT_TRUE(
      std::holds_alternative<SharedLocation>(Locate("bob@example.com")));
  slapd_.Pause();
  constexpr int kQuestions = 50;
  int right = 0;
  int located = 0;
  std::vector<std::unique_ptr<Operation>> operations;
  for (int i = 0; i < kQuestions; ++i) {
    operations.push_back(directory().Authenticate(
        "alice@example.com", Secret("secret"), [&](AuthenticateResult result) {
          right += std::holds_alternative<Account>(result);
        }));
    operations.push_back(
        directory().Locate("alice@EXAMPLE.com", [&](LocateResult result) {
          located += std::holds_alternative<SharedLocation>(result);
        }));
  }
  auto cancelled = directory().Locate(
      "alice@example.com", [](LocateResult) { FAIL() << "was cancelled"; });
  operations.push_back(directory().Locate(
      "hostless@example.com", [](LocateResult) { FAIL() << "was cancelled"; }));
  RunFor(absl::Milliseconds(50));
  operations.pop_back();
  cancelled = nullptr;
  slapd_.Continue();
  ASSERT_TRUE(
      RunUntil([&] { return right == kQuestions && located == kQuestions; }));
  EXPECT_EQ(Searches("alice@example.com"), 1);
  EXPECT_TRUE(
      std::holds_alternative<SharedLocation>(Locate("alice@example.com")));
  EXPECT_EQ(Searches("alice@example.com"), 2);
  EXPECT_TRUE(
      std::holds_alternative<SharedLocation>(Locate("hostless@example.com")));
}

TEST_F(LdapDirectoryTest, AWaitThatIsEndedFromAnothersAnswerEndsWell) {
  int answers = 0;
  std::vector<std::unique_ptr<Operation>> operations(3);
  for (auto& operation : operations) {
    operation = directory().Locate("alice@example.com", [&](LocateResult) {
      ++answers;
      operations.clear();
    });
  }
  ASSERT_TRUE(RunUntil([&] { return answers > 0; }));
  EXPECT_TRUE(
      std::holds_alternative<SharedLocation>(Locate("alice@example.com")));
  EXPECT_EQ(answers, 1);
}

// The socket says who we are: no name or password of an administrator.
TEST(LdapiTest, BindsByWhatTheSocketSays) {
  char folder[] = "/tmp/ldapi.XXXXXX";  // a socket's path must be short
  ASSERT_NE(mkdtemp(folder), nullptr);
  RealSlapd::Options slapd_options;
  slapd_options.ldif = People();
  slapd_options.extra_urls =
      "ldapi://%2Ftmp%2F" + std::string(folder + 5) + "%2Fslapd";
  slapd_options.global_config =
      "authz-regexp \"gidNumber=" + std::to_string(getegid()) +
      "\\\\+uidNumber=" + std::to_string(geteuid()) +
      ",cn=peercred,cn=external,cn=auth\" " + RealSlapd::kAdminDn + "\n";
  slapd_options.database_config = "access to * by * none\n";
  {
    const RealSlapd slapd(slapd_options);
    auto options = std::make_shared<LdapOptions>();
    options->urls = {slapd_options.extra_urls};
    options->sasl_external = true;
    options->account_base_dn = "ou=people,dc=example,dc=com";
    auto network = UvNetwork::Create();
    auto directory = CreateLdapDirectory(*network, options);
    ASSERT_TRUE(directory.ok()) << directory.status();
    std::optional<LocateResult> answer;
    const auto operation =
        (*directory)->Locate("alice@example.com", [&](LocateResult result) {
          answer = std::move(result);
          network->Stop();
        });
    network->Run();
    EXPECT_TRUE(std::holds_alternative<SharedLocation>(*answer)) << slapd.Log();
    EXPECT_THAT(slapd.Log(), HasSubstr("mech=EXTERNAL"));
  }
  rmdir(folder);
}

TEST(LdapOptionsTest, NamesWhatIsWrong) {
  LdapOptions options;
  EXPECT_THAT(CheckLdapOptions(options).ToString(), HasSubstr("urls"));
  options.urls = {"http://127.0.0.1"};
  EXPECT_THAT(CheckLdapOptions(options).ToString(), HasSubstr("http"));
  options.urls = {"ldaps://127.0.0.1:636", "ldapi:///"};
  EXPECT_TRUE(CheckLdapOptions(options).ok());
  options.account_filter = "(mail=%e";
  EXPECT_THAT(CheckLdapOptions(options).ToString(),
              HasSubstr("accountFilter: position 9"));
  options.account_filter = "(mail=%e)";
  options.admin_dn = "cn=admin";
  EXPECT_THAT(CheckLdapOptions(options).ToString(), HasSubstr("adminPassword"));
  options.admin_dn = "admin@example.com";  // as Active Directory takes it
  options.admin_password = Secret("secret");
  EXPECT_TRUE(CheckLdapOptions(options).ok());
  options.admin_dn = "admin";
  EXPECT_THAT(CheckLdapOptions(options).ToString(), HasSubstr("adminDn"));
}

TEST_F(LdapDirectoryTest, SearchesNothingThatALiveMapKnows) {
  map_ = *LiveMap::Create(options_, {});
  TellMap(*map_, "alice", "Alice@example.com", "store9");
  map_->OnInfo(LdapSyncPhaseEnd{});
  const auto account = Authenticate("alice@example.com", "secret");
  ASSERT_TRUE(std::holds_alternative<Account>(account));
  EXPECT_EQ(std::get<Account>(account).user, "Alice@example.com");
  EXPECT_EQ(std::get<Account>(account).location->host->host, "store9");
  EXPECT_DENIED(Locate("bob@example.com"), Denial::kNotFound);
  EXPECT_EQ(Searches("alice@example.com") + Searches("bob@example.com"), 0);
  EXPECT_DENIED(Authenticate("alice@example.com", "wrong"),
                Denial::kWrongPassword);
  EXPECT_FALSE(map_->TakeOutdated());
}

TEST_F(LdapDirectoryTest, KnowsAtOnceWhatALiveMapKnows) {
  EXPECT_FALSE(directory().LocateNow("alice@example.com"));
  directory_ = nullptr;
  map_ = *LiveMap::Create(options_, {});
  TellMap(*map_, "alice", "Alice@example.com", "store9");
  EXPECT_FALSE(directory().LocateNow("alice@example.com")) << "still loading";
  map_->OnInfo(LdapSyncPhaseEnd{});
  const auto known = directory().LocateNow("alice@EXAMPLE.com");
  ASSERT_TRUE(known && std::holds_alternative<SharedLocation>(*known));
  EXPECT_EQ(std::get<SharedLocation>(*known)->host->host, "store9");
  EXPECT_DENIED(*directory().LocateNow("bob@example.com"), Denial::kNotFound);
  EXPECT_DENIED(*directory().LocateNow("@"), Denial::kNotFound);
}

TEST_F(LdapDirectoryTest, FindsWhoseDnHasChangedWithTheOneAbove) {
  options_->account_base_dn = "dc=example,dc=com";
  map_ = *LiveMap::Create(options_, {});
  TellMap(*map_, "alice", "Alice@example.com", "store9");
  map_->OnInfo(LdapSyncPhaseEnd{});
  slapd_.Modify(
      "dn: ou=people,dc=example,dc=com\nchangetype: modrdn\n"
      "newrdn: ou=staff\ndeleteoldrdn: 1\n");
  const auto account = Authenticate("alice@example.com", "secret");
  ASSERT_TRUE(std::holds_alternative<Account>(account));
  EXPECT_EQ(std::get<Account>(account).location->host->port, 10143)
      << "as LDAP says";
  EXPECT_TRUE(map_->TakeOutdated());
  EXPECT_DENIED(Authenticate("alice@example.com", "wrong"),
                Denial::kWrongPassword);
}

TEST_F(LdapDirectoryTest, SearchesWhatALiveMapDoesNotKnow) {
  map_ = *LiveMap::Create(options_, {});
  EXPECT_TRUE(
      std::holds_alternative<SharedLocation>(Locate("bob@example.com")));
  TellMap(*map_, "alice", "alice@example.com", "store9");
  map_->OnInfo(LdapSyncPhaseEnd{});
  map_->OnLost(network_->Now());
  EXPECT_TRUE(
      std::holds_alternative<SharedLocation>(Locate("bob@example.com")));
  EXPECT_EQ(Searches("bob@example.com"), 2);
}

TEST_F(LdapDirectoryTest, WithoutLdapALiveMapIsGoodForALongerTime) {
  map_ = *LiveMap::Create(options_, {absl::ZeroDuration(), absl::Hours(1)});
  TellMap(*map_, "alice", "alice@example.com", "store9");
  map_->OnInfo(LdapSyncPhaseEnd{});
  map_->OnLost(network_->Now());
  auto located = Locate("alice@example.com");
  ASSERT_TRUE(std::holds_alternative<SharedLocation>(located));
  EXPECT_EQ(std::get<SharedLocation>(located)->host->host, "127.0.0.1")
      << "LDAP knows better";
  slapd_.Kill();
  located = Locate("alice@example.com");
  ASSERT_TRUE(std::holds_alternative<SharedLocation>(located));
  EXPECT_EQ(std::get<SharedLocation>(located)->host->host, "store9");
  EXPECT_TRUE(std::holds_alternative<Failure>(Locate("bob@example.com")));
}

TEST_F(LdapDirectoryTest, TellsTheMovesThatALiveMapSees) {
  map_ = *LiveMap::Create(options_, {});
  TellMap(*map_, "alice", "alice@example.com", "store1");
  map_->OnInfo(LdapSyncPhaseEnd{});
  std::string moved;
  directory().set_move_observer(
      [&](std::string_view user, const std::optional<Endpoint>& host) {
        moved = std::string(user) + " " + host.value_or(Endpoint()).host;
      });
  TellMap(*map_, "alice", "alice@example.com", "store2");
  EXPECT_TRUE(RunUntil([&] { return !moved.empty(); }));
  EXPECT_EQ(moved, "alice@example.com store2");
}

}  // namespace
}  // namespace gatehouse
