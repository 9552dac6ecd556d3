#include "lib/protocol/imap/imap_protocol.h"

#include <utility>

#include "lib/protocol/imap/imap_downstream.h"
#include "lib/protocol/imap/imap_upstream.h"

namespace gatehouse {
namespace {

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
