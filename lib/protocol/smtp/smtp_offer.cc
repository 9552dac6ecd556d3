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

// What takes effect behind the login only, and so is the upstream's to keep.
// Others would be promises about the way to it (XCLIENT), or are ours to make
// (STARTTLS, AUTH).
constexpr std::string_view kSplicedKeywords[] = {
    "PIPELINING", "SIZE",        "8BITMIME",   "SMTPUTF8",
    "DSN",        "CHUNKING",    "BINARYMIME", "ENHANCEDSTATUSCODES",
    "DELIVERBY",  "MT-PRIORITY", "REQUIRETLS", "FUTURERELEASE"};

void AddOurs(const SmtpReceiverOptions& options, SmtpKeywordLines& offer) {
  const DownstreamOptions& downstream = options.downstream;
  if (downstream.start_tls_offered && !downstream.tls_active) {
    offer.push_back("STARTTLS");
  }
  if (!options.auth_required) return;
  const std::string mechanisms = MechanismsLine(downstream);
  if (mechanisms != "AUTH") offer.push_back(mechanisms);
}

SmtpKeywordLines OfferBeforeHandOver(const SmtpReceiverOptions& options,
                                     const SmtpKeywordLines& upstream) {
  SmtpKeywordLines offer;
  for (const std::string_view keyword : kSplicedKeywords) {
    const std::string* line = FindSmtpKeyword(upstream, keyword);
    if (line != nullptr) offer.push_back(*line);
  }
  AddOurs(options, offer);
  return offer;
}

}  // namespace

SmtpKeywordLines SmtpOffer(const SmtpReceiverOptions& options) {
  const DownstreamOptions& downstream = options.downstream;
  const SmtpKeywordLines upstream = downstream.upstream_capabilities != nullptr
                                        ? *downstream.upstream_capabilities
                                        : SmtpKeywordLines();
  if (options.hands_over) return OfferBeforeHandOver(options, upstream);
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
  AddOurs(options, offer);
  return offer;
}

}  // namespace gatehouse
