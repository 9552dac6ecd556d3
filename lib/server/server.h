#ifndef GATEHOUSE_LIB_SERVER_SERVER_H_
#define GATEHOUSE_LIB_SERVER_SERVER_H_

#include <memory>
#include <string>

#include "lib/server/runtime.h"
#include "lib/server/service.h"

namespace gatehouse {

// Keeps SIGTERM, SIGINT and SIGHUP for Serve(), from now on and for all threads
// begun later: one that comes while the configuration is read isn't lost.
void HoldServerSignals();

// Serves with `runtime` until a signal ends it; `config_file` is read again at
// SIGHUP. Gives the exit status. One server a process: it takes the signals,
// which HoldServerSignals() has held.
int Serve(const Service& service, const std::string& config_file,
          std::shared_ptr<const Runtime> runtime);

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_SERVER_SERVER_H_
