#include "lib/protocol/smtp/smtp_protocol.h"

#include <utility>

#include "lib/protocol/smtp/smtp_downstream.h"
#include "lib/protocol/smtp/smtp_keywords.h"
#include "lib/protocol/smtp/smtp_upstream.h"

namespace gatehouse {
namespace {

class Smtp : public Protocol {
 public:
  std::string_view name() const override { return "smtp"; }
  uint16_t port() const override { return 25; }
  uint16_t implicit_tls_port() const override { return 465; }
  int least_idle_seconds() const override { return 300; }  // RFC 5321 §4.5.3.2
  bool logs_in_by_name() const override { return true; }
  AnswerProgress AfterAnswer(AnswerProgress before,
                             std::string_view line) const override {
    if (line.starts_with("354")) return AnswerProgress::kAsks;
    const bool goes_on = line.size() > 3 && line[3] == '-';
    return goes_on ? AnswerProgress::kInside : AnswerProgress::kBetween;
  }
  std::vector<std::string> CommonCapabilities(
      const std::vector<std::string>& a,
      const std::vector<std::string>& b) const override {
    return CommonSmtpKeywords(a, b);
  }
  std::unique_ptr<DownstreamMachine> NewDownstream(
      DownstreamOptions options) const override {
    return std::make_unique<SmtpDownstream>(std::move(options));
  }
  std::unique_ptr<UpstreamMachine> NewUpstream(
      UpstreamOptions options) const override {
    return std::make_unique<SmtpUpstream>(SmtpUpstream::Dialect::kSmtp,
                                          std::move(options));
  }
};

class Lmtp final : public Smtp {
 public:
  std::string_view name() const override { return "lmtp"; }
  // RFC 2033 §5 reserves none, but the one that it forbids; 24 is custom.
  uint16_t port() const override { return 24; }
  uint16_t implicit_tls_port() const override { return 24; }
  std::unique_ptr<UpstreamMachine> NewUpstream(
      UpstreamOptions options) const override {
    return std::make_unique<SmtpUpstream>(SmtpUpstream::Dialect::kLmtp,
                                          std::move(options));
  }
};

}  // namespace

const Protocol& SmtpProtocol() {
  static const Smtp protocol;
  return protocol;
}

const Protocol& LmtpProtocol() {
  static const Lmtp protocol;
  return protocol;
}

}  // namespace gatehouse
