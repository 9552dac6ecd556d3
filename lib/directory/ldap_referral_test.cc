// A real slapd whose tree goes on at another one. Who is asked there, with
// what, and whose password goes where.

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/base/string_bridge.h"
#include "lib/directory/ldap_directory.h"
#include "lib/directory/ldap_referral_chaser.h"
#include "lib/directory/live_map_follower.h"
#include "lib/net/loop_test_kit.h"
#include "lib/testing/real_slapd.h"
#include "lib/testing/recording_log.h"
#include "lib/testing/test_certificate.h"

namespace gatehouse {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr char kFayDn[] = "uid=fay,ou=staff,dc=example,dc=com";
constexpr char kPeople[] = "/ou=people,dc=example,dc=com";

class Observer : public LdapReplicaObserver {
 public:
  explicit Observer(std::vector<std::string>& refused) : refused_(refused) {}
  void OnReplicaLost(const std::string&, const Failure&) override {}
  void OnReplicaWell(const std::string&) override {}
  void OnReferralRefused(const std::string& host) override {
    refused_.push_back(host);
  }

 private:
  std::vector<std::string>& refused_;
};

class LdapReferralTest : public LoopTest {
 protected:
  LdapReferralTest() {
    options_->urls = {home_.url()};
    options_->referrals = {away_.url()};
    options_->admin_dn = RealSlapd::kAdminDn;
    options_->admin_password = Secret(RealSlapd::kAdminPassword);
    options_->account_base_dn = "dc=example,dc=com";
    options_->timeout = absl::Seconds(1);
    away_.Modify(
        "dn: dc=example,dc=org\nchangetype: add\nobjectClass: dcObject\n"
        "objectClass: organization\ndc: example\no: Example\n\n"
        "dn: uid=eve,dc=example,dc=org\nchangetype: add\n"
        "objectClass: inetOrgPerson\nobjectClass: inetLocalMailRecipient\n"
        "uid: eve\ncn: eve\nsn: eve\nuserPassword: eve's\n"
        "mailLocalAddress: eve@example.org\nmailHost: store3\n");
  }

  RealSlapd::Options HomeOptions() {
    RealSlapd::Options options;
    options.ldif =
        MailEntry("alice", "alice@example.com", "secret", "mailHost: store1\n");
    const TestCertificate certificate = Certificate();
    options.certificate_file = certificate.certificate_file;
    options.private_key_file = certificate.private_key_file;
    // For what is in no database of its own.
    options.global_config =
        "referral " + away_.url() + "\nmoduleload retcode\n";
    // slapd itself answers no bind with a referral; here it does for one DN.
    options.database_config =
        "overlay syncprov\noverlay retcode\n"
        "retcode-parent ou=staff,dc=example,dc=com\n"
        "retcode-item uid=fay 10 op=bind ref=" +
        away_.url() + "\n";
    return options;
  }

  // With a second database, of another suffix.
  static RealSlapd::Options AwayOptions() {
    RealSlapd::Options options;
    options.ldif =
        MailEntry("bob", "bob@example.com", "bob's", "mailHost: store2\n") +
        "dn: ou=staff,dc=example,dc=com\nobjectClass: organizationalUnit\n"
        "ou: staff\n\n"
        "dn: " +
        std::string(kFayDn) +
        "\nobjectClass: inetOrgPerson\n"
        "uid: fay\ncn: fay\nsn: fay\nuserPassword: fay's\n";
    static int count = 0;
    const std::string folder = std::string(std::getenv("TEST_TMPDIR")) +
                               "/org" + std::to_string(++count);
    std::filesystem::create_directory(folder);
    options.database_config =
        "database ldif\nsuffix dc=example,dc=org\n"
        "rootdn cn=admin,dc=example,dc=com\ndirectory " +
        folder + "\n";
    return options;
  }

  TestCertificate Certificate() const {
    TestAuthority::Subject subject;
    subject.addresses = {"127.0.0.1"};
    return authority_.Issue(subject);
  }

  // What is below ou=`name` is elsewhere: one of `urls` may be asked.
  void Refer(const std::string& name, const std::vector<std::string>& urls) {
    std::string ldif = "dn: ou=" + name +
                       ",dc=example,dc=com\nchangetype: add\n"
                       "objectClass: referral\nobjectClass: extensibleObject\n"
                       "ou: " +
                       name + "\n";
    for (const std::string& url : urls) ldif += "ref: " + url + "\n";
    home_.Modify(ldif);
  }

  Directory& directory() {
    if (directory_ == nullptr) {
      auto made = CreateLdapDirectory(*network_, options_, map_,
                                      std::make_unique<Observer>(refused_));
      EXPECT_TRUE(made.ok()) << made.status();
      directory_ = *std::move(made);
    }
    return *directory_;
  }

  // The host, or why not.
  std::string LogIn(const std::string& name, const std::string& password) {
    std::optional<AuthenticateResult> answer;
    const auto operation = directory().Authenticate(
        name, Secret(password),
        [&](AuthenticateResult result) { answer = std::move(result); });
    EXPECT_TRUE(RunUntil([&] { return answer.has_value(); }));
    if (const auto* failure = std::get_if<Failure>(&*answer)) {
      return std::string(KindName(failure->kind)) + ": " + failure->text;
    }
    if (const auto* denial = std::get_if<Denial>(&*answer)) {
      return *denial == Denial::kNotFound ? "nobody" : "denied";
    }
    return std::get<Account>(*answer).location->host->host;
  }

  static int Count(const RealSlapd& slapd, std::string_view text) {
    const std::string log = slapd.Log();
    const std::vector<absl::string_view> parts =
        absl::StrSplit(log, ToAbsl(text));
    return static_cast<int>(parts.size()) - 1;
  }

  const TestAuthority authority_;
  RealSlapd away_{AwayOptions()};
  RealSlapd home_{HomeOptions()};
  std::shared_ptr<LdapOptions> options_ = std::make_shared<LdapOptions>();
  std::vector<std::string> refused_;
  std::shared_ptr<LiveMap> map_;
  std::unique_ptr<Directory> directory_;
};

TEST_F(LdapReferralTest, NobodyIsAskedWhomTheAdministratorHasNotNamed) {
  options_->referrals = {};
  Refer("away", {away_.url() + kPeople});
  const int connections = Count(away_, "ACCEPT");
  const std::string host = away_.url().substr(std::string("ldap://").size());
  EXPECT_THAT(LogIn("bob@example.com", "bob's"),
              HasSubstr("configuration: a referral to " + host));
  EXPECT_THAT(refused_, ElementsAre(host));
  EXPECT_EQ(LogIn("alice@example.com", "secret"), "store1");
  options_->account_base_dn = "dc=example,dc=org";
  directory_ = nullptr;
  EXPECT_THAT(LogIn("eve@example.org", "eve's"),
              HasSubstr("configuration: a referral to " + host));
  EXPECT_EQ(Count(away_, "ACCEPT"), connections);
}

TEST_F(LdapReferralTest, NorWhomAnotherNameStandsFor) {
  Refer("away",
        {"ldap://localhost:1" + std::string(kPeople), "http://127.0.0.1/"});
  EXPECT_THAT(LogIn("bob@example.com", "bob's"), HasSubstr("localhost:1"));
  EXPECT_THAT(refused_, ElementsAre("localhost:1"));
  EXPECT_EQ(Count(away_, "SRCH"), 0);
}

TEST_F(LdapReferralTest, AnAccountIsFoundAndBoundWhereItIs) {
  Refer("away", {away_.url() + kPeople});
  EXPECT_EQ(LogIn("bob@example.com", "bob's"), "store2");
  EXPECT_EQ(LogIn("bob@example.com", "wrong"), "denied");
  EXPECT_EQ(LogIn("nobody@example.com", "x"), "nobody");
  EXPECT_EQ(LogIn("alice@example.com", "secret"), "store1");
  EXPECT_THAT(refused_, IsEmpty());
  EXPECT_EQ(Count(home_, "BIND dn=\"uid=bob"), 0) << "its password stays away";
  EXPECT_GE(Count(away_, "BIND dn=\"uid=bob"), 2);
  EXPECT_EQ(Count(away_, "alice"), 0) << "who is at home isn't asked for";
}

TEST_F(LdapReferralTest, TheUrlSaysWhatIsAsked) {
  options_->user_attribute = "uid";
  Refer("one", {away_.url() + kPeople + "??one?(uid=bob)"});
  EXPECT_EQ(LogIn("robert@example.com", "bob's"), "store2");
  EXPECT_THAT(away_.Log(),
              HasSubstr("SRCH base=\"ou=people,dc=example,dc=com\" "
                        "scope=1 deref=0 filter=\"(uid=bob)\""));
}

TEST_F(LdapReferralTest, AWholeSearchAndABindAreAskedElsewhere) {
  options_->account_base_dn = "dc=example,dc=org";
  EXPECT_EQ(LogIn("eve@example.org", "eve's"), "store3");
  EXPECT_THAT(away_.Log(),
              HasSubstr("SRCH base=\"dc=example,dc=org\" scope=2 deref=0 "
                        "filter=\"(&(objectClass=inetLocalMailRecipient)("
                        "mailLocalAddress=eve@example.org))\""));
}

TEST_F(LdapReferralTest, ABindIsAskedAgainWhereItsAnswerLeadsTo) {
  const auto bind = [&](const std::string& password) {
    LdapReferralChaser chaser(*network_, options_);
    std::optional<LdapReply> reply;
    const auto operation =
        chaser.Bind(kFayDn, 0, Secret(password),
                    [&](LdapReply got) { reply = std::move(got); });
    EXPECT_TRUE(RunUntil([&] { return reply.has_value(); }));
    return *std::move(reply);
  };
  EXPECT_EQ(std::get<LdapVerdict>(bind("fay's")), LdapVerdict::kRight);
  EXPECT_EQ(std::get<LdapVerdict>(bind("wrong")), LdapVerdict::kWrong);
  EXPECT_EQ(Count(away_, "BIND dn=\"uid=fay"), 3) << "one was right";
  options_->referrals = {};
  EXPECT_THAT(std::get<Failure>(bind("fay's")).text,
              HasSubstr("which is not followed"));
  EXPECT_EQ(Count(away_, "BIND dn=\"uid=fay"), 3);
}

TEST_F(LdapReferralTest, ALoopEnds) {
  options_->referrals = {home_.url()};
  Refer("away", {home_.url() + "/ou=away,dc=example,dc=com"});
  EXPECT_THAT(LogIn("bob@example.com", "bob's"),
              HasSubstr("configuration: referrals lead on"));
  EXPECT_EQ(Count(home_, "(mailLocalAddress=bob@example.com)"), 5);
}

TEST_F(LdapReferralTest, AFloodOfReferralsEnds) {
  for (int i = 0; i < 20; ++i) {
    Refer("away" + std::to_string(i), {away_.url() + kPeople});
  }
  EXPECT_THAT(LogIn("nobody@example.com", "x"),
              HasSubstr("configuration: a search has more than 16 referrals"));
  EXPECT_LE(Count(away_, "(mailLocalAddress=nobody@example.com)"), 16);
}

TEST_F(LdapReferralTest, ALostServerIsAnOutageAndNobodyIsUnknown) {
  Refer("away", {away_.url() + kPeople});
  EXPECT_EQ(LogIn("bob@example.com", "bob's"), "store2");
  away_.Pause();
  absl::Time began = network_->Now();
  EXPECT_EQ(LogIn("alice@example.com", "secret"), "store1");
  EXPECT_LT(network_->Now() - began, options_->timeout) << "it isn't felt";
  began = network_->Now();
  EXPECT_THAT(LogIn("bob@example.com", "bob's"), HasSubstr("timeout: "));
  EXPECT_LT(network_->Now() - began, 2.5 * options_->timeout);
  EXPECT_EQ(LogIn("alice@example.com", "secret"), "store1");
  away_.Kill();
  EXPECT_THAT(LogIn("nobody@example.com", "x"), Not(HasSubstr("nobody")));
  away_.Start();
  for (int i = 0; i < 100 && LogIn("bob@example.com", "bob's") != "store2";
       ++i) {
    RunFor(absl::Milliseconds(50));
  }
  EXPECT_EQ(LogIn("bob@example.com", "bob's"), "store2");
}

TEST_F(LdapReferralTest, TheNextUrlIsAskedWhereOneIsOutOfReach) {
  options_->referrals = {"ldap://127.0.0.1:1", away_.url()};
  Refer("away", {"ldap://127.0.0.1:1" + std::string(kPeople),
                 "ldap://unlisted.example.com" + std::string(kPeople),
                 away_.url() + kPeople});
  EXPECT_EQ(LogIn("bob@example.com", "bob's"), "store2");
  EXPECT_THAT(refused_, IsEmpty());
}

TEST_F(LdapReferralTest, NoPasswordGoesThereOnAPlainConnectionWhereTlsIsAsked) {
  options_->start_tls = true;
  options_->ca_file = authority_.ca_file();
  Refer("away", {away_.url() + kPeople});
  EXPECT_EQ(LogIn("alice@example.com", "secret"), "store1");
  const int before = Count(away_, "BIND");
  EXPECT_THAT(LogIn("bob@example.com", "bob's"), HasSubstr("StartTLS"));
  EXPECT_EQ(Count(away_, "BIND"), before);
}

// What is elsewhere isn't part of what is followed, and is asked for.
TEST_F(LdapReferralTest, ALiveMapKnowsOnlyWhatItsOwnServerHas) {
  Refer("away", {away_.url() + kPeople});
  RecordingLog log;
  map_ = *LiveMap::Create(options_, {});
  LiveMapFollower follower(*network_, log, "Test", options_, map_);
  ASSERT_TRUE(RunUntil([&] { return map_->state() == LiveMap::State::kLive; }));
  EXPECT_EQ(map_->entries(), 1u);
  EXPECT_EQ(LogIn("bob@example.com", "bob's"), "store2");
  EXPECT_EQ(LogIn("alice@example.com", "secret"), "store1");
  EXPECT_EQ(Count(home_, "(mailLocalAddress=alice@example.com)"), 0);
  EXPECT_EQ(LogIn("nobody@example.com", "x"), "nobody");
}

}  // namespace
}  // namespace gatehouse
