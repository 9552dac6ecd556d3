#include "lib/protocol/smtp/smtp_line_reader.h"

#include <string_view>

#include "absl/strings/match.h"
#include "lib/base/string_bridge.h"

namespace gatehouse {

SmtpLineReader::Status SmtpLineReader::Read(ByteQueue& input, bool sasl,
                                            Secret& line) {
  if (passing_over_) {
    const Status status = PassOver(input);
    if (status != Status::kLine) return status;
  }
  sasl = sasl || absl::StartsWithIgnoreCase(ToAbsl(input.bytes()), "AUTH ");
  longest_bytes_ = sasl ? kSmtpAuthLineBytes : kSmtpCommandLineBytes;
  const LineFramer::Result found = framer_.Find(input.bytes());
  const bool begun = found.status == LineFramer::Status::kNeedData;
  if (found.status == LineFramer::Status::kTooLong ||
      (begun ? input.size() : found.size) > longest_bytes_) {
    framer_.Restart();
    passing_over_ = true;
    passed_cr_ = false;
    return Status::kTooLong;
  }
  if (begun) return Status::kNeedData;
  if (found.status == LineFramer::Status::kBroken) return Status::kBroken;
  line = Secret(found.line);
  input.Consume(found.size);
  return Status::kLine;
}

// kLine: the end has been passed.
SmtpLineReader::Status SmtpLineReader::PassOver(ByteQueue& input) {
  const std::string_view bytes = input.bytes();
  if (bytes.empty()) return Status::kNeedData;
  const size_t line_feed = bytes.find('\n');
  if (line_feed == bytes.npos) {
    passed_cr_ = bytes.back() == '\r';
    input.Clear();
    return Status::kNeedData;
  }
  const bool behind_cr =
      line_feed > 0 ? bytes[line_feed - 1] == '\r' : passed_cr_;
  input.Consume(line_feed + 1);
  passing_over_ = false;
  return behind_cr ? Status::kLine : Status::kBroken;
}

}  // namespace gatehouse
