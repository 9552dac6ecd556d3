#ifndef GATEHOUSE_LIB_PROTOCOL_SMTP_SMTP_XCLIENT_H_
#define GATEHOUSE_LIB_PROTOCOL_SMTP_SMTP_XCLIENT_H_

#include <string>
#include <string_view>

#include "lib/protocol/machine.h"
#include "lib/protocol/smtp/smtp_keywords.h"

namespace gatehouse {

// The XCLIENT command, without CRLF, as Postfix lays it down
// (postfix.org/XCLIENT_README) and Dovecot reads it too: of NAME, ADDR, PORT,
// PROTO, HELO and LOGIN those that the server's EHLO answer lists. `login` is
// the authenticated user, empty where there is none.
//
// What we don't know is told as [UNAVAILABLE], so that the server doesn't go on
// taking our own for the client's.
std::string SmtpXclient(const ClientFacts& client, std::string_view login,
                        const SmtpKeywordLines& offered);

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_PROTOCOL_SMTP_SMTP_XCLIENT_H_
