#ifndef GATEHOUSE_LIB_NET_HOSTS_FILE_H_
#define GATEHOUSE_LIB_NET_HOSTS_FILE_H_

#include <string_view>
#include <vector>

#include "lib/base/endpoint.h"

namespace gatehouse {

// The addresses of a name in the text of a hosts file (hosts(5)), port 0.
std::vector<SocketAddress> AddressesInHosts(std::string_view text,
                                            std::string_view name);

// The same in /etc/hosts. "localhost" is the loopback addresses even where the
// file doesn't say so (RFC 6761 §6.3). Reads the file: blocks.
std::vector<SocketAddress> AddressesInHostsFile(std::string_view name);

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_NET_HOSTS_FILE_H_
