#ifndef GATEHOUSE_LIB_SERVER_SERVICE_H_
#define GATEHOUSE_LIB_SERVER_SERVICE_H_

#include <string_view>

#include "lib/protocol/machine.h"
#include "lib/server/session_factory.h"

namespace gatehouse {

// What makes an executable: its name, its protocol, and what its sessions do.
struct Service {
  std::string_view name;  // "imapproxy"
  const Protocol& protocol;
  NewSessionFactory new_sessions = NewLoginSessions;
};

// The whole of an executable's main():
//
//   --config=FILE     serve in the foreground; log lines go to standard error
//   --check_config    with --config: say what is wrong with it, or "FILE: ok"
//   --version, --help
//
// SIGTERM (or SIGINT) drains, a second one ends at once; SIGHUP reloads. Gives
// the exit status: 0; 1 for a faulty configuration or a listener that can't be
// opened; 2 for a wrong command line.
int RunServer(const Service& service, int argc, char** argv);

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_SERVER_SERVICE_H_
