#ifndef GATEHOUSE_LIB_BASE_LOG_H_
#define GATEHOUSE_LIB_BASE_LOG_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "absl/time/time.h"

namespace gatehouse {

// One structured record: an event's name and its fields in order. Text fields
// may hold what a peer sent: the sink escapes and cuts them, so nobody can
// forge a line. Secrets have no way in: Secret has no conversion to a string.
// A field's key isn't copied: it is a literal.
class LogRecord {
 public:
  using Value = std::variant<std::string, int64_t, double, bool>;
  enum class Level { kInfo, kWarning, kError };

  using Field = std::pair<std::string_view, Value>;

  explicit LogRecord(std::string_view event, Level level = Level::kInfo)
      : event_(event), level_(level) {
    fields_.reserve(kUsualFields);
  }

  LogRecord& Text(std::string_view key, std::string_view value) {
    fields_.emplace_back(key, std::string(value));
    return *this;
  }
  LogRecord& Number(std::string_view key, int64_t value) {
    fields_.emplace_back(key, value);
    return *this;
  }
  LogRecord& Flag(std::string_view key, bool value) {
    fields_.emplace_back(key, value);
    return *this;
  }
  // In seconds.
  LogRecord& Duration(std::string_view key, absl::Duration value) {
    fields_.emplace_back(key, absl::ToDoubleSeconds(value));
    return *this;
  }

  const std::string& event() const { return event_; }
  Level level() const { return level_; }
  const std::vector<Field>& fields() const { return fields_; }

 private:
  // As many as a session's record has: every login writes one.
  static constexpr size_t kUsualFields = 20;

  std::string event_;
  Level level_;
  std::vector<Field> fields_;
};

// Where records go. Write() may be called from every worker thread at once.
class LogSink {
 public:
  virtual ~LogSink() = default;
  virtual void Write(const LogRecord& record) = 0;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_BASE_LOG_H_
