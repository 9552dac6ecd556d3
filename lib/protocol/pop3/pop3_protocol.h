#ifndef GATEHOUSE_LIB_PROTOCOL_POP3_POP3_PROTOCOL_H_
#define GATEHOUSE_LIB_PROTOCOL_POP3_POP3_PROTOCOL_H_

#include "lib/protocol/machine.h"

namespace gatehouse {

// POP3 (RFC 1939) as sessions see it. Its capabilities are CAPA lines (RFC
// 2449): what two upstreams have in common are the lines that are alike, and of
// SASL and UTF8 the words that both lines hold.
const Protocol& Pop3Protocol();

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_PROTOCOL_POP3_POP3_PROTOCOL_H_
