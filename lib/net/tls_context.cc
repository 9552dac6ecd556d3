#include "lib/net/tls_context.h"

#include <openssl/err.h>
#include <openssl/obj.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "lib/base/string_bridge.h"
#include "lib/net/tls_settings.h"

namespace gatehouse {
namespace {

constexpr char kDebianCaFile[] = "/etc/ssl/certs/ca-certificates.crt";

constexpr char kRfc822Name[] = "rfc822Name";

// TLS 1.2 with forward secrecy and AEAD only (RFC 9325 §4.2).
constexpr char kTls12Ciphers[] =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";

// A ticket may be used for several connections: one is enough for a client.
constexpr size_t kTickets = 1;

// The default asks the terminal for the passphrase of an encrypted key.
int NoPassphrase(char*, int, int, void*) { return -1; }

std::string Lower(std::string_view text) {
  return absl::AsciiStrToLower(ToAbsl(text));
}

std::string LastReason() {
  const uint32_t error = ERR_peek_last_error();
  ERR_clear_error();
  const char* reason = ERR_reason_error_string(error);
  return reason != nullptr ? Lower(reason) : "unknown error";
}

absl::Status FileError(const std::string& key, const std::string& file,
                       const std::string& reason) {
  return absl::InvalidArgumentError(key + ": " + file + ": " + reason);
}

// BoringSSL's own words for a missing file name neither file nor reason.
absl::Status CheckReadable(const std::string& key, const std::string& file) {
  if (access(file.c_str(), R_OK) != 0) {
    return FileError(key, file, strerrordesc_np(errno));
  }
  return absl::OkStatus();
}

absl::StatusOr<uint16_t> VersionNumber(const std::string& name) {
  if (name == "TLSv1.2") return TLS1_2_VERSION;
  if (name == "TLSv1.3") return TLS1_3_VERSION;
  return absl::InvalidArgumentError("minimumVersion: " + name +
                                    " is not TLSv1.2 or TLSv1.3");
}

absl::StatusOr<bssl::UniquePtr<SSL_CTX>> NewContext(
    const std::string& minimum_version) {
  const absl::StatusOr<uint16_t> version = VersionNumber(minimum_version);
  if (!version.ok()) return version.status();
  bssl::UniquePtr<SSL_CTX> context(SSL_CTX_new(TLS_method()));
  SSL_CTX_set_min_proto_version(context.get(), *version);
  SSL_CTX_set_max_proto_version(context.get(), TLS1_3_VERSION);
  SSL_CTX_set_strict_cipher_list(context.get(), kTls12Ciphers);
  SSL_CTX_set_default_passwd_cb(context.get(), NoPassphrase);
  // Tickets hold the sessions: a cache would be a lock and memory shared by
  // all threads.
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_early_data_enabled(context.get(), 0);
  return context;
}

absl::Status LoadCa(SSL_CTX* context, const std::string& key,
                    const std::string& file) {
  absl::Status readable = CheckReadable(key, file);
  if (!readable.ok()) return readable;
  if (SSL_CTX_load_verify_locations(context, file.c_str(), nullptr) != 1) {
    return FileError(key, file,
                     "holds no CA certificate (" + LastReason() + ")");
  }
  return absl::OkStatus();
}

// `where` is the place in the options.
absl::Status LoadCertificate(SSL_CTX* context, const std::string& where,
                             const TlsServerContext::Certificate& files) {
  const std::string& certificate = files.certificate_file;
  const std::string& key = files.private_key_file;
  const std::string certificate_key = where + "/certificate";
  const std::string key_key = where + "/privateKey";
  for (const auto& [place, file] :
       {std::pair(certificate_key, certificate), std::pair(key_key, key)}) {
    absl::Status readable = CheckReadable(place, file);
    if (!readable.ok()) return readable;
  }
  if (SSL_CTX_use_certificate_chain_file(context, certificate.c_str()) != 1) {
    return FileError(certificate_key, certificate,
                     "holds no certificate in PEM (" + LastReason() + ")");
  }
  if (SSL_CTX_use_PrivateKey_file(context, key.c_str(), SSL_FILETYPE_PEM) !=
      1) {
    // The X.509 part complains of nothing but a key that doesn't match.
    const bool mismatch = ERR_GET_LIB(ERR_peek_last_error()) == ERR_LIB_X509;
    const std::string reason = LastReason();
    return FileError(key_key, key,
                     mismatch ? "isn't the private key of " + certificate
                              : "holds no private key in PEM (" + reason + ")");
  }
  return absl::OkStatus();
}

void AddName(std::string_view name, std::vector<std::string>& names) {
  if (name.find('\0') == std::string_view::npos) names.push_back(Lower(name));
}

// The subjectAltName's DNS names; the common name only where there are none.
std::vector<std::string> NamesOf(X509* certificate) {
  std::vector<std::string> names;
  bssl::UniquePtr<GENERAL_NAMES> alternatives(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (size_t i = 0; i < sk_GENERAL_NAME_num(alternatives.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(alternatives.get(), i);
    if (name->type != GEN_DNS) continue;
    const ASN1_IA5STRING* text = name->d.dNSName;
    AddName({reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
             static_cast<size_t>(ASN1_STRING_length(text))},
            names);
  }
  if (!names.empty()) return names;
  char common_name[256];
  const int size = X509_NAME_get_text_by_NID(X509_get_subject_name(certificate),
                                             NID_commonName, common_name,
                                             sizeof(common_name));
  if (size > 0) AddName({common_name, static_cast<size_t>(size)}, names);
  return names;
}

std::string AlpnWire(const std::vector<std::string>& protocols) {
  std::string wire;
  for (const std::string& protocol : protocols) {
    wire += static_cast<char>(protocol.size());
    wire += protocol;
  }
  return wire;
}

int SelectCertificate(SSL* ssl, int* alert, void* context) {
  const auto* impl = static_cast<const TlsServerContext::Impl*>(context);
  const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  if (name == nullptr) return SSL_TLSEXT_ERR_NOACK;
  SSL_CTX* chosen = impl->ForName(name);
  if (chosen != SSL_get_SSL_CTX(ssl)) SSL_set_SSL_CTX(ssl, chosen);
  return SSL_TLSEXT_ERR_OK;
}

int SelectAlpn(SSL* ssl, const uint8_t** out, uint8_t* out_size,
               const uint8_t* offered, unsigned offered_size, void* context) {
  const auto* impl = static_cast<const TlsServerContext::Impl*>(context);
  const int result =
      SSL_select_next_proto(const_cast<uint8_t**>(out), out_size,
                            reinterpret_cast<const uint8_t*>(impl->alpn.data()),
                            impl->alpn.size(), offered, offered_size);
  return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK
                                          : SSL_TLSEXT_ERR_ALERT_FATAL;
}

absl::Status AskForClientCertificates(SSL_CTX* context,
                                      const std::string& ca_file) {
  absl::Status loaded = LoadCa(context, "clientCaFile", ca_file);
  if (!loaded.ok()) return loaded;
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_client_CA_list(context, SSL_load_client_CA_file(ca_file.c_str()));
  return absl::OkStatus();
}

absl::StatusOr<bssl::UniquePtr<SSL_CTX>> NewServerContext(
    const TlsServerContext::Options& options, const std::string& where,
    const TlsServerContext::Certificate& files,
    TlsServerContext::Impl* settings) {
  auto context = NewContext(options.minimum_version);
  if (!context.ok()) return context;
  SSL_CTX* raw = context->get();
  absl::Status loaded = LoadCertificate(raw, where, files);
  if (!loaded.ok()) return loaded;
  if (!options.client_ca_file.empty()) {
    absl::Status asked = AskForClientCertificates(raw, options.client_ca_file);
    if (!asked.ok()) return asked;
  }
  SSL_CTX_set_num_tickets(raw, kTickets);
  // The same for all, so that a ticket is good whichever name it came by.
  constexpr uint8_t kSessionContext[] = {'g', 'a', 't', 'e'};
  SSL_CTX_set_session_id_context(raw, kSessionContext, sizeof(kSessionContext));
  SSL_CTX_set_tlsext_servername_callback(raw, SelectCertificate);
  SSL_CTX_set_tlsext_servername_arg(raw, settings);
  if (!settings->alpn.empty()) {
    SSL_CTX_set_alpn_select_cb(raw, SelectAlpn, settings);
  }
  return context;
}

}  // namespace

SSL_CTX* TlsServerContext::Impl::ForName(std::string_view server_name) const {
  std::string name = Lower(server_name);
  if (const auto exact = by_name.find(name); exact != by_name.end()) {
    return exact->second;
  }
  // A wildcard stands for one label (RFC 9525 §6.3).
  const size_t dot = name.find('.');
  if (dot != std::string::npos) {
    const auto wildcard = by_name.find("*" + name.substr(dot));
    if (wildcard != by_name.end()) return wildcard->second;
  }
  return contexts.front().get();
}

TlsServerContext::TlsServerContext(std::unique_ptr<Impl> impl)
    : impl_(std::move(impl)) {}
TlsServerContext::~TlsServerContext() = default;

absl::StatusOr<std::unique_ptr<TlsServerContext>> TlsServerContext::Create(
    const Options& options) {
  if (options.certificates.empty()) {
    return absl::InvalidArgumentError("certificates: none is given");
  }
  auto impl = std::make_unique<Impl>();
  impl->alpn = AlpnWire(options.alpn);
  if (options.client_identity != kRfc822Name) {
    impl->identity_attribute.reset(
        OBJ_txt2obj(options.client_identity.c_str(), /*dont_search_names=*/0));
    if (impl->identity_attribute == nullptr) {
      ERR_clear_error();
      return absl::InvalidArgumentError(
          "clientIdentity: \"" + options.client_identity +
          "\" is neither rfc822Name nor a subject\'s attribute");
    }
  }
  for (size_t i = 0; i < options.certificates.size(); ++i) {
    auto context =
        NewServerContext(options, "certificates/" + std::to_string(i),
                         options.certificates[i], impl.get());
    if (!context.ok()) return context.status();
    for (std::string& name :
         NamesOf(SSL_CTX_get0_certificate(context->get()))) {
      // Where two have the same name, the first in the list is meant.
      impl->by_name.emplace(std::move(name), context->get());
    }
    impl->contexts.push_back(*std::move(context));
  }
  return std::unique_ptr<TlsServerContext>(
      new TlsServerContext(std::move(impl)));
}

TlsClientContext::TlsClientContext(std::unique_ptr<Impl> impl)
    : impl_(std::move(impl)) {}
TlsClientContext::~TlsClientContext() = default;

absl::StatusOr<std::unique_ptr<TlsClientContext>> TlsClientContext::Create(
    const Options& options) {
  auto context = NewContext(options.minimum_version);
  if (!context.ok()) return context.status();
  if (options.verify) {
    absl::Status loaded =
        LoadCa(context->get(), "caFile",
               options.ca_file.empty() ? kDebianCaFile : options.ca_file);
    if (!loaded.ok()) return loaded;
    SSL_CTX_set_verify(context->get(), SSL_VERIFY_PEER, nullptr);
  }
  auto impl = std::make_unique<Impl>();
  impl->context = *std::move(context);
  impl->certificates.reset(CRYPTO_BUFFER_POOL_new());
  SSL_CTX_set0_buffer_pool(impl->context.get(), impl->certificates.get());
  impl->verify = options.verify;
  return std::unique_ptr<TlsClientContext>(
      new TlsClientContext(std::move(impl)));
}

}  // namespace gatehouse
