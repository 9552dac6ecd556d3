#ifndef GATEHOUSE_LIB_PROTOCOL_SMTP_SMTP_OFFER_H_
#define GATEHOUSE_LIB_PROTOCOL_SMTP_SMTP_OFFER_H_

#include "lib/protocol/smtp/smtp_keywords.h"
#include "lib/protocol/smtp/smtp_receiver.h"

namespace gatehouse {

// The EHLO lines of a receiver, as its connection stands: what it keeps by
// itself, and of what needs an upstream's help that which every upstream has.
SmtpKeywordLines SmtpOffer(const SmtpReceiverOptions& options);

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_PROTOCOL_SMTP_SMTP_OFFER_H_
