// Every way to a real slapd: StartTLS, ldaps and a local socket that says who
// we are. Each is searched, bound and followed.

#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/directory/ldap_directory.h"
#include "lib/directory/live_map_follower.h"
#include "lib/net/loop_test_kit.h"
#include "lib/testing/real_slapd.h"
#include "lib/testing/recording_log.h"
#include "lib/testing/test_certificate.h"

namespace gatehouse {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kAlice[] = "alice@example.com";

class LdapTransportTest : public LoopTest {
 protected:
  LdapTransportTest() {
    options_->admin_dn = RealSlapd::kAdminDn;
    options_->admin_password = Secret(RealSlapd::kAdminPassword);
    options_->account_base_dn = "dc=example,dc=com";
    options_->ca_file = authority_.ca_file();
  }
  ~LdapTransportTest() override {
    follower_ = nullptr;
    slapd_ = nullptr;
    if (!socket_folder_.empty()) rmdir(socket_folder_.c_str());
  }

  // Listens on `url` besides.
  void Start(const std::string& url = "") {
    TestAuthority::Subject subject;
    subject.addresses = {"127.0.0.1"};
    const TestCertificate certificate = authority_.Issue(subject);
    RealSlapd::Options options;
    options.extra_urls = url;
    options.certificate_file = certificate.certificate_file;
    options.private_key_file = certificate.private_key_file;
    options.ldif = MailEntry("alice", kAlice, "secret", "mailHost: store1\n");
    options.global_config =
        "authz-regexp \"gidNumber=" + std::to_string(getegid()) +
        "\\\\+uidNumber=" + std::to_string(geteuid()) +
        ",cn=peercred,cn=external,cn=auth\" " + RealSlapd::kAdminDn + "\n";
    options.database_config =
        "access to attrs=userPassword by anonymous auth by * none\n"
        "access to * by * none\n"
        "overlay syncprov\n";
    slapd_ = std::make_unique<RealSlapd>(options);
    options_->urls = {url.empty() ? slapd_->url() : url};
  }

  std::string SocketUrl() {
    char folder[] = "/tmp/ldapi.XXXXXX";  // a socket's path must be short
    EXPECT_NE(mkdtemp(folder), nullptr);
    socket_folder_ = folder;
    return "ldapi://%2Ftmp%2F" + socket_folder_.substr(5) + "%2Fslapd";
  }

  void Follow() {
    map_ = *LiveMap::Create(options_, {});
    follower_ = std::make_unique<LiveMapFollower>(*network_, log_, "Test",
                                                  options_, map_);
  }

  std::string LogIn(const std::string& password) {
    auto directory = CreateLdapDirectory(*network_, options_);
    EXPECT_TRUE(directory.ok()) << directory.status();
    std::optional<AuthenticateResult> answer;
    const auto operation = (*directory)
                               ->Authenticate(kAlice, Secret(password),
                                              [&](AuthenticateResult result) {
                                                answer = std::move(result);
                                              });
    EXPECT_TRUE(RunUntil([&] { return answer.has_value(); }));
    if (const auto* failure = std::get_if<Failure>(&*answer)) {
      return std::string(KindName(failure->kind)) + ": " + failure->text;
    }
    const auto* account = std::get_if<Account>(&*answer);
    return account == nullptr ? "denied" : account->location->host->host;
  }

  void ExpectAllWorks() {
    EXPECT_EQ(LogIn("secret"), "store1") << slapd_->Log();
    EXPECT_EQ(LogIn("wrong"), "denied");
    Follow();
    const LiveMap::Reader reader(*map_);
    const auto host = [&]() -> std::string {
      const auto found = reader.Find({"alice", "example.com"},
                                     [this] { return network_->Now(); });
      if (!found || found->entries.empty()) return "?";
      return std::string(found->entries.front().Values("mailHost").front());
    };
    EXPECT_TRUE(RunUntil([&] { return host() == "store1"; })) << log_.text();
    slapd_->Modify(
        "dn: uid=alice,ou=people,dc=example,dc=com\nchangetype: modify\n"
        "replace: mailHost\nmailHost: store2\n");
    EXPECT_TRUE(RunUntil([&] { return host() == "store2"; })) << log_.text();
  }

  const TestAuthority authority_;
  const std::shared_ptr<LdapOptions> options_ = std::make_shared<LdapOptions>();
  std::string socket_folder_;
  std::unique_ptr<RealSlapd> slapd_;
  RecordingLog log_;
  std::shared_ptr<LiveMap> map_;
  std::unique_ptr<LiveMapFollower> follower_;
};

TEST_F(LdapTransportTest, WorksByStartTls) {
  Start();
  options_->start_tls = true;
  ExpectAllWorks();
  EXPECT_THAT(slapd_->Log(), HasSubstr("STARTTLS"));
  EXPECT_THAT(slapd_->Log(), HasSubstr("TLS established"));
}

TEST_F(LdapTransportTest, WorksByLdaps) {
  Start();
  options_->urls = {slapd_->tls_url()};
  ExpectAllWorks();
  EXPECT_THAT(slapd_->Log(), HasSubstr("TLS established"));
}

TEST_F(LdapTransportTest, WorksByWhatALocalSocketSays) {
  Start(SocketUrl());
  options_->sasl_external = true;
  options_->admin_dn = "";
  options_->admin_password = Secret("");
  ExpectAllWorks();
  EXPECT_THAT(slapd_->Log(), HasSubstr("mech=EXTERNAL"));
}

TEST_F(LdapTransportTest, TellsNoPasswordToWhoseCertificateIsAnothers) {
  const TestAuthority other;
  Start();
  options_->start_tls = true;
  options_->ca_file = other.ca_file();
  EXPECT_THAT(LogIn("secret"), HasSubstr("tls"));
  Follow();
  EXPECT_TRUE(RunUntil([&] { return !log_.events().empty(); }));
  EXPECT_THAT(log_.events(), ElementsAre("live_map_lost"));
  EXPECT_THAT(log_.text(), HasSubstr("kind=tls"));
  EXPECT_THAT(slapd_->Log(), Not(HasSubstr("BIND dn=\"cn=admin,")));
}

}  // namespace
}  // namespace gatehouse
