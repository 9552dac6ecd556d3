#include "lib/protocol/pop3/pop3_protocol.h"

#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "lib/base/string_bridge.h"
#include "lib/protocol/capability_words.h"
#include "lib/protocol/pop3/pop3_downstream.h"
#include "lib/protocol/pop3/pop3_upstream.h"

namespace gatehouse {
namespace {

// `a` and `b`: one capability of two upstreams.
std::optional<std::string> Common(const CapabilityWords& a,
                                  const CapabilityWords& b) {
  if (HoldsWord({a[0]}, "UTF8")) return JoinWords(CommonWords(a, b));
  if (HoldsWord({a[0]}, "SASL")) {
    const CapabilityWords common = CommonWords(a, b);
    if (common.size() > 1) return JoinWords(common);
    return std::nullopt;
  }
  // EXPIRE 30 and EXPIRE 60 have nothing in common.
  if (CommonWords(a, b) != a || a.size() != b.size()) return std::nullopt;
  return JoinWords(a);
}

// With an argument LIST and UIDL are answered by one line (RFC 1939 §5, §7).
bool HasLongAnswer(std::string_view command) {
  const auto begins = [&](std::string_view word) {
    return absl::StartsWithIgnoreCase(ToAbsl(command), ToAbsl(word));
  };
  const bool alone = command.find(' ') == std::string_view::npos;
  return begins("RETR") || begins("TOP") || begins("CAPA") ||
         (alone && (begins("LIST") || begins("UIDL")));
}

class Pop3 final : public Protocol {
 public:
  std::string_view name() const override { return "pop3"; }
  uint16_t port() const override { return 110; }
  uint16_t implicit_tls_port() const override { return 995; }
  int least_idle_seconds() const override { return 600; }  // RFC 1939 §3
  AnswerProgress AfterCommand(std::string_view line) const override {
    return HasLongAnswer(line) ? AnswerProgress::kInside
                               : AnswerProgress::kBetween;
  }
  AnswerProgress AfterAnswer(AnswerProgress before,
                             std::string_view line) const override {
    const bool ends = line == "." || line.starts_with("-ERR");
    return ends ? AnswerProgress::kBetween : before;
  }
  std::vector<std::string> CommonCapabilities(
      const std::vector<std::string>& a,
      const std::vector<std::string>& b) const override {
    return CommonLines(a, b, Common);
  }
  std::unique_ptr<DownstreamMachine> NewDownstream(
      DownstreamOptions options) const override {
    return std::make_unique<Pop3Downstream>(std::move(options));
  }
  std::unique_ptr<UpstreamMachine> NewUpstream(
      UpstreamOptions options) const override {
    return std::make_unique<Pop3Upstream>(std::move(options));
  }
};

}  // namespace

const Protocol& Pop3Protocol() {
  static const Pop3 protocol;
  return protocol;
}

}  // namespace gatehouse
