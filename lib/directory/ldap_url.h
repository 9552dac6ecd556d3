#ifndef GATEHOUSE_LIB_DIRECTORY_LDAP_URL_H_
#define GATEHOUSE_LIB_DIRECTORY_LDAP_URL_H_

#include <optional>
#include <string>
#include <string_view>

#include "lib/base/endpoint.h"

namespace gatehouse {

// How much of the tree at a base is searched.
enum class LdapScope { kSubtree, kOneLevel, kBase };

// An LDAP URL (RFC 4516): a server, and what to ask there. What it doesn't say
// is empty. The attributes are left out.
struct LdapUrl {
  std::string scheme;  // "ldap", "ldaps" or "ldapi"
  Endpoint server;     // its port is never 0; of "ldapi" nothing
  std::string dn;
  std::optional<LdapScope> scope;
  std::string filter;
};

// Nothing where it isn't one, says no host, or has an extension that must be
// understood ("!").
std::optional<LdapUrl> ParseLdapUrl(std::string_view text);

// "ldap://host", "ldaps://host", either with ":port", or "ldapi://path", as
// they are written here; a "/" may follow, but nothing that says what to search
// there.
bool IsLdapUrl(std::string_view url);

// Two URLs of one server have the same: host and port, without regard to case
// and to TLS where each scheme's usual port is meant.
std::string LdapServerKey(const LdapUrl& url);

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_DIRECTORY_LDAP_URL_H_
