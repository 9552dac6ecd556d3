#include "lib/protocol/pop3/pop3_protocol.h"

#include <utility>

#include "lib/protocol/pop3/pop3_downstream.h"
#include "lib/protocol/pop3/pop3_upstream.h"

namespace gatehouse {
namespace {

class Pop3 final : public Protocol {
 public:
  std::string_view name() const override { return "pop3"; }
  uint16_t port() const override { return 110; }
  uint16_t implicit_tls_port() const override { return 995; }
  int least_idle_seconds() const override { return 600; }  // RFC 1939 §3
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
