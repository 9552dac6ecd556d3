#ifndef GATEHOUSE_LIB_DIRECTORY_LDAP_WIPING_H_
#define GATEHOUSE_LIB_DIRECTORY_LDAP_WIPING_H_

#include <ldap.h>

namespace gatehouse {

// From now on `handle` wipes each request as it is sent: a bind's holds the
// password, and libldap frees it as it is. Nothing may be sent twice then, so
// not with LDAP_OPT_REFERRALS. False where libldap has no memory.
bool WipeWhatIsSent(LDAP* handle);

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_DIRECTORY_LDAP_WIPING_H_
