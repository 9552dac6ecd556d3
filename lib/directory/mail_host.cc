#include "lib/directory/mail_host.h"

#include <cstdint>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "lib/base/string_bridge.h"

namespace gatehouse {
namespace {

struct Scheme {
  std::string_view name;
  std::string_view service;
  uint16_t implicit_tls_port = 0;  // 0: TLS isn't implicit
};
constexpr Scheme kSchemes[] = {
    {"imap", "imap"},       {"imaps", "imap", 993},
    {"pop", "pop3"},        {"pops", "pop3", 995},
    {"pop3", "pop3"},       {"pop3s", "pop3", 995},
    {"sieve", "sieve"},     {"lmtp", "smtp"},
    {"smtp", "smtp"},       {"smtps", "smtp", 465},
    {"submission", "smtp"}, {"submissions", "smtp", 465},
};

const Scheme* FindScheme(std::string_view name) {
  for (const Scheme& scheme : kSchemes) {
    if (absl::EqualsIgnoreCase(ToAbsl(scheme.name), ToAbsl(name)))
      return &scheme;
  }
  return nullptr;
}

}  // namespace

std::optional<MailHostValue> ParseMailHost(std::string_view value,
                                           std::string_view service) {
  constexpr std::string_view kMark = "://";
  const Scheme* scheme = nullptr;
  const size_t mark = value.find(kMark);
  if (mark != std::string_view::npos) {
    scheme = FindScheme(value.substr(0, mark));
    if (scheme == nullptr) return std::nullopt;
    value.remove_prefix(mark + kMark.size());
    if (value.ends_with('/')) value.remove_suffix(1);
  }
  auto endpoint = Endpoint::Parse(value);
  if (!endpoint) return std::nullopt;
  MailHostValue host{*std::move(endpoint)};
  absl::AsciiStrToLower(&host.endpoint.host);
  if (scheme == nullptr) return host;
  if (scheme->service != service) {
    host.endpoint.port = 0;
    host.rank = MailHostValue::Rank::kOtherService;
    return host;
  }
  if (scheme->implicit_tls_port != 0) {
    host.implicit_tls = true;
    if (host.endpoint.port == 0) host.endpoint.port = scheme->implicit_tls_port;
  }
  host.rank = MailHostValue::Rank::kThisService;
  return host;
}

bool ReadMailHost(std::string_view value, std::string_view service,
                  Location& location) {
  auto host = ParseMailHost(value, service);
  if (!host) return false;
  location.host = std::move(host->endpoint);
  location.implicit_tls = host->implicit_tls;
  return true;
}

}  // namespace gatehouse
