#ifndef GATEHOUSE_LIB_SERVER_DIRECTORY_STACK_H_
#define GATEHOUSE_LIB_SERVER_DIRECTORY_STACK_H_

#include <memory>

#include "lib/base/log.h"
#include "lib/directory/directory.h"
#include "lib/net/network.h"
#include "lib/server/runtime.h"

namespace gatehouse {

// The directory of one worker as the configuration composes it: who checks
// passwords (userdbConnector), who locates (mapping.userMap).
std::shared_ptr<Directory> MakeDirectory(const Runtime& runtime,
                                         Network& network, LogSink& log);

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_SERVER_DIRECTORY_STACK_H_
