#ifndef GATEHOUSE_LIB_SESSION_LOGIN_IDENTITY_H_
#define GATEHOUSE_LIB_SESSION_LOGIN_IDENTITY_H_

#include <string>
#include <variant>
#include <vector>

#include "lib/directory/login_name.h"
#include "lib/protocol/machine.h"

namespace gatehouse {

// Who may open the mailboxes of others with their own password: by the name
// "user*master", or with the mailbox as SASL authorization identity (RFC 4616
// §2).
struct MasterLogins {
  std::string separator;           // between user and master; empty: nobody may
  std::vector<std::string> users;  // the masters' own login names
};

// Whose mailbox a client wants, and whose password it gives; both as
// ParseLoginName() writes them.
struct LoginIdentity {
  std::string user;
  std::string master;  // empty: the user's own

  const std::string& password_owner() const {
    return master.empty() ? user : master;
  }
};

// What the client calls itself, or how it is to be refused: kCredentials for
// what can't be a name, kAuthorization for an authorization identity that isn't
// granted. Nothing else of a client's spelling may go to a directory or an
// upstream: with "*" in it, an upstream would find a master user there.
std::variant<LoginIdentity, LoginRefusal::Kind> IdentifyLogin(
    const LoginAttempt& attempt, const LoginNameRules& rules,
    const MasterLogins& masters);

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_SESSION_LOGIN_IDENTITY_H_
