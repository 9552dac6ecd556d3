#ifndef GATEHOUSE_LIB_SERVER_LDAP_CONFIG_H_
#define GATEHOUSE_LIB_SERVER_LDAP_CONFIG_H_

#include "lib/directory/directory_cache.h"
#include "lib/directory/ldap_options.h"
#include "lib/server/config_files.h"
#include "lib/server/json_reader.h"

namespace gatehouse {

// Reads an entry of /ldapConnectors, all but its name, into `options` and
// `cache`. A key that isn't there leaves the option as it is.
void ReadLdapConnector(JsonReader& entry, const ConfigFiles& files,
                       LdapOptions& options, DirectoryCacheOptions& cache);

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_SERVER_LDAP_CONFIG_H_
