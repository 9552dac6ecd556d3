// RFC 5804 §1.2 (conventions) and §4 (grammar).
//
// Two passes: FindEnd() looks for the end of a line octet by octet as they
// come and only knows quotes and literals; WordReader splits what is complete.

#include "lib/protocol/sieve/sieve_parser.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "lib/base/string_bridge.h"

namespace gatehouse {
namespace {

// RFC 5804 §1.2: "quoted strings are limited to 1024 octets".
constexpr size_t kLongestQuotedBytes = 1024;

bool IsAtomOctet(unsigned char c) {
  return c > 0x20 && c < 0x7f && c != '"' && c != '(' && c != ')' && c != '{' &&
         c != '}' && c != '\\';
}

struct LiteralMark {
  size_t size = 0;
  size_t mark_bytes = 0;  // "{12+}"
  bool in_range = true;
};

// The "{n}" or "{n+}" that `text` ends with.
std::optional<LiteralMark> LiteralAtEnd(std::string_view text) {
  const size_t open = text.rfind('{');
  if (!text.ends_with('}') || open == std::string_view::npos) {
    return std::nullopt;
  }
  std::string_view digits = text.substr(open + 1);
  digits.remove_suffix(1);
  if (digits.ends_with('+')) digits.remove_suffix(1);
  LiteralMark mark;
  mark.mark_bytes = text.size() - open;
  const char* end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, mark.size);
  if (digits.empty() || stop != end || error == std::errc::invalid_argument) {
    return std::nullopt;
  }
  mark.in_range = error == std::errc();
  return mark;
}

// Splits one complete line (without its last CRLF) into words.
class WordReader {
 public:
  WordReader(std::string_view line, std::vector<SieveWord>& words)
      : rest_(line), words_(words) {}

  bool Read() {
    bool after_space = true;
    while (!rest_.empty()) {
      if (rest_.front() == ' ') {
        rest_.remove_prefix(1);
        after_space = true;
        continue;
      }
      const bool opened =
          !words_.empty() && words_.back().kind == SieveWord::Kind::kOpen;
      if (!after_space && !opened && rest_.front() != ')') return false;
      after_space = false;
      if (!ReadWord()) return false;
    }
    return true;
  }

 private:
  bool ReadWord() {
    switch (rest_.front()) {
      case '"':
        return ReadQuoted();
      case '{':
        return ReadLiteral();
      case '(':
        return Take(SieveWord::Kind::kOpen, 1);
      case ')':
        return Take(SieveWord::Kind::kClose, 1);
      default:
        return ReadAtom();
    }
  }

  bool Take(SieveWord::Kind kind, size_t size) {
    words_.push_back({kind, Secret(rest_.substr(0, size))});
    rest_.remove_prefix(size);
    return true;
  }

  bool ReadAtom() {
    const auto end = std::find_if_not(rest_.begin(), rest_.end(), IsAtomOctet);
    const size_t size = end - rest_.begin();
    return size > 0 && Take(SieveWord::Kind::kAtom, size);
  }

  bool ReadQuoted() {
    std::string text;
    text.reserve(rest_.size());  // no copies of a secret left behind
    for (size_t i = 1; i < rest_.size(); ++i) {
      char c = rest_[i];
      if (c == '\r' || c == '\n' || c == '\0') break;
      if (c == '"') {
        words_.push_back({SieveWord::Kind::kString, Secret(text)});
        WipeString(text);
        rest_.remove_prefix(i + 1);
        return true;
      }
      if (c == '\\') {
        if (++i == rest_.size()) break;
        c = rest_[i];
        if (c != '"' && c != '\\') break;
      }
      text += c;
    }
    WipeString(text);
    return false;
  }

  bool ReadLiteral() {
    const size_t end = rest_.find("\r\n");
    const auto mark = LiteralAtEnd(rest_.substr(0, end));
    if (end == std::string_view::npos || !mark || mark->mark_bytes != end) {
      return false;
    }
    rest_.remove_prefix(end + 2);
    return mark->size <= rest_.size() &&
           Take(SieveWord::Kind::kString, mark->size);
  }

  std::string_view rest_;
  std::vector<SieveWord>& words_;
};

}  // namespace

bool SieveWord::Is(std::string_view name) const {
  return kind == Kind::kAtom &&
         absl::EqualsIgnoreCase(ToAbsl(text.Reveal()), ToAbsl(name));
}

void SieveParser::Reset() {
  scanned_ = 0;
  line_start_ = 0;
  in_quotes_ = false;
  escaped_ = false;
}

SieveParser::Status SieveParser::Next(ByteQueue& input,
                                      std::vector<SieveWord>& words) {
  words.clear();
  const bool complete = FindEnd(input.bytes());
  if (too_long_ || scanned_ > line_bytes_) return Status::kTooLong;
  if (!complete) {
    return input.size() > line_bytes_ ? Status::kTooLong : Status::kNeedData;
  }
  std::string_view line = input.bytes().substr(0, scanned_ - 1);
  const bool ends_well = line.ends_with('\r');
  line.remove_suffix(ends_well ? 1 : 0);
  const bool good = ends_well && WordReader(line, words).Read();
  input.Consume(scanned_);
  Reset();
  if (!good) words.clear();
  return good ? Status::kLine : Status::kBadLine;
}

// Whether the queue holds a whole line; `scanned_` is then behind its LF.
bool SieveParser::FindEnd(std::string_view bytes) {
  // A literal's octets may still be to come: scanned_ is ahead of the queue.
  while (scanned_ < bytes.size() && !too_long_) {
    const char c = bytes[scanned_++];
    if (c == '\n') {
      const std::string_view line =
          bytes.substr(line_start_, scanned_ - line_start_);
      if (in_quotes_ || !StepOverLiteral(line)) return true;
    } else if (escaped_) {
      escaped_ = false;
    } else if (c == '\\') {
      escaped_ = in_quotes_;
    } else if (c == '"') {
      in_quotes_ = !in_quotes_;
    }
  }
  return false;
}

// Whether `physical_line` announces a literal; the scan goes on behind it.
bool SieveParser::StepOverLiteral(std::string_view physical_line) {
  if (!physical_line.ends_with("\r\n")) return false;
  physical_line.remove_suffix(2);
  const auto mark = LiteralAtEnd(physical_line);
  if (!mark) return false;
  too_long_ = !mark->in_range || mark->size > literal_bytes_;
  scanned_ += too_long_ ? 0 : mark->size;
  line_start_ = scanned_;
  return true;
}

void AppendSieveString(std::string_view text, SieveSender sender,
                       std::string& out) {
  const bool quotable = text.size() <= kLongestQuotedBytes &&
                        text.find_first_of(std::string_view("\r\n\0", 3)) ==
                            std::string_view::npos;
  if (!quotable) {
    out += '{' + std::to_string(text.size());
    out += sender == SieveSender::kClient ? "+}\r\n" : "}\r\n";
    out += text;
    return;
  }
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  out += '"';
}

}  // namespace gatehouse
