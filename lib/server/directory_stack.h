#ifndef GATEHOUSE_LIB_SERVER_DIRECTORY_STACK_H_
#define GATEHOUSE_LIB_SERVER_DIRECTORY_STACK_H_

#include <memory>
#include <string>
#include <vector>

#include "lib/base/log.h"
#include "lib/directory/directory.h"
#include "lib/net/network.h"
#include "lib/server/runtime.h"

namespace gatehouse {

// Faults of the LDAP connectors that only the directory can see (a filter that
// isn't one), as printable lines.
void CheckDirectories(const Runtime& runtime, const std::string& file,
                      std::vector<std::string>& faults);

// The directory of one worker as the configuration composes it: who checks
// passwords (userdbConnector), who locates (mapping.userMap).
std::shared_ptr<Directory> MakeDirectory(const Runtime& runtime,
                                         Network& network, LogSink& log);

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_SERVER_DIRECTORY_STACK_H_
