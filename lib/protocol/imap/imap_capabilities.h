#ifndef GATEHOUSE_LIB_PROTOCOL_IMAP_IMAP_CAPABILITIES_H_
#define GATEHOUSE_LIB_PROTOCOL_IMAP_IMAP_CAPABILITIES_H_

#include <string>
#include <string_view>
#include <vector>

#include "lib/protocol/machine.h"

namespace gatehouse {

// Capability tokens of "CAPABILITY A B" (without that word). Tokens that aren't
// atoms are left out.
std::vector<std::string> SplitCapabilities(std::string_view text);

// Case doesn't matter.
bool HasCapability(const std::vector<std::string>& capabilities,
                   std::string_view name);

// The SASL mechanisms in it: what stands behind "AUTH=".
std::vector<std::string> SaslMechanismsIn(
    const std::vector<std::string>& capabilities);

// Everything that is announced before login, as " A B C": the one place that
// writes it, for the greeting and for CAPABILITY. It is what this front end
// does by itself as the connection stands, and of what the stores have told
// (`options.upstream_capabilities`) that which it can keep.
void AppendFrontEndCapabilities(const DownstreamOptions& options,
                                std::string& out);

// A store's own list for a client that has logged in, as " A B C", without what
// ends at the front end.
void AppendStoreCapabilities(const std::vector<std::string>& capabilities,
                             std::string& out);

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_PROTOCOL_IMAP_IMAP_CAPABILITIES_H_
