#ifndef GATEHOUSE_LIB_SERVER_LOG_LINE_H_
#define GATEHOUSE_LIB_SERVER_LOG_LINE_H_

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "lib/base/log.h"

namespace gatehouse {

// `record` as one line of JSON with its newline: time (RFC 3339, UTC,
// milliseconds), level, event, then the fields in order; empty texts are left
// out. What a peer sent can't break the line or mislead who reads it: control
// characters, octets that aren't UTF-8, line separators, marks that turn the
// direction of writing, and all beyond some hundred octets are made harmless.
std::string ToLogLine(const LogRecord& record, absl::Time now);
void AppendLogLine(const LogRecord& record, absl::Time now, std::string& lines);

// Writes lines to a descriptor (standard error), by one write(2) what fits into
// a page of a pipe, so that threads don't mix theirs. It never waits: while
// whoever reads the log has stopped, lines are dropped, and the next one that
// is taken follows a "log_lines_lost" with their number.
class DescriptorLog : public LogSink {
 public:
  static constexpr size_t kPageBytes = 4096;

  DescriptorLog(int fd, LogRecord::Level least) : fd_(fd), least_(least) {}
  bool wants(const LogRecord& record) const { return record.level() >= least_; }
  void Write(const LogRecord& record) override;
  // Whole lines, so many; more than one only where they fit into a page.
  void WriteLines(std::string_view lines, int64_t count);

 private:
  // A pipe that is takes a page.
  bool ready() const;
  void WriteAll(std::string_view lines);

  const int fd_;
  const LogRecord::Level least_;
  std::atomic<int64_t> lost_ = 0;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_SERVER_LOG_LINE_H_
