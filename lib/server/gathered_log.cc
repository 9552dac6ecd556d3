#include "lib/server/gathered_log.h"

#include <string_view>
#include <utility>

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace gatehouse {
namespace {

// Short beside the times that a reader of the log thinks in.
constexpr absl::Duration kGather = absl::Milliseconds(10);

}  // namespace

void GatheredLog::Write(const LogRecord& record) {
  if (!log_.wants(record)) return;
  const size_t begin = lines_.size();
  AppendLogLine(record, absl::Now(), lines_);
  if (count_ > 0 && lines_.size() > DescriptorLog::kPageBytes) {
    log_.WriteLines(std::string_view(lines_).substr(0, begin), count_);
    lines_.erase(0, begin);
    count_ = 0;
  }
  ++count_;
  if (record.level() != LogRecord::Level::kInfo) return Flush();
  if (flush_ != nullptr) return;
  flush_ = network_.StartTimer(kGather, [this] { Flush(); });
}

void GatheredLog::Flush() {
  flush_.reset();
  if (count_ == 0) return;
  log_.WriteLines(lines_, std::exchange(count_, 0));
  lines_.clear();
}

}  // namespace gatehouse
