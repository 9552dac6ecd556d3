#ifndef GATEHOUSE_LIB_PROTOCOL_SIEVE_SIEVE_PROTOCOL_H_
#define GATEHOUSE_LIB_PROTOCOL_SIEVE_SIEVE_PROTOCOL_H_

#include "lib/protocol/machine.h"

namespace gatehouse {

// ManageSieve (RFC 5804) as sessions see it. One capability is its name and,
// behind a space, its value, both without quotes: "SIEVE fileinto reject",
// "STARTTLS". Two upstreams have in common the words that both values hold; of
// MAXREDIRECTS the smaller number.
//
// No port is registered for implicit TLS: where a site has one, 4190 is as good
// a default as any.
const Protocol& SieveProtocol();

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_PROTOCOL_SIEVE_SIEVE_PROTOCOL_H_
