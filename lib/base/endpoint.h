#ifndef GATEHOUSE_LIB_BASE_ENDPOINT_H_
#define GATEHOUSE_LIB_BASE_ENDPOINT_H_

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace gatehouse {

// An IPv4 or IPv6 address with a port, as the kernel takes it.
class SocketAddress {
 public:
  SocketAddress() : v6_{} {}

  // `address` in numbers ("127.0.0.1", "::1"; no brackets, no name, no octal).
  static std::optional<SocketAddress> Parse(std::string_view address,
                                            uint16_t port);
  static SocketAddress FromSockaddr(const sockaddr* address);

  bool is_v6() const { return v6_.sin6_family == AF_INET6; }
  bool is_set() const { return v6_.sin6_family != AF_UNSPEC; }
  uint16_t port() const;
  void set_port(uint16_t port);
  bool IsLoopback() const;  // also the IPv4-mapped form
  bool IsWildcard() const;

  std::string AddressText() const;  // "127.0.0.1", "::1"
  std::string ToString() const;     // "127.0.0.1:143", "[::1]:143"

  const sockaddr* raw() const {
    return reinterpret_cast<const sockaddr*>(&v6_);
  }
  socklen_t raw_size() const {
    return is_v6() ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
  }

  // An IPv4-mapped IPv6 address as the IPv4 address it stands for: what a
  // dual-stack listener sees must match an operator's IPv4 rules.
  SocketAddress Unmapped() const;

  // The part that one client has to itself, as a key for what is counted by
  // client: an IPv4 address, or the /64 of an IPv6 address.
  std::string ClientKey() const;

  friend bool operator==(const SocketAddress& a, const SocketAddress& b);

 private:
  union {
    sockaddr_in v4_;
    sockaddr_in6 v6_;
  };
};

// An address block such as 10.0.0.0/8 or 2001:db8::/32; a bare address is a
// block of one.
class Cidr {
 public:
  static std::optional<Cidr> Parse(std::string_view text);
  bool Contains(const SocketAddress& address) const;
  bool IsLoopback() const;  // with all that is in it

 private:
  SocketAddress base_;
  int prefix_bits_ = 0;
};

// A host, by name or address, and a port; 0 where the port isn't said.
struct Endpoint {
  std::string host;
  uint16_t port = 0;

  // "host", "host:port", "[v6]", "[v6]:port" or a bare "v6". Nothing where the
  // text is none of these, a port isn't 1..65535, or the host is neither an
  // address nor a name of letters, digits, hyphens and dots (RFC 1123 §2.1).
  // A name that could be read as a number ("0177.1", "127.1") is refused,
  // since resolvers would take it for an address.
  static std::optional<Endpoint> Parse(std::string_view text);

  std::string ToString() const;
  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

// 1..65535, decimal digits only.
std::optional<uint16_t> ParsePort(std::string_view text);

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_BASE_ENDPOINT_H_
