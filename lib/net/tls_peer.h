#ifndef GATEHOUSE_LIB_NET_TLS_PEER_H_
#define GATEHOUSE_LIB_NET_TLS_PEER_H_

#include <openssl/ssl.h>

#include <memory>
#include <string>
#include <string_view>

#include "lib/net/stream.h"

namespace gatehouse {

// Tells a client's SSL whom it must meet: a host name, also sent as SNI, or an
// address, checked against the certificate's subjectAltName alone (RFC 9525
// §6.1: never the common name). False where the name is neither.
bool ExpectPeer(SSL* ssl, std::string_view name);

// Why the peer's certificate was refused.
std::string VerifyErrorText(const SSL* ssl);

// The facts of an established session. `identity_attribute` as in
// TlsServerContext::Impl.
std::unique_ptr<TlsSession> DescribeSession(
    const SSL* ssl, bool verifies_peer, const ASN1_OBJECT* identity_attribute);

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_NET_TLS_PEER_H_
