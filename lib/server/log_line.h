#ifndef GATEHOUSE_LIB_SERVER_LOG_LINE_H_
#define GATEHOUSE_LIB_SERVER_LOG_LINE_H_

#include <string>

#include "absl/time/time.h"
#include "lib/base/log.h"

namespace gatehouse {

// `record` as one line of JSON with its newline: time (RFC 3339, UTC,
// milliseconds), level, event, then the fields in order; empty texts are left
// out. What a peer sent can't break the line: control characters, octets that
// aren't UTF-8 and everything beyond some hundred octets are made harmless.
std::string ToLogLine(const LogRecord& record, absl::Time now);

// Writes lines to a descriptor (standard error), each by one write(2), so that
// threads don't mix theirs.
class DescriptorLog : public LogSink {
 public:
  DescriptorLog(int fd, LogRecord::Level least) : fd_(fd), least_(least) {}
  void Write(const LogRecord& record) override;

 private:
  const int fd_;
  const LogRecord::Level least_;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_SERVER_LOG_LINE_H_
