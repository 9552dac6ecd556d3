#ifndef GATEHOUSE_LIB_NET_TLS_CONTEXT_H_
#define GATEHOUSE_LIB_NET_TLS_CONTEXT_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace gatehouse {

// Settings and keys for the server's side of TLS: several certificates chosen
// by SNI (the first is the default), session tickets, TLS 1.2 and 1.3 only,
// no 0-RTT (a replayed LOGIN), no renegotiation. Immutable and safe for all
// threads; outlives every stream that was started with it.
class TlsServerContext {
 public:
  struct Certificate {
    std::string certificate_file;  // PEM, leaf first, then the chain
    std::string private_key_file;  // PEM
  };
  struct Options {
    std::vector<Certificate> certificates;
    // ALPN protocol ids that are accepted ("imap", "pop3", "managesieve",
    // "smtp"); a client that offers only others gets no_application_protocol
    // (ALPACA). A client without ALPN is accepted.
    std::vector<std::string> alpn;
    // Where set: client certificates are asked for and, if given, must verify
    // against this CA file.
    std::string client_ca_file;
    // Where a client's certificate says who the client is: "rfc822Name", the
    // first of that kind in the subjectAltName, or an attribute of the subject
    // by name or OID ("commonName", "emailAddress", "UID",
    // "1.3.6.1.4.1.99.1"), of which there must be exactly one.
    std::string client_identity = "rfc822Name";
    std::string minimum_version = "TLSv1.2";
  };

  // The error names the option by the configuration's key, the file at fault
  // and what is wrong with it (not there, not readable, not PEM, the key isn't
  // the certificate's): "certificates/0/privateKey: imap.key: …".
  static absl::StatusOr<std::unique_ptr<TlsServerContext>> Create(
      const Options& options);
  ~TlsServerContext();

  struct Impl;  // BoringSSL's side, for tls_engine
  const Impl& impl() const { return *impl_; }

 private:
  explicit TlsServerContext(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// The client's side of TLS, towards upstreams. Immutable, safe for all threads.
class TlsClientContext {
 public:
  struct Options {
    std::string ca_file;  // "": Debian's /etc/ssl/certs/ca-certificates.crt
    bool verify = true;   // certificate chain and name
    std::string minimum_version = "TLSv1.2";
  };

  static absl::StatusOr<std::unique_ptr<TlsClientContext>> Create(
      const Options& options);
  ~TlsClientContext();

  struct Impl;
  const Impl& impl() const { return *impl_; }

 private:
  explicit TlsClientContext(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_NET_TLS_CONTEXT_H_
