#ifndef GATEHOUSE_LIB_BASE_HOST_PATTERN_H_
#define GATEHOUSE_LIB_BASE_HOST_PATTERN_H_

#include <optional>
#include <string>
#include <string_view>

#include "lib/base/endpoint.h"

namespace gatehouse {

// Hosts as an operator writes them: one name ("store1.example.com"), all names
// below a domain (".example.com"), or an address block ("10.0.0.0/8").
class HostPattern {
 public:
  static std::optional<HostPattern> Parse(std::string_view text);

  // In whatever case, with or without a final dot. A block has no names.
  bool MatchesName(std::string_view host) const;
  // A name has no addresses: nothing is resolved.
  bool MatchesAddress(const SocketAddress& address) const;
  // The one name that it stands for; empty where it stands for several hosts.
  std::string_view OnlyName() const;
  // A host as it is written somewhere: by name or by address.
  bool Matches(std::string_view host) const;
  // Nothing but this machine: by address, or "localhost".
  bool IsLoopback() const;

 private:
  HostPattern() = default;

  std::string name_;  // empty: a block
  Cidr block_;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_BASE_HOST_PATTERN_H_
