#include "lib/session/mail_offer.h"

#include <utility>

namespace gatehouse {

std::shared_ptr<const std::vector<std::string>> OfferedByRelaysToo(
    std::shared_ptr<const std::vector<std::string>> stores,
    const MailSettings& mail, MailRole role) {
  const MailRelay* const relays[] = {
      mail.fallback_relay.get(),
      role == MailRole::kSubmission ? mail.relay_host.get() : nullptr};
  for (const MailRelay* relay : relays) {
    if (relay == nullptr || relay->capabilities == nullptr) continue;
    const auto& offered = relay->capabilities->Get();
    if (stores == nullptr || offered == nullptr) continue;
    stores = std::make_shared<const std::vector<std::string>>(
        relay->protocol->CommonCapabilities(*stores, *offered));
  }
  return stores;
}

}  // namespace gatehouse
