#ifndef GATEHOUSE_LIB_DIRECTORY_LDAP_SYNTAX_H_
#define GATEHOUSE_LIB_DIRECTORY_LDAP_SYNTAX_H_

#include <string_view>

namespace gatehouse {

// A distinguished name as text (RFC 4514); the empty one, too.
bool IsDistinguishedName(std::string_view text);

// "mailHost", "mailHost;lang-en", "2.5.4.3" (RFC 4512 §2.5).
bool IsAttributeDescription(std::string_view text);

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_DIRECTORY_LDAP_SYNTAX_H_
