#include "lib/net/tls_context.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/testing/test_certificate.h"

namespace gatehouse {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class TlsContextTest : public ::testing::Test {
 protected:
  static std::string ServerError(const std::string& certificate,
                                 const std::string& key) {
    TlsServerContext::Options options;
    options.certificates = {{certificate, key}};
    return std::string(TlsServerContext::Create(options).status().message());
  }

  TestAuthority authority_;
  TestCertificate good_ = authority_.Issue({});
};

TEST_F(TlsContextTest, NamesTheFileThatIsNotThere) {
  EXPECT_EQ(
      ServerError("/no/such.pem", good_.private_key_file),
      "certificates/0/certificate: /no/such.pem: No such file or directory");
  EXPECT_EQ(
      ServerError(good_.certificate_file, "/no/such.key"),
      "certificates/0/privateKey: /no/such.key: No such file or directory");
}

TEST_F(TlsContextTest, NamesTheFileThatIsNotPem) {
  const std::string text = WriteTestFile("not a certificate");
  EXPECT_THAT(ServerError(text, good_.private_key_file),
              StartsWith("certificates/0/certificate: " + text));
  EXPECT_THAT(ServerError(good_.certificate_file, text),
              StartsWith("certificates/0/privateKey: " + text));
}

TEST_F(TlsContextTest, NamesTheKeyThatBelongsToAnotherCertificate) {
  const TestCertificate other = authority_.Issue({});
  EXPECT_EQ(ServerError(good_.certificate_file, other.private_key_file),
            "certificates/0/privateKey: " + other.private_key_file +
                ": isn't the private key of " + good_.certificate_file);
}

TEST_F(TlsContextTest, AnEncryptedKeyIsAnErrorAndAsksNobody) {
  const std::string key = WriteTestFile(
      "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
      "MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAgAAAAAAAAAAAICCAAw\n"
      "-----END ENCRYPTED PRIVATE KEY-----\n");
  EXPECT_THAT(ServerError(good_.certificate_file, key),
              StartsWith("certificates/0/privateKey: " + key));
}

TEST_F(TlsContextTest, NamesTheCaFileAtFault) {
  EXPECT_THAT(std::string(TlsClientContext::Create({.ca_file = "/no/ca.pem"})
                              .status()
                              .message()),
              HasSubstr("/no/ca.pem"));
  const std::string text = WriteTestFile("nothing");
  EXPECT_THAT(
      std::string(
          TlsClientContext::Create({.ca_file = text}).status().message()),
      StartsWith("caFile: " + text + ": holds no CA certificate"));
}

TEST_F(TlsContextTest, KnowsNoOtherVersions) {
  EXPECT_FALSE(TlsClientContext::Create({.ca_file = authority_.ca_file(),
                                         .minimum_version = "TLSv1.1"})
                   .ok());
}

TEST_F(TlsContextTest, AServerNeedsACertificate) {
  EXPECT_FALSE(TlsServerContext::Create({}).ok());
}

}  // namespace
}  // namespace gatehouse
