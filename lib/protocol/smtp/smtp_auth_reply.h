#ifndef GATEHOUSE_LIB_PROTOCOL_SMTP_SMTP_AUTH_REPLY_H_
#define GATEHOUSE_LIB_PROTOCOL_SMTP_SMTP_AUTH_REPLY_H_

#include "lib/protocol/events.h"
#include "lib/protocol/sasl.h"
#include "lib/protocol/smtp/smtp_reply.h"

namespace gatehouse {

// What a client hears whose AUTH came to nothing (RFC 4954 §4, §6). An outage
// is never permanent: mail programs would ask for another password.
SmtpReply SmtpReplyFor(LoginRefusal::Kind kind);
SmtpReply SmtpReplyFor(SaslError error);

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_PROTOCOL_SMTP_SMTP_AUTH_REPLY_H_
