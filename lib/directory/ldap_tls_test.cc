// Against a real slapd with a certificate: no password, the administrator's
// included, is sent to a server that isn't who it should be. That it works
// where the certificate is right is shown by ldap_transport_test.

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/directory/ldap_directory.h"
#include "lib/net/loop_test_kit.h"
#include "lib/testing/real_slapd.h"
#include "lib/testing/test_certificate.h"

namespace gatehouse {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class LdapTlsTest : public LoopTest {
 protected:
  enum class Way { kStartTls, kLdaps };

  static TestAuthority::Subject Right() {
    return {.common_name = "ldap", .addresses = {"127.0.0.1"}};
  }

  static std::unique_ptr<RealSlapd> Start(const TestCertificate& certificate) {
    RealSlapd::Options options;
    options.ldif = MailEntry("alice", "alice@example.com", "secret",
                             "mailHost: store1.example.com\n");
    options.certificate_file = certificate.certificate_file;
    options.private_key_file = certificate.private_key_file;
    return std::make_unique<RealSlapd>(options);
  }

  AuthenticateResult LogIn(const RealSlapd& slapd, Way way,
                           const std::string& ca_file) {
    auto options = std::make_shared<LdapOptions>();
    options->urls = {way == Way::kLdaps ? slapd.tls_url() : slapd.url()};
    options->start_tls = way == Way::kStartTls;
    options->ca_file = ca_file;
    options->admin_dn = RealSlapd::kAdminDn;
    options->admin_password = Secret(RealSlapd::kAdminPassword);
    options->account_base_dn = "dc=example,dc=com";
    const auto directory = *CreateLdapDirectory(*network_, options);
    std::optional<AuthenticateResult> answer;
    const auto operation = directory->Authenticate(
        "alice@example.com", Secret("secret"),
        [&](AuthenticateResult result) { answer = std::move(result); });
    EXPECT_TRUE(RunUntil([&] { return answer.has_value(); }));
    return *std::move(answer);
  }

  // Whether so many connections have ended, besides the one that RealSlapd made
  // to see whether it is there.
  static bool HaveEnded(int count, const RealSlapd& slapd) {
    const std::string log = slapd.Log();
    for (size_t at = 0; count >= 0; --count) {
      at = log.find(" closed", at);
      if (at == std::string::npos) return false;
      ++at;
    }
    return true;
  }

  void ExpectRefused(const TestCertificate& certificate,
                     const std::string& ca_file, const std::string& reason) {
    const auto slapd = Start(certificate);
    for (const Way way : {Way::kStartTls, Way::kLdaps}) {
      const auto answer = LogIn(*slapd, way, ca_file);
      const auto* failure = std::get_if<Failure>(&answer);
      ASSERT_NE(failure, nullptr);
      EXPECT_EQ(failure->kind, Failure::Kind::kTls);
      EXPECT_THAT(failure->text, HasSubstr(reason));
    }
    EXPECT_TRUE(RunUntil([&] { return HaveEnded(2, *slapd); }));
    EXPECT_THAT(slapd->Log(), Not(HasSubstr(" BIND")));
  }

  TestAuthority authority_;
};

TEST_F(LdapTlsTest, SendsNoPasswordToACertificateOfAnotherAuthority) {
  const TestAuthority other;  // of the same name
  ExpectRefused(
      authority_.Issue(Right()), other.ca_file(),
      "the certificate isn't trusted: its signature is not its issuer's");
}

TEST_F(LdapTlsTest, SendsNoPasswordToACertificateThatTheSystemDoesNotKnow) {
  ExpectRefused(authority_.Issue(Right()), "",
                "the certificate isn't trusted: no authority of caFile");
}

TEST_F(LdapTlsTest, SendsNoPasswordToACertificateOfAnotherName) {
  ExpectRefused(authority_.Issue(
                    {.common_name = "other", .dns_names = {"other.example"}}),
                authority_.ca_file(), "hostname (127.0.0.1) does not match");
}

TEST_F(LdapTlsTest, SendsNoPasswordToACertificateThatHasExpired) {
  TestAuthority::Subject subject = Right();
  subject.expired = true;
  ExpectRefused(authority_.Issue(subject), authority_.ca_file(), "expired");
}

TEST_F(LdapTlsTest, SendsNoPasswordToASelfSignedCertificate) {
  TestAuthority::Subject subject = Right();
  subject.self_signed = true;
  ExpectRefused(authority_.Issue(subject), authority_.ca_file(),
                "the certificate isn't trusted");
}

TEST_F(LdapTlsTest, SendsNoPasswordWhereStartTlsIsRefused) {
  const auto slapd = Start({});
  const auto answer = LogIn(*slapd, Way::kStartTls, authority_.ca_file());
  const auto* failure = std::get_if<Failure>(&answer);
  ASSERT_NE(failure, nullptr);
  EXPECT_THAT(failure->text, HasSubstr("StartTLS"));
  EXPECT_TRUE(RunUntil([&] { return HaveEnded(1, *slapd); }));
  EXPECT_THAT(slapd->Log(), Not(HasSubstr(" BIND")));
}

}  // namespace
}  // namespace gatehouse
