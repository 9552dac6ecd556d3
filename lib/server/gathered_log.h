#ifndef GATEHOUSE_LIB_SERVER_GATHERED_LOG_H_
#define GATEHOUSE_LIB_SERVER_GATHERED_LOG_H_

#include <cstdint>
#include <memory>
#include <string>

#include "lib/base/log.h"
#include "lib/net/network.h"
#include "lib/server/log_line.h"

namespace gatehouse {

// One worker's way to the log, for its thread alone: gathers the lines of some
// ten milliseconds and writes up to a page of them at once. A line above
// LogRecord::Level::kInfo takes those before it along and doesn't wait.
class GatheredLog final : public LogSink {
 public:
  // Both outlive this object, which writes what it still has when it goes.
  GatheredLog(DescriptorLog& log, Network& network)
      : log_(log), network_(network) {}
  ~GatheredLog() override { Flush(); }

  void Write(const LogRecord& record) override;
  void Flush();

 private:
  DescriptorLog& log_;
  Network& network_;
  std::string lines_;
  int64_t count_ = 0;  // of them
  std::unique_ptr<Operation> flush_;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_SERVER_GATHERED_LOG_H_
