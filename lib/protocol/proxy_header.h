#ifndef GATEHOUSE_LIB_PROTOCOL_PROXY_HEADER_H_
#define GATEHOUSE_LIB_PROTOCOL_PROXY_HEADER_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lib/base/endpoint.h"

namespace gatehouse {

// The PROXY protocol (haproxy's proxy-protocol.txt, versions 1 and 2): how a
// load balancer before us, and we before a mail store, say who the client is.

// What a header says of the client's TLS (PP2_TYPE_SSL).
struct ProxyTls {
  std::string version;  // "TLSv1.3"
  std::string cipher;   // may be empty
  bool client_certificate_verified = false;
  std::string common_name;  // of the client's certificate
};

struct ProxyHeader {
  // The balancer speaks for itself (a health check): no client is behind it.
  bool local = false;
  // Unset where the header doesn't say: v1 UNKNOWN, v2 UNSPEC and UNIX, of a
  // client of unknown origin, and LOCAL, where the connection's own hold.
  SocketAddress source;
  SocketAddress destination;
  std::optional<ProxyTls> tls;  // absent: the client came without TLS
  std::string authority;        // the host name the client asked for (SNI)
};

// Reads one header from the start of a connection, however it is chopped.
//
// A connection from a configured balancer must begin with a header, one from
// anybody else must not: which of the two holds is the caller's to know, since
// the specification forbids guessing. Not usable again after kDone or
// kViolation.
class ProxyHeaderParser {
 public:
  // A v2 header may announce 64 KiB; balancers send some hundred octets, and a
  // client certificate as a TLV some thousand.
  static constexpr size_t kLongestHeaderBytes = 16384;

  enum class Status { kNeedData, kDone, kViolation };

  // Takes what belongs to the header from the front of `bytes` and sets
  // `consumed` to how much that was: all of it for kNeedData, up to and with
  // the header's last octet for kDone. What follows is the client's.
  Status Feed(std::string_view bytes, size_t& consumed);

  // After kDone.
  const ProxyHeader& header() const { return header_; }
  // After kViolation: what was wrong, without the peer's own text.
  std::string_view violation() const { return violation_; }

 private:
  Status FeedOctet(char octet);
  Status FeedVersion1();
  Status FeedVersion2();
  Status ParseVersion1(std::string_view line);
  Status ParseVersion2();
  bool ParseTlvs(std::string_view tlvs, size_t offset);
  bool ParseTls(std::string_view value);
  bool ChecksumHolds(size_t value_offset) const;
  Status Violation(std::string_view what);

  std::string buffer_;
  ProxyHeader header_;
  std::string_view violation_;
};

// Notices a header at the start of a connection from somebody who must not send
// one: an address that is forged, or a balancer that isn't configured. The
// bytes stay the caller's to read; none is kept.
class ProxyHeaderDetector {
 public:
  // True once what came so far begins a header.
  bool Feed(std::string_view bytes);

 private:
  size_t seen_ = 0;
  uint8_t excluded_ = 0;  // a bit for each beginning that it can't be
};

// The version 2 header that says `header`, for an upstream. Addresses of
// different families are both sent as IPv6; unset ones, or `local`, make a
// LOCAL header. Text with control characters, and an authority longer than 255
// octets, is left out.
enum class ProxyChecksum { kOmit, kAdd };  // PP2_TYPE_CRC32C
std::string EncodeProxyHeader(const ProxyHeader& header,
                              ProxyChecksum checksum = ProxyChecksum::kOmit);

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_PROTOCOL_PROXY_HEADER_H_
