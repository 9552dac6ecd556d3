#include "lib/directory/mail_host.h"

#include <utility>

#include "absl/strings/match.h"
#include "lib/base/string_bridge.h"

namespace gatehouse {
namespace {

struct Scheme {
  std::string_view name;
  std::string_view service;
  bool implicit_tls = false;
};
constexpr Scheme kSchemes[] = {
    {"imap", "imap"},       {"imaps", "imap", true},
    {"pop", "pop3"},        {"pops", "pop3", true},
    {"pop3", "pop3"},       {"pop3s", "pop3", true},
    {"sieve", "sieve"},     {"lmtp", "smtp"},
    {"smtp", "smtp"},       {"smtps", "smtp", true},
    {"submission", "smtp"}, {"submissions", "smtp", true},
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
  if (scheme == nullptr) return host;
  if (scheme->service != service) {
    host.endpoint.port = 0;
    host.rank = MailHostValue::Rank::kOtherService;
    return host;
  }
  if (scheme->implicit_tls) host.implicit_tls = true;
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
