#include "lib/session/login_identity.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/strings/match.h"

namespace gatehouse {
namespace {

// As the client wrote them.
struct Claim {
  std::string_view user;
  std::optional<std::string_view> master;
};

Claim ClaimOf(const LoginAttempt& attempt, const MasterLogins& masters) {
  if (!attempt.authorization_id.empty()) {
    return {attempt.authorization_id, attempt.user};
  }
  const std::string_view name = attempt.user;
  if (masters.separator.empty()) return {name, std::nullopt};
  const size_t at = name.rfind(masters.separator);
  if (at == std::string_view::npos) return {name, std::nullopt};
  return {name.substr(0, at), name.substr(at + masters.separator.size())};
}

// Neither a token nor a certificate speaks for anybody but its owner.
bool MayBeMaster(const std::string& name, const LoginAttempt& attempt,
                 const MasterLogins& masters) {
  return attempt.credentials == Credentials::kPassword &&
         !masters.separator.empty() &&
         std::any_of(masters.users.begin(), masters.users.end(),
                     [&](const std::string& master) {
                       return absl::EqualsIgnoreCase(master, name);
                     });
}

}  // namespace

std::variant<LoginIdentity, LoginRefusal::Kind> IdentifyLogin(
    const LoginAttempt& attempt, const LoginNameRules& rules,
    const MasterLogins& masters) {
  const Claim claim = ClaimOf(attempt, masters);
  const auto user = ParseLoginName(claim.user, rules);
  if (!user) return LoginRefusal::Kind::kCredentials;
  if (!claim.master) return LoginIdentity{user->Whole(), ""};
  const bool by_sasl = !attempt.authorization_id.empty();
  const auto master = ParseLoginName(*claim.master, rules);
  // Oneself, spelled in another way.
  if (by_sasl && master && master->Whole() == user->Whole()) {
    return LoginIdentity{user->Whole(), ""};
  }
  if (!master || !MayBeMaster(master->Whole(), attempt, masters)) {
    return by_sasl ? LoginRefusal::Kind::kAuthorization
                   : LoginRefusal::Kind::kCredentials;
  }
  return LoginIdentity{user->Whole(), master->Whole()};
}

}  // namespace gatehouse
