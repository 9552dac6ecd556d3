#ifndef GATEHOUSE_LIB_PROTOCOL_DOVECOT_XCLIENT_H_
#define GATEHOUSE_LIB_PROTOCOL_DOVECOT_XCLIENT_H_

#include <string>

#include "lib/protocol/machine.h"

namespace gatehouse {

// The XCLIENT command, without CRLF, as Dovecot's pop3-login and
// managesieve-login read it: "XCLIENT ADDR=192.0.2.1 PORT=1234 SESSION=a1
// TTL=4". They split at spaces and unquote nothing, so what isn't plainly an
// address, a number or a word of letters and digits is left out.
std::string DovecotXclient(const ClientFacts& client, int proxy_ttl);

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_PROTOCOL_DOVECOT_XCLIENT_H_
