#ifndef GATEHOUSE_LIB_SESSION_SESSION_RECORD_H_
#define GATEHOUSE_LIB_SESSION_SESSION_RECORD_H_

#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "lib/base/endpoint.h"
#include "lib/base/log.h"

namespace gatehouse {

// What a session leaves in the log, gathered on its way: one line a session.
struct SessionRecord {
  std::string id;  // also told to the upstream, so that two logs can be joined
  SocketAddress peer;
  SocketAddress local;
  std::string mechanism;
  std::string user;      // canonical once the directory has answered
  std::string master;    // whose password it was, where not the user's
  std::string upstream;  // "host:port"
  std::string tls;       // version, "" in plaintext
  int failed_logins = 0;

  absl::Time began;
  // What was waited for, in the order of the waits.
  absl::Duration directory;
  absl::Duration connecting;
  absl::Duration upstream_login;
  absl::Duration until_joined;

  // How it ended: "logout", "eof", "upstream_closed" …, and more for a reader.
  std::string end;
  std::string detail;
  uint64_t bytes_from_client = 0;  // after login
  uint64_t bytes_to_client = 0;
};

// The record as the log has it. `service` and `listener` name the way in.
LogRecord ToLogRecord(const SessionRecord& record, std::string_view service,
                      std::string_view listener, absl::Time now);

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_SESSION_SESSION_RECORD_H_
