#include "lib/protocol/imap/imap_capabilities.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "lib/base/string_bridge.h"
#include "lib/protocol/imap/imap_parser.h"
#include "lib/protocol/sasl.h"

namespace gatehouse {
namespace {

// What we do ourselves, whatever the stores do. LITERAL- and not LITERAL+
// (RFC 7888 §5): before login nobody gets to send more than a password.
constexpr std::string_view kOwn[] = {"IMAP4rev1", "LITERAL-", "SASL-IR", "ID"};

constexpr char kMechanismPrefix[] = "AUTH=";

// Never passed on from a store: each is about a login or a connection that ends
// at the front end. UNAUTHENTICATE (RFC 8437) would let a client log in anew on
// the store, past our checks.
constexpr std::string_view kNeverPassed[] = {"STARTTLS", "LOGINDISABLED",
                                             "UNAUTHENTICATE"};
// Not before login: LITERAL+ would contradict LITERAL-, referrals
// (RFC 2221) would send clients round the front end.
constexpr std::string_view kNotBeforeLogin[] = {"LITERAL+", "LOGIN-REFERRALS"};

bool EqualsIgnoringCase(std::string_view a, std::string_view b) {
  return absl::EqualsIgnoreCase(ToAbsl(a), ToAbsl(b));
}

template <typename List>
bool Contains(const List& list, std::string_view token) {
  return std::any_of(std::begin(list), std::end(list),
                     [token](std::string_view known) {
                       return EqualsIgnoringCase(known, token);
                     });
}

bool IsMechanism(std::string_view token) {
  return absl::StartsWithIgnoreCase(ToAbsl(token), kMechanismPrefix);
}

bool MayPass(std::string_view token) {
  return !Contains(kNeverPassed, token) && !IsMechanism(token);
}

bool MayPassBeforeLogin(std::string_view token) {
  return MayPass(token) && !Contains(kNotBeforeLogin, token) &&
         !Contains(kOwn, token);
}

}  // namespace

std::vector<std::string> SplitCapabilities(std::string_view text) {
  std::vector<std::string> tokens;
  tokens.reserve(1 + std::count(text.begin(), text.end(), ' '));
  ImapReader reader(text);
  while (!reader.AtEnd()) {
    while (reader.TakeSpace()) {
    }
    const std::string_view token = reader.TakeUntilSpace();
    ImapReader atom(token);
    if (atom.TakeAtom() && atom.AtEnd()) tokens.emplace_back(token);
  }
  return tokens;
}

bool HasCapability(const std::vector<std::string>& capabilities,
                   std::string_view name) {
  return Contains(capabilities, name);
}

std::vector<std::string> SaslMechanismsIn(
    const std::vector<std::string>& capabilities) {
  std::vector<std::string> mechanisms;
  for (const std::string& token : capabilities) {
    if (!IsMechanism(token)) continue;
    mechanisms.push_back(token.substr(sizeof(kMechanismPrefix) - 1));
  }
  return mechanisms;
}

void AppendFrontEndCapabilities(const DownstreamOptions& options,
                                std::string& out) {
  const auto add = [&out](std::string_view prefix, std::string_view token) {
    out.append(" ").append(prefix).append(token);
  };
  for (const std::string_view token : kOwn) add("", token);
  if (options.start_tls_offered && !options.tls_active) add("", "STARTTLS");
  if (!MaySendCredentials(options)) add("", "LOGINDISABLED");
  for (const SaslMechanism mechanism : kSaslMechanisms) {
    if (IsOffered(mechanism, options)) {
      add(kMechanismPrefix, SaslMechanismName(mechanism));
    }
  }
  if (options.upstream_capabilities == nullptr) return;
  for (const std::string& token : *options.upstream_capabilities) {
    if (MayPassBeforeLogin(token)) add("", token);
  }
}

void AppendStoreCapabilities(const std::vector<std::string>& capabilities,
                             std::string& out) {
  for (const std::string& token : capabilities) {
    if (MayPass(token)) out.append(" ").append(token);
  }
}

}  // namespace gatehouse
