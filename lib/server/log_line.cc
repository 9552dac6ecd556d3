#include "lib/server/log_line.h"

#include <poll.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <string_view>
#include <type_traits>
#include <variant>

#include "absl/time/clock.h"

namespace gatehouse {
namespace {

// Of one text field; a peer's name for itself needs no more.
constexpr size_t kLongestTextBytes = 256;

// The length of the well-formed UTF-8 sequence at the front, or 0 (Unicode 15,
// table 3-7: no overlong forms, no surrogates).
size_t Utf8Length(std::string_view text) {
  const auto octet = [&](size_t i) {
    return i < text.size() ? static_cast<uint8_t>(text[i]) : uint8_t{0};
  };
  const auto continues = [&](size_t i) { return (octet(i) & 0xc0) == 0x80; };
  const uint8_t first = octet(0);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return continues(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    const bool second = (first != 0xe0 || octet(1) >= 0xa0) &&
                        (first != 0xed || octet(1) <= 0x9f);
    return second && continues(1) && continues(2) ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    const bool second = (first != 0xf0 || octet(1) >= 0x90) &&
                        (first != 0xf4 || octet(1) <= 0x8f);
    return second && continues(1) && continues(2) && continues(3) ? 4 : 0;
  }
  return 0;
}

void AppendEscape(std::string& line, unsigned code) {
  char escape[8];
  std::snprintf(escape, sizeof(escape), "\\u%04x", code);
  line += escape;
}

// C1 controls (U+0080 to U+009F) drive terminals as well.
bool IsC1(std::string_view sequence) {
  return sequence.size() == 2 && sequence[0] == '\xc2' &&
         static_cast<uint8_t>(sequence[1]) < 0xa0;
}

// Line separators (U+2028, U+2029) and marks that turn the direction of writing
// (U+202A to U+202E, U+2066 to U+2069): a viewer would show other lines, or
// another order, than were written. 0 for everything else.
unsigned MisleadingCodePoint(std::string_view sequence) {
  if (sequence.size() != 3 || sequence[0] != '\xe2') return 0;
  const auto octet = [&](size_t i) {
    return static_cast<uint8_t>(sequence[i]);
  };
  const unsigned code = 0x2000u | (octet(1) & 0x3fu) << 6 | (octet(2) & 0x3fu);
  const bool misleads =
      (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
  return misleads ? code : 0;
}

void AppendText(std::string& line, std::string_view text) {
  line += '"';
  const bool cut = text.size() > kLongestTextBytes;
  if (cut) text = text.substr(0, kLongestTextBytes);
  while (!text.empty()) {
    const size_t length = Utf8Length(text);
    const char c = text.front();
    if (length == 0 || IsC1(text.substr(0, length))) {
      line += "\xef\xbf\xbd";  // U+FFFD
    } else if (c == '"' || c == '\\') {
      line += '\\';
      line += c;
    } else if (static_cast<uint8_t>(c) < 0x20 || c == 0x7f) {
      AppendEscape(line, static_cast<uint8_t>(c));
    } else if (const unsigned code =
                   MisleadingCodePoint(text.substr(0, length))) {
      AppendEscape(line, code);
    } else {
      line.append(text.substr(0, length));
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  if (cut) line += "…";
  line += '"';
}

void AppendValue(std::string& line, const LogRecord::Value& value) {
  if (const auto* text = std::get_if<std::string>(&value)) {
    AppendText(line, *text);
  } else if (const auto* flag = std::get_if<bool>(&value)) {
    line += *flag ? "true" : "false";
  } else if (const auto* number = std::get_if<int64_t>(&value)) {
    line += std::to_string(*number);
  } else {
    char text[32];
    std::snprintf(text, sizeof(text), "%.6f", std::get<double>(value));
    line += text;
  }
}

std::string_view LevelName(LogRecord::Level level) {
  switch (level) {
    case LogRecord::Level::kInfo:
      return "info";
    case LogRecord::Level::kWarning:
      return "warning";
    case LogRecord::Level::kError:
      return "error";
  }
  return "unknown";
}

}  // namespace

std::string ToLogLine(const LogRecord& record, absl::Time now) {
  std::string line = "{\"time\":\"";
  line += absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", now, absl::UTCTimeZone());
  line += "\",\"level\":\"";
  line += LevelName(record.level());
  line += "\",\"event\":";
  AppendText(line, record.event());
  for (const auto& [key, value] : record.fields()) {
    const auto* text = std::get_if<std::string>(&value);
    if (text != nullptr && text->empty()) continue;
    line += ',';
    AppendText(line, key);
    line += ':';
    AppendValue(line, value);
  }
  line += "}\n";
  return line;
}

void DescriptorLog::Write(const LogRecord& record) {
  if (record.level() < least_) return;
  // A log that can't be written must not stop the mail. A pipe that is ready
  // takes a page, which is more than a line has.
  pollfd ready = {.fd = fd_, .events = POLLOUT, .revents = 0};
  if (poll(&ready, 1, 0) == 0) {
    ++lost_;
    return;
  }
  if (const int64_t lost = lost_.exchange(0); lost > 0) {
    WriteLine(LogRecord("log_lines_lost", LogRecord::Level::kError)
                  .Number("count", lost));
  }
  WriteLine(record);
}

void DescriptorLog::WriteLine(const LogRecord& record) {
  const std::string line = ToLogLine(record, absl::Now());
  [[maybe_unused]] const ssize_t written = write(fd_, line.data(), line.size());
}

}  // namespace gatehouse
