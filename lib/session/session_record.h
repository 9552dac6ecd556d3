#ifndef GATEHOUSE_LIB_SESSION_SESSION_RECORD_H_
#define GATEHOUSE_LIB_SESSION_SESSION_RECORD_H_

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "lib/base/endpoint.h"
#include "lib/base/log.h"
#include "lib/session/rare_text.h"
#include "lib/session/short_text.h"

namespace gatehouse {

// How long a login waited for something: in whole microseconds, and what is
// longer than 71 minutes counts as that.
class Waited {
 public:
  Waited() = default;
  Waited& operator=(absl::Duration duration) {
    constexpr int64_t kLongest = std::numeric_limits<uint32_t>::max();
    microseconds_ = static_cast<uint32_t>(
        std::clamp<int64_t>(absl::ToInt64Microseconds(duration), 0, kLongest));
    return *this;
  }
  operator absl::Duration() const { return absl::Microseconds(microseconds_); }

 private:
  uint32_t microseconds_ = 0;
};

// What a session leaves in the log, gathered on its way: one line a session.
// Idle sessions keep theirs, so that its size is what a session costs.
struct SessionRecord {
  // Also told to the upstream, so that two logs can be joined.
  ShortText<12> id;
  ShortText<12> mechanism;
  ShortText<8> tls;  // version, "" in plaintext
  SocketAddress peer;
  int failed_logins = 0;

  // What was waited for, in the order of the waits.
  Waited directory;
  Waited connecting;
  Waited upstream_login;
  Waited until_joined;

  // How it ended: "logout", "eof", "upstream_closed" …, and more for a reader.
  ShortText<24> end;
  RareText detail;

  // As the directory, or else the upstream that let it in, knows it; empty as
  // long as nobody does: what a user typed in its place may be a password.
  std::string user;
  RareText master;       // whose password it was, where not the user's
  std::string upstream;  // "host:port"

  absl::Time began;
  uint64_t bytes_from_client = 0;  // after login
  uint64_t bytes_to_client = 0;
};

// The record as the log has it. `service` and `listener` name the way in.
LogRecord ToLogRecord(const SessionRecord& record, std::string_view service,
                      std::string_view listener, absl::Time now);

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_SESSION_SESSION_RECORD_H_
