#ifndef GATEHOUSE_LIB_NET_TLS_SETTINGS_H_
#define GATEHOUSE_LIB_NET_TLS_SETTINGS_H_

#include <openssl/asn1.h>
#include <openssl/pool.h>
#include <openssl/ssl.h>

#include <string>
#include <unordered_map>
#include <vector>

#include "lib/net/tls_context.h"

namespace gatehouse {

// BoringSSL's side of the contexts: what a TlsEngine is made from.
struct TlsServerContext::Impl {
  // The first is the default; its ticket keys serve all.
  std::vector<bssl::UniquePtr<SSL_CTX>> contexts;
  // From the certificates' names, in lower case; "*.example.com" as it stands.
  std::unordered_map<std::string, SSL_CTX*> by_name;
  std::string alpn;  // as on the wire: length, protocol, length, protocol …
  // Of the subject, naming the client; null: the subjectAltName's rfc822Name.
  bssl::UniquePtr<ASN1_OBJECT> identity_attribute;

  SSL_CTX* ForName(std::string_view server_name) const;
};

struct TlsClientContext::Impl {
  // Each session keeps its peer's certificates: those of one store are held
  // once. Outlives the context.
  bssl::UniquePtr<CRYPTO_BUFFER_POOL> certificates;
  bssl::UniquePtr<SSL_CTX> context;
  bool verify = true;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_NET_TLS_SETTINGS_H_
