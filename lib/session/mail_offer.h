#ifndef GATEHOUSE_LIB_SESSION_MAIL_OFFER_H_
#define GATEHOUSE_LIB_SESSION_MAIL_OFFER_H_

#include <memory>
#include <string>
#include <vector>

#include "lib/session/mail_settings.h"

namespace gatehouse {

// What a mail client may be promised, of what `stores` offer: that which the
// fallback relay, and for submitted mail the relay host, offers as well. A
// message that says how it wants to be reported on (RFC 3461) would else end at
// a server that says nothing. A relay that hasn't answered yet isn't counted.
std::shared_ptr<const std::vector<std::string>> OfferedByRelaysToo(
    std::shared_ptr<const std::vector<std::string>> stores,
    const MailSettings& mail, MailRole role);

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_SESSION_MAIL_OFFER_H_
