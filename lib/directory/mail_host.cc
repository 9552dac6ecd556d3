#include "lib/directory/mail_host.h"

#include "absl/strings/match.h"
#include "lib/base/string_bridge.h"

namespace gatehouse {
namespace {

struct Scheme {
  std::string_view name;
  bool implicit_tls;
};
constexpr Scheme kSchemes[] = {
    {"imap", false},  {"imaps", true},       {"pop", false},
    {"pop3", false},  {"pops", true},        {"pop3s", true},
    {"sieve", false}, {"smtp", false},       {"smtps", true},
    {"lmtp", false},  {"submission", false}, {"submissions", true},
};

const Scheme* FindScheme(std::string_view name) {
  for (const Scheme& scheme : kSchemes) {
    if (absl::EqualsIgnoreCase(ToAbsl(scheme.name), ToAbsl(name)))
      return &scheme;
  }
  return nullptr;
}

}  // namespace

bool ReadMailHost(std::string_view value, Location& location) {
  constexpr std::string_view kMark = "://";
  const size_t mark = value.find(kMark);
  if (mark != std::string_view::npos) {
    const Scheme* scheme = FindScheme(value.substr(0, mark));
    if (scheme == nullptr) return false;
    // "imap://" leaves open whether STARTTLS is wanted: the settings say it.
    if (scheme->implicit_tls) location.implicit_tls = true;
    value.remove_prefix(mark + kMark.size());
    if (value.ends_with('/')) value.remove_suffix(1);
  }
  location.host = Endpoint::Parse(value);
  return location.host.has_value();
}

}  // namespace gatehouse
