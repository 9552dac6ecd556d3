#include "lib/protocol/smtp/smtp_downstream.h"

#include <utility>
#include <variant>

namespace gatehouse {
namespace {

SmtpReceiverOptions HomeOptions(DownstreamOptions options) {
  SmtpReceiverOptions home;
  home.downstream = std::move(options);
  home.auth_required = true;
  home.hands_over = true;
  return home;
}

}  // namespace

SmtpDownstream::SmtpDownstream(DownstreamOptions options)
    : conversation_(HomeOptions(std::move(options))) {}

DownstreamEvent SmtpDownstream::Next() {
  for (;;) {
    SmtpReceiverEvent event = conversation_.Next();
    if (auto* attempt = std::get_if<LoginAttempt>(&event)) {
      return std::move(*attempt);
    }
    if (auto* closed = std::get_if<Closed>(&event)) return std::move(*closed);
    if (std::holds_alternative<StartTls>(event)) return StartTls();
    if (std::holds_alternative<Paused>(event)) return Paused();
    if (std::holds_alternative<NeedData>(event)) return NeedData();
    // An EHLO or RSET that forgets a transaction: there is none before AUTH.
  }
}

}  // namespace gatehouse
