#include "lib/net/tls_peer.h"

#include <openssl/bio.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "lib/base/endpoint.h"

namespace gatehouse {
namespace {

std::string SubjectText(X509* certificate) {
  bssl::UniquePtr<BIO> text(BIO_new(BIO_s_mem()));
  // RFC 4514 writes UTF-8 as it is.
  constexpr unsigned long kFlags = XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB;
  X509_NAME_print_ex(text.get(), X509_get_subject_name(certificate), 0, kFlags);
  const uint8_t* data = nullptr;
  size_t size = 0;
  BIO_mem_contents(text.get(), &data, &size);
  return std::string(reinterpret_cast<const char*>(data), size);
}

// "bob@example.com\0.evil.org" is nobody.
std::string WithoutNul(std::string text) {
  return text.find('\0') == std::string::npos ? std::move(text) : "";
}

std::string FirstRfc822Name(X509* certificate) {
  bssl::UniquePtr<GENERAL_NAMES> alternatives(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (size_t i = 0; i < sk_GENERAL_NAME_num(alternatives.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(alternatives.get(), i);
    if (name->type != GEN_EMAIL) continue;
    const ASN1_IA5STRING* value = name->d.rfc822Name;
    return WithoutNul(
        std::string(reinterpret_cast<const char*>(ASN1_STRING_get0_data(value)),
                    ASN1_STRING_length(value)));
  }
  return "";
}

// In UTF-8. Of two values neither is taken: which one a reader meets first
// would be the requester's choice.
std::string OnlyValue(X509* certificate, const ASN1_OBJECT* attribute) {
  X509_NAME* subject = X509_get_subject_name(certificate);
  const int index = X509_NAME_get_index_by_OBJ(subject, attribute, -1);
  if (index < 0 || X509_NAME_get_index_by_OBJ(subject, attribute, index) >= 0) {
    return "";
  }
  const ASN1_STRING* value =
      X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, index));
  uint8_t* utf8 = nullptr;
  const int size = ASN1_STRING_to_UTF8(&utf8, value);
  if (size < 0) return "";
  const bssl::UniquePtr<uint8_t> owner(utf8);
  return WithoutNul(std::string(reinterpret_cast<const char*>(utf8), size));
}

}  // namespace

bool ExpectPeer(SSL* ssl, std::string_view name) {
  const std::string text(name.ends_with('.') ? name.substr(0, name.size() - 1)
                                             : name);
  X509_VERIFY_PARAM* expected = SSL_get0_param(ssl);
  if (SocketAddress::Parse(text, 0)) {
    return X509_VERIFY_PARAM_set1_ip_asc(expected, text.c_str()) == 1;
  }
  X509_VERIFY_PARAM_set_hostflags(expected,
                                  X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
  return !text.empty() && text.find('\0') == std::string::npos &&
         SSL_set_tlsext_host_name(ssl, text.c_str()) == 1 &&
         X509_VERIFY_PARAM_set1_host(expected, text.data(), text.size()) == 1;
}

std::string VerifyErrorText(const SSL* ssl) {
  return X509_verify_cert_error_string(SSL_get_verify_result(ssl));
}

std::unique_ptr<TlsSession> DescribeSession(
    const SSL* ssl, bool verifies_peer, const ASN1_OBJECT* identity_attribute) {
  auto session = std::make_unique<TlsSession>();
  session->version = SSL_get_version(ssl);
  session->cipher = SSL_CIPHER_standard_name(SSL_get_current_cipher(ssl));
  const char* server_name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  if (server_name != nullptr) session->server_name = server_name;
  session->resumed = SSL_session_reused(ssl) == 1;
  bssl::UniquePtr<X509> certificate(SSL_get_peer_certificate(ssl));
  if (certificate == nullptr || !verifies_peer ||
      SSL_get_verify_result(ssl) != X509_V_OK) {
    return session;
  }
  session->peer_verified = true;
  session->peer_subject = SubjectText(certificate.get());
  session->peer_identity =
      identity_attribute == nullptr
          ? FirstRfc822Name(certificate.get())
          : OnlyValue(certificate.get(), identity_attribute);
  return session;
}

}  // namespace gatehouse
