#include "lib/protocol/smtp/smtp_offer.h"

#include <string>

#include "lib/protocol/sasl.h"

namespace gatehouse {
namespace {

std::string MechanismsLine(const DownstreamOptions& options) {
  std::string line = "AUTH";
  for (const SaslMechanism mechanism : kSaslMechanisms) {
    if (!IsOffered(mechanism, options)) continue;
    line.append(" ").append(SaslMechanismName(mechanism));
  }
  return line;
}

}  // namespace

SmtpKeywordLines SmtpOffer(const SmtpReceiverOptions& options) {
  const DownstreamOptions& downstream = options.downstream;
  const SmtpKeywordLines upstream = downstream.upstream_capabilities != nullptr
                                        ? *downstream.upstream_capabilities
                                        : SmtpKeywordLines();
  const auto upstream_has = [&](std::string_view keyword) {
    return FindSmtpKeyword(upstream, keyword) != nullptr;
  };

  const SmtpKeywordLines size = {"SIZE " +
                                 std::to_string(options.message_bytes)};
  SmtpKeywordLines offer = {"PIPELINING"};
  offer.push_back(upstream_has("SIZE") ? CommonSmtpKeywords(size, upstream)[0]
                                       : size[0]);
  if (upstream_has("8BITMIME")) {
    offer.push_back("8BITMIME");
    // RFC 6531 §3.1: not without 8BITMIME.
    if (upstream_has("SMTPUTF8")) offer.push_back("SMTPUTF8");
  }
  if (upstream_has("DSN")) offer.push_back("DSN");
  offer.push_back("ENHANCEDSTATUSCODES");
  offer.push_back("CHUNKING");
  if (options.prdr_offered) offer.push_back("PRDR");
  if (downstream.start_tls_offered && !downstream.tls_active) {
    offer.push_back("STARTTLS");
  }
  if (options.auth_required) {
    const std::string mechanisms = MechanismsLine(downstream);
    if (mechanisms != "AUTH") offer.push_back(mechanisms);
  }
  return offer;
}

}  // namespace gatehouse
