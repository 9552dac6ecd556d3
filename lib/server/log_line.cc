#include "lib/server/log_line.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <string_view>
#include <type_traits>
#include <variant>

#include "absl/time/civil_time.h"
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

// How much at the front may stand in a line as it is.
size_t PlainLength(std::string_view text) {
  const auto is_plain = [](char c) {
    return c >= ' ' && c < 0x7f && c != '"' && c != '\\';
  };
  return std::find_if_not(text.begin(), text.end(), is_plain) - text.begin();
}

void AppendText(std::string& line, std::string_view text) {
  line += '"';
  const bool cut = text.size() > kLongestTextBytes;
  if (cut) text = text.substr(0, kLongestTextBytes);
  while (!text.empty()) {
    const size_t plain = PlainLength(text);
    line.append(text.substr(0, plain));
    text.remove_prefix(plain);
    if (text.empty()) break;
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

void AppendNumber(std::string& line, int64_t number) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof(digits), number).ptr;
  line.append(digits, end);
}

// A number of `width` digits, zeros before it.
void AppendDigits(std::string& line, int width, uint64_t number) {
  const size_t begin = line.size();
  line.append(width, '0');
  for (size_t at = begin + width; at > begin && number > 0; number /= 10) {
    line[--at] = static_cast<char>('0' + number % 10);
  }
}

// With six decimals, as printf's "%.6f" but at a twentieth of its cost.
void AppendSeconds(std::string& line, double seconds) {
  constexpr double kLargest = 1e12;
  constexpr int64_t kMillion = 1'000'000;
  if (!(std::abs(seconds) < kLargest)) {
    // Longer than anything lasts: a waiting without end.
    line += seconds < 0 ? "-1e12" : "1e12";
    return;
  }
  const int64_t microseconds = std::llround(std::abs(seconds) * kMillion);
  if (seconds < 0 && microseconds > 0) line += '-';
  AppendNumber(line, microseconds / kMillion);
  line += '.';
  AppendDigits(line, 6, microseconds % kMillion);
}

// RFC 3339, UTC, with milliseconds.
void AppendTime(std::string& line, absl::Time time) {
  const absl::TimeZone::CivilInfo civil = absl::UTCTimeZone().At(time);
  const absl::CivilSecond& second = civil.cs;
  AppendDigits(line, 4, second.year());
  line += '-';
  AppendDigits(line, 2, second.month());
  line += '-';
  AppendDigits(line, 2, second.day());
  line += 'T';
  AppendDigits(line, 2, second.hour());
  line += ':';
  AppendDigits(line, 2, second.minute());
  line += ':';
  AppendDigits(line, 2, second.second());
  line += '.';
  AppendDigits(line, 3, absl::ToInt64Milliseconds(civil.subsecond));
  line += 'Z';
}

void AppendValue(std::string& line, const LogRecord::Value& value) {
  if (const auto* text = std::get_if<std::string>(&value)) {
    AppendText(line, *text);
  } else if (const auto* flag = std::get_if<bool>(&value)) {
    line += *flag ? "true" : "false";
  } else if (const auto* number = std::get_if<int64_t>(&value)) {
    AppendNumber(line, *number);
  } else {
    AppendSeconds(line, std::get<double>(value));
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
  std::string line;
  AppendLogLine(record, now, line);
  return line;
}

void AppendLogLine(const LogRecord& record, absl::Time now, std::string& line) {
  line += "{\"time\":\"";
  AppendTime(line, now);
  line += "\",\"level\":\"";
  line += LevelName(record.level());
  line += "\",\"event\":";
  AppendText(line, record.event());
  for (const auto& [key, value] : record.fields()) {
    const auto* text = std::get_if<std::string>(&value);
    if (text != nullptr && text->empty()) continue;
    // Ours, with nothing in it to escape.
    line.append(",\"").append(key).append("\":");
    AppendValue(line, value);
  }
  line += "}\n";
}

void DescriptorLog::Write(const LogRecord& record) {
  if (wants(record)) WriteLines(ToLogLine(record, absl::Now()), 1);
}

void DescriptorLog::WriteLines(std::string_view lines, int64_t count) {
  // A log that can't be written must not stop the mail.
  if (!ready()) {
    lost_ += count;
    return;
  }
  if (const int64_t lost = lost_.exchange(0); lost > 0) {
    WriteAll(ToLogLine(LogRecord("log_lines_lost", LogRecord::Level::kError)
                           .Number("count", lost),
                       absl::Now()));
    return WriteLines(lines, count);  // is there still room?
  }
  WriteAll(lines);
}

bool DescriptorLog::ready() const {
  pollfd asked = {.fd = fd_, .events = POLLOUT, .revents = 0};
  return poll(&asked, 1, 0) != 0;
}

void DescriptorLog::WriteAll(std::string_view lines) {
  [[maybe_unused]] const ssize_t written =
      write(fd_, lines.data(), lines.size());
}

}  // namespace gatehouse
