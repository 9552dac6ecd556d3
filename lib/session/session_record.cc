#include "lib/session/session_record.h"

namespace gatehouse {

LogRecord ToLogRecord(const SessionRecord& record, std::string_view service,
                      std::string_view listener, absl::Time now) {
  LogRecord log("session");
  log.Text("service", service)
      .Text("session", record.id)
      .Text("listener", listener)
      .Text("peer", record.peer.ToString())
      .Text("tls", record.tls)
      .Text("mechanism", record.mechanism)
      .Text("user", record.user)
      .Text("master", record.master)
      .Text("upstream", record.upstream)
      .Text("end", record.end)
      .Text("detail", record.detail)
      .Number("failed_logins", record.failed_logins)
      .Duration("directory_seconds", record.directory)
      .Duration("connect_seconds", record.connecting)
      .Duration("upstream_login_seconds", record.upstream_login)
      .Duration("until_joined_seconds", record.until_joined)
      .Duration("session_seconds", now - record.began)
      .Number("bytes_from_client",
              static_cast<int64_t>(record.bytes_from_client))
      .Number("bytes_to_client", static_cast<int64_t>(record.bytes_to_client));
  return log;
}

}  // namespace gatehouse
