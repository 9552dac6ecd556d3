#include "lib/base/endpoint.h"

#include <arpa/inet.h>
#include <string.h>

#include <algorithm>
#include <charconv>

namespace gatehouse {
namespace {

// RFC 1035 §2.3.4, as text without the trailing dot.
constexpr size_t kLongestName = 253;
constexpr size_t kLongestLabel = 63;

constexpr bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// A lambda, as a function's address wouldn't be inlined in all_of().
constexpr auto kIsLabelOctet = [](char c) {
  return IsDigit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         c == '-' || c == '_';
};

bool IsLabel(std::string_view label) {
  return !label.empty() && label.size() <= kLongestLabel &&
         label.front() != '-' && label.back() != '-' &&
         std::all_of(label.begin(), label.end(), kIsLabelOctet);
}

bool IsHostName(std::string_view name) {
  if (name.ends_with('.')) name.remove_suffix(1);
  if (name.empty() || name.size() > kLongestName) return false;
  std::string_view label;
  for (std::string_view rest = name;;) {
    const size_t dot = rest.find('.');
    label = rest.substr(0, dot);
    if (!IsLabel(label)) return false;
    if (dot == std::string_view::npos) break;
    rest.remove_prefix(dot + 1);
  }
  // inet_aton() reads a last label that starts with a digit as a number.
  return !IsDigit(label.front());
}

bool ParseHost(std::string_view host, Endpoint& endpoint) {
  if (!IsHostName(host) && !SocketAddress::Parse(host, 0)) return false;
  endpoint.host = std::string(host);
  return true;
}

}  // namespace

std::optional<SocketAddress> SocketAddress::Parse(std::string_view address,
                                                  uint16_t port) {
  const std::string text(address);
  // inet_pton() would see only what stands before it.
  if (text.find('\0') != std::string::npos) return std::nullopt;
  SocketAddress result;
  if (inet_pton(AF_INET, text.c_str(), &result.v4_.sin_addr) == 1) {
    result.v4_.sin_family = AF_INET;
    result.v4_.sin_port = htons(port);
    return result;
  }
  if (inet_pton(AF_INET6, text.c_str(), &result.v6_.sin6_addr) == 1) {
    result.v6_.sin6_family = AF_INET6;
    result.v6_.sin6_port = htons(port);
    return result;
  }
  return std::nullopt;
}

SocketAddress SocketAddress::FromSockaddr(const sockaddr* address) {
  SocketAddress result;
  if (address->sa_family == AF_INET) {
    memcpy(&result.v4_, address, sizeof(result.v4_));
  } else if (address->sa_family == AF_INET6) {
    memcpy(&result.v6_, address, sizeof(result.v6_));
  }
  return result;
}

uint16_t SocketAddress::port() const {
  return ntohs(is_v6() ? v6_.sin6_port : v4_.sin_port);
}

void SocketAddress::set_port(uint16_t port) {
  (is_v6() ? v6_.sin6_port : v4_.sin_port) = htons(port);
}

SocketAddress SocketAddress::Unmapped() const {
  if (!is_v6() || !IN6_IS_ADDR_V4MAPPED(&v6_.sin6_addr)) return *this;
  SocketAddress result;
  result.v4_.sin_family = AF_INET;
  result.v4_.sin_port = v6_.sin6_port;
  memcpy(&result.v4_.sin_addr, v6_.sin6_addr.s6_addr + 12, 4);
  return result;
}

std::string SocketAddress::ClientKey() const {
  if (!is_v6()) return AddressText();
  constexpr size_t kPrefixBytes = 8;
  return std::string(reinterpret_cast<const char*>(&v6_.sin6_addr),
                     kPrefixBytes);
}

bool SocketAddress::IsLoopback() const {
  if (!is_set()) return false;
  const SocketAddress plain = Unmapped();
  if (plain.is_v6()) return IN6_IS_ADDR_LOOPBACK(&plain.v6_.sin6_addr);
  return (ntohl(plain.v4_.sin_addr.s_addr) >> 24) == 127;
}

bool SocketAddress::IsWildcard() const {
  if (!is_set()) return false;
  if (is_v6()) return IN6_IS_ADDR_UNSPECIFIED(&v6_.sin6_addr);
  return v4_.sin_addr.s_addr == 0;
}

std::string SocketAddress::AddressText() const {
  char text[INET6_ADDRSTRLEN] = "";
  if (is_v6()) {
    inet_ntop(AF_INET6, &v6_.sin6_addr, text, sizeof(text));
  } else if (is_set()) {
    inet_ntop(AF_INET, &v4_.sin_addr, text, sizeof(text));
  }
  return text;
}

std::string SocketAddress::ToString() const {
  return Endpoint{AddressText(), port()}.ToString();
}

bool operator==(const SocketAddress& a, const SocketAddress& b) {
  if (a.v6_.sin6_family != b.v6_.sin6_family || a.port() != b.port()) {
    return false;
  }
  if (a.is_v6()) {
    return memcmp(&a.v6_.sin6_addr, &b.v6_.sin6_addr, sizeof(in6_addr)) == 0;
  }
  return a.v4_.sin_addr.s_addr == b.v4_.sin_addr.s_addr;
}

std::optional<Cidr> Cidr::Parse(std::string_view text) {
  Cidr result;
  const size_t slash = text.find('/');
  const auto base = SocketAddress::Parse(text.substr(0, slash), 0);
  if (!base) return std::nullopt;
  result.base_ = *base;
  const int widest = base->is_v6() ? 128 : 32;
  result.prefix_bits_ = widest;
  if (slash == std::string_view::npos) return result;
  const std::string_view bits = text.substr(slash + 1);
  const auto [end, error] = std::from_chars(
      bits.data(), bits.data() + bits.size(), result.prefix_bits_);
  if (bits.empty() || !IsDigit(bits.front()) || error != std::errc() ||
      end != bits.data() + bits.size() || result.prefix_bits_ > widest) {
    return std::nullopt;
  }
  return result;
}

bool Cidr::IsLoopback() const {
  const int least_bits = base_.is_v6() ? 128 : 8;
  return base_.IsLoopback() && prefix_bits_ >= least_bits;
}

bool Cidr::Contains(const SocketAddress& address) const {
  const SocketAddress plain = address.Unmapped();
  if (!plain.is_set() || plain.is_v6() != base_.is_v6()) return false;
  const auto octets = [](const SocketAddress& a) {
    return a.is_v6()
               ? reinterpret_cast<const sockaddr_in6*>(a.raw())
                     ->sin6_addr.s6_addr
               : reinterpret_cast<const uint8_t*>(
                     &reinterpret_cast<const sockaddr_in*>(a.raw())->sin_addr);
  };
  const uint8_t* a = octets(base_);
  const uint8_t* b = octets(plain);
  const int whole = prefix_bits_ / 8;
  if (memcmp(a, b, whole) != 0) return false;
  const int rest = prefix_bits_ % 8;
  return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

std::optional<Endpoint> Endpoint::Parse(std::string_view text) {
  Endpoint result;
  std::string_view host = text;
  std::string_view port;
  bool has_port = false;
  if (text.starts_with('[')) {
    const size_t close = text.find(']');
    if (close == std::string_view::npos) return std::nullopt;
    host = text.substr(1, close - 1);
    const auto address = SocketAddress::Parse(host, 0);
    if (!address || !address->is_v6()) return std::nullopt;
    const std::string_view rest = text.substr(close + 1);
    if (!rest.empty()) {
      if (rest.front() != ':') return std::nullopt;
      has_port = true;
      port = rest.substr(1);
    }
  } else if (std::count(text.begin(), text.end(), ':') == 1) {
    const size_t colon = text.find(':');
    host = text.substr(0, colon);
    has_port = true;
    port = text.substr(colon + 1);
  }
  if (has_port) {
    const auto parsed = ParsePort(port);
    if (!parsed) return std::nullopt;
    result.port = *parsed;
  }
  if (!ParseHost(host, result)) return std::nullopt;
  return result;
}

std::string Endpoint::ToString() const {
  const bool v6 = host.find(':') != std::string::npos;
  std::string text = v6 ? "[" + host + "]" : host;
  if (port != 0) text += ":" + std::to_string(port);
  return text;
}

std::optional<uint16_t> ParsePort(std::string_view text) {
  uint32_t port = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), port);
  if (text.empty() || error != std::errc() ||
      end != text.data() + text.size() || port < 1 || port > 65535) {
    return std::nullopt;
  }
  return static_cast<uint16_t>(port);
}

}  // namespace gatehouse
