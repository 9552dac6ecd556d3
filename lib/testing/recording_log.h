#ifndef GATEHOUSE_LIB_TESTING_RECORDING_LOG_H_
#define GATEHOUSE_LIB_TESTING_RECORDING_LOG_H_

#include <string>
#include <variant>
#include <vector>

#include "lib/base/log.h"

namespace gatehouse {

// Keeps the names of all records, and all their text fields as "key=value"
// lines: what a test searches for secrets.
class RecordingLog : public LogSink {
 public:
  void Write(const LogRecord& record) override {
    for (const auto& [key, value] : record.fields()) {
      if (const auto* text = std::get_if<std::string>(&value)) {
        text_ += std::string(key) + "=" + *text + "\n";
      }
    }
    events_.push_back(record.event());
  }
  const std::vector<std::string>& events() const { return events_; }
  const std::string& text() const { return text_; }

 private:
  std::vector<std::string> events_;
  std::string text_;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_TESTING_RECORDING_LOG_H_
