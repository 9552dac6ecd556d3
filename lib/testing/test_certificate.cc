#include "lib/testing/test_certificate.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <unistd.h>

#include <atomic>
#include <fstream>

#include "lib/base/check.h"

namespace gatehouse {
namespace {

constexpr long kDaySeconds = 86400;

bssl::UniquePtr<EVP_PKEY> NewKey() {
  bssl::UniquePtr<EC_KEY> curve(EC_KEY_new_by_curve_name(NID_X9_62_prime256v1));
  GATEHOUSE_CHECK(EC_KEY_generate_key(curve.get()) == 1, "no key");
  bssl::UniquePtr<EVP_PKEY> key(EVP_PKEY_new());
  EVP_PKEY_set1_EC_KEY(key.get(), curve.get());
  return key;
}

void AddToName(X509_NAME* name, const std::string& attribute,
               const std::string& value) {
  const int added =
      X509_NAME_add_entry_by_txt(name, attribute.c_str(), MBSTRING_UTF8,
                                 reinterpret_cast<const uint8_t*>(value.data()),
                                 static_cast<int>(value.size()), -1, 0);
  GATEHOUSE_CHECK(added == 1, "bad attribute");
}

void AddExtension(X509* certificate, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  bssl::UniquePtr<X509_EXTENSION> extension(
      X509V3_EXT_nconf_nid(nullptr, &context, kind, value.c_str()));
  GATEHOUSE_CHECK(extension != nullptr, "bad extension");
  X509_add_ext(certificate, extension.get(), -1);
}

bssl::UniquePtr<X509> NewCertificate(EVP_PKEY* key,
                                     const std::string& common_name,
                                     bool expired) {
  static std::atomic<long> next_serial = 1;
  bssl::UniquePtr<X509> certificate(X509_new());
  X509_set_version(certificate.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), next_serial++);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -3 * kDaySeconds);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()),
                  expired ? -kDaySeconds : kDaySeconds);
  AddToName(X509_get_subject_name(certificate.get()), "CN", common_name);
  X509_set_pubkey(certificate.get(), key);
  return certificate;
}

void Sign(X509* certificate, X509_NAME* issuer, EVP_PKEY* key) {
  X509_set_issuer_name(certificate, issuer);
  GATEHOUSE_CHECK(X509_sign(certificate, key, EVP_sha256()) > 0, "not signed");
}

std::string ContentsOf(BIO* memory) {
  const uint8_t* data = nullptr;
  size_t size = 0;
  BIO_mem_contents(memory, &data, &size);
  return std::string(reinterpret_cast<const char*>(data), size);
}

std::string CertificatePem(X509* certificate) {
  bssl::UniquePtr<BIO> memory(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509(memory.get(), certificate);
  return ContentsOf(memory.get());
}

std::string KeyPem(EVP_PKEY* key) {
  bssl::UniquePtr<BIO> memory(BIO_new(BIO_s_mem()));
  PEM_write_bio_PrivateKey(memory.get(), key, nullptr, nullptr, 0, nullptr,
                           nullptr);
  return ContentsOf(memory.get());
}

std::string AlternativeNames(const TestAuthority::Subject& subject) {
  std::string text;
  const auto add = [&text](const char* kind, const auto& names) {
    for (const std::string& name : names) {
      text += (text.empty() ? "" : ",") + (kind + (":" + name));
    }
  };
  add("DNS", subject.dns_names);
  add("IP", subject.addresses);
  add("email", subject.rfc822_names);
  return text;
}

}  // namespace

struct TestAuthority::Keys {
  bssl::UniquePtr<EVP_PKEY> key = NewKey();
  bssl::UniquePtr<X509> certificate =
      NewCertificate(key.get(), "Test Authority", /*expired=*/false);
};

TestAuthority::TestAuthority() : keys_(std::make_unique<Keys>()) {
  X509* certificate = keys_->certificate.get();
  AddExtension(certificate, NID_basic_constraints, "critical,CA:TRUE");
  Sign(certificate, X509_get_subject_name(certificate), keys_->key.get());
  ca_file_ = WriteTestFile(CertificatePem(certificate));
}

TestAuthority::~TestAuthority() = default;

TestCertificate TestAuthority::Issue(const Subject& subject) const {
  bssl::UniquePtr<EVP_PKEY> key = NewKey();
  bssl::UniquePtr<X509> certificate =
      NewCertificate(key.get(), subject.common_name, subject.expired);
  for (const auto& [attribute, value] : subject.attributes) {
    AddToName(X509_get_subject_name(certificate.get()), attribute, value);
  }
  const std::string names = AlternativeNames(subject);
  if (!names.empty()) {
    AddExtension(certificate.get(), NID_subject_alt_name, names);
  }
  if (subject.self_signed) {
    Sign(certificate.get(), X509_get_subject_name(certificate.get()),
         key.get());
  } else {
    Sign(certificate.get(), X509_get_subject_name(keys_->certificate.get()),
         keys_->key.get());
  }
  return {WriteTestFile(CertificatePem(certificate.get())),
          WriteTestFile(KeyPem(key.get()))};
}

std::string WriteTestFile(std::string_view content) {
  const char* folder = getenv("TEST_TMPDIR");
  std::string path =
      std::string(folder != nullptr ? folder : "/tmp") + "/gatehouse-XXXXXX";
  const int fd = mkstemp(path.data());
  GATEHOUSE_CHECK(fd >= 0, "no file to be had");
  close(fd);
  std::ofstream(path) << content;
  return path;
}

}  // namespace gatehouse
