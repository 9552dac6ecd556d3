#include "lib/protocol/sieve/sieve_protocol.h"

#include <charconv>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "lib/base/string_bridge.h"
#include "lib/protocol/capability_words.h"
#include "lib/protocol/sieve/sieve_downstream.h"
#include "lib/protocol/sieve/sieve_upstream.h"

namespace gatehouse {
namespace {

uint32_t Number(const std::string& text) {
  uint32_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

// `a` and `b`: one capability of two upstreams.
std::optional<std::string> Common(const CapabilityWords& a,
                                  const CapabilityWords& b) {
  const bool is_number = HoldsWord({a[0]}, "MAXREDIRECTS");
  if (is_number && a.size() == 2 && b.size() == 2) {
    return JoinWords(Number(a[1]) < Number(b[1]) ? a : b);
  }
  const CapabilityWords common = CommonWords(a, b);
  // Nothing left of a list is no capability, but SIEVE must be there.
  const bool emptied = common.size() == 1 && a.size() > 1;
  if (emptied && !HoldsWord({a[0]}, "SIEVE")) return std::nullopt;
  return JoinWords(common);
}

// As every answer's last line does.
bool BeginsWithStatus(std::string_view line) {
  for (std::string_view status : {"OK", "NO", "BYE"}) {
    if (absl::StartsWithIgnoreCase(ToAbsl(line), ToAbsl(status))) return true;
  }
  return false;
}

class Sieve final : public Protocol {
 public:
  std::string_view name() const override { return "sieve"; }
  // Registered with IANA for RFC 5804.
  std::string_view alpn() const override { return "managesieve"; }
  uint16_t port() const override { return 4190; }
  uint16_t implicit_tls_port() const override { return 4190; }
  int least_idle_seconds() const override { return 1800; }  // RFC 5804 §1.2
  std::string_view last_words() const override {
    return "BYE (TRYLATER) \"Closing, try again later.\"\r\n";
  }
  AnswerProgress AfterCommand(std::string_view line) const override {
    return absl::StartsWithIgnoreCase(ToAbsl(line), "GETSCRIPT")
               ? AnswerProgress::kInside
               : AnswerProgress::kBetween;
  }
  AnswerProgress AfterAnswer(AnswerProgress before,
                             std::string_view line) const override {
    return BeginsWithStatus(line) ? AnswerProgress::kBetween : before;
  }

  std::vector<std::string> CommonCapabilities(
      const std::vector<std::string>& a,
      const std::vector<std::string>& b) const override {
    return CommonLines(a, b, Common);
  }

  std::unique_ptr<DownstreamMachine> NewDownstream(
      DownstreamOptions options) const override {
    return std::make_unique<SieveDownstream>(std::move(options));
  }
  std::unique_ptr<UpstreamMachine> NewUpstream(
      UpstreamOptions options) const override {
    return std::make_unique<SieveUpstream>(std::move(options));
  }
};

}  // namespace

const Protocol& SieveProtocol() {
  static const Sieve protocol;
  return protocol;
}

}  // namespace gatehouse
