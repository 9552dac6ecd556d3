#include "lib/protocol/imap/imap_protocol.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "lib/base/string_bridge.h"
#include "lib/protocol/imap/imap_downstream.h"
#include "lib/protocol/imap/imap_upstream.h"

namespace gatehouse {
namespace {

// The next word, which it leaves out of `line`.
absl::string_view TakeWord(std::string_view& line) {
  const std::string_view word = line.substr(0, line.find(' '));
  line.remove_prefix(std::min(word.size() + 1, line.size()));
  return ToAbsl(word);
}

// Of a command, without tag and UID.
absl::string_view Verb(std::string_view command) {
  TakeWord(command);
  const absl::string_view word = TakeWord(command);
  return absl::EqualsIgnoreCase(word, "UID") ? TakeWord(command) : word;
}

// No client ends a tag with a colon, but every message has such header fields.
bool IsTaggedStatus(std::string_view line) {
  const absl::string_view tag = TakeWord(line);
  const absl::string_view status = TakeWord(line);
  return !absl::EndsWith(tag, ":") && tag != "*" &&
         (absl::EqualsIgnoreCase(status, "OK") ||
          absl::EqualsIgnoreCase(status, "NO") ||
          absl::EqualsIgnoreCase(status, "BAD"));
}

class Imap final : public Protocol {
 public:
  std::string_view name() const override { return "imap"; }
  uint16_t port() const override { return 143; }
  uint16_t implicit_tls_port() const override { return 993; }
  // RFC 9051 §5.4.
  int least_idle_seconds() const override { return 30 * 60; }
  std::string_view last_words() const override {
    return "* BYE [UNAVAILABLE] Shutting down\r\n";
  }
  // Messages come by FETCH. What follows COMPRESS is DEFLATE (RFC 4978).
  AnswerProgress AfterCommand(std::string_view line) const override {
    const absl::string_view verb = Verb(line);
    if (absl::EqualsIgnoreCase(verb, "FETCH")) return AnswerProgress::kInside;
    return absl::EqualsIgnoreCase(verb, "COMPRESS") ? AnswerProgress::kOpaque
                                                    : AnswerProgress::kBetween;
  }
  AnswerProgress AfterAnswer(AnswerProgress before,
                             std::string_view line) const override {
    if (line.starts_with('+')) return AnswerProgress::kAsks;
    if (IsTaggedStatus(line)) return AnswerProgress::kBetween;
    return before == AnswerProgress::kInside ? AnswerProgress::kInside
                                             : AnswerProgress::kBetween;
  }
  std::unique_ptr<DownstreamMachine> NewDownstream(
      DownstreamOptions options) const override {
    return std::make_unique<ImapDownstream>(std::move(options));
  }
  std::unique_ptr<UpstreamMachine> NewUpstream(
      UpstreamOptions options) const override {
    return std::make_unique<ImapUpstream>(std::move(options));
  }
};

}  // namespace

const Protocol& ImapProtocol() {
  static const Imap kImap;
  return kImap;
}

}  // namespace gatehouse
