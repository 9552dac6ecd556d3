#include "lib/directory/ldap_trace.h"

#include <ldap.h>

#include <cstdlib>
#include <mutex>

namespace gatehouse {
namespace {

// LDAP_DEBUG_TRACE: names of functions and reasons, nothing of what is sent.
constexpr int kTraceLevel = 1;
// More than a connecting with StartTLS says.
constexpr size_t kMostBytes = 16384;

thread_local std::string* heard_by_this_thread = nullptr;

void Hear(const char* line) {
  if (heard_by_this_thread == nullptr) return;
  if (heard_by_this_thread->size() < kMostBytes) *heard_by_this_thread += line;
}

// How many traces there are, and libldap's debug level without them.
std::mutex traces_mutex;
int traces = 0;
int level_before = 0;

void Begin() {
  const std::lock_guard<std::mutex> lock(traces_mutex);
  if (traces++ > 0) return;
  ldap_get_option(nullptr, LDAP_OPT_DEBUG_LEVEL, &level_before);
  ber_set_option(nullptr, LBER_OPT_LOG_PRINT_FN,
                 reinterpret_cast<const void*>(&Hear));
  ldap_set_option(nullptr, LDAP_OPT_DEBUG_LEVEL, &kTraceLevel);
}

void End() {
  const std::lock_guard<std::mutex> lock(traces_mutex);
  if (--traces > 0) return;
  ldap_set_option(nullptr, LDAP_OPT_DEBUG_LEVEL, &level_before);
}

// What follows the last `mark`, up to the end of its line.
std::string_view After(std::string_view text, std::string_view mark) {
  const size_t at = text.rfind(mark);
  if (at == std::string_view::npos) return {};
  text.remove_prefix(at + mark.size());
  return text.substr(0, text.find('\n'));
}

// GnuTLS's gnutls_certificate_status_t, which libldap prints in hexadecimal.
std::string CertificateFault(std::string_view status) {
  const struct {
    unsigned long bit;
    const char* words;
  } kFaults[] = {
      {1 << 5, "it is revoked"},
      {1 << 6, "no authority of caFile, or of the system's, has issued it"},
      {1 << 7, "its issuer is no authority"},
      {1 << 8, "it is signed by a broken algorithm"},
      {1 << 9, "it is not yet valid"},
      {1 << 10, "it has expired"},
      {1 << 11, "its signature is not its issuer's"},
      {1 << 17, "its issuer may not issue such"},
      {1 << 19, "it is not meant for servers"},
  };
  const unsigned long bits =
      std::strtoul(std::string(status).c_str(), nullptr, 16);
  std::string text;
  for (const auto& fault : kFaults) {
    if ((bits & fault.bit) == 0) continue;
    text.append(text.empty() ? "" : ", ").append(fault.words);
  }
  return text.empty() ? "status " + std::string(status) : text;
}

}  // namespace

LdapTrace::LdapTrace() {
  heard_by_this_thread = &text_;
  Begin();
}

LdapTrace::~LdapTrace() {
  End();
  heard_by_this_thread = nullptr;
}

std::string LdapTrace::Reason() const { return ReasonInLdapTrace(text_); }

std::string ReasonInLdapTrace(std::string_view text) {
  const std::string_view status =
      After(text, "TLS: peer cert untrusted or revoked (");
  if (!status.empty()) {
    return "the certificate isn't trusted: " +
           CertificateFault(status.substr(0, status.find(')')));
  }
  for (const std::string_view mark :
       {"TLS: hostname ", "TLS: certificate ", "getaddrinfo failed: "}) {
    std::string_view rest = After(text, mark);
    if (rest.empty()) continue;
    if (rest.ends_with('.')) rest.remove_suffix(1);
    return std::string(mark.starts_with("TLS: ") ? mark.substr(5) : "") +
           std::string(rest);
  }
  // "ldap_is_socket_ready: error on socket 3: errno: 111 (Connection refused)"
  const std::string_view error = After(text, "errno: ");
  const size_t open = error.find('(');
  const size_t close = error.rfind(')');
  if (open == std::string_view::npos || close < open) return "";
  return std::string(error.substr(open + 1, close - open - 1));
}

}  // namespace gatehouse
