#ifndef GATEHOUSE_LIB_PROTOCOL_IMAP_IMAP_PROTOCOL_H_
#define GATEHOUSE_LIB_PROTOCOL_IMAP_IMAP_PROTOCOL_H_

#include "lib/protocol/machine.h"

namespace gatehouse {

// IMAP (RFC 9051, RFC 3501) for sessions; of static life, any thread.
const Protocol& ImapProtocol();

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_PROTOCOL_IMAP_IMAP_PROTOCOL_H_
