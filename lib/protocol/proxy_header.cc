// The PROXY protocol, after https://www.haproxy.org/download/2.8/doc/
// proxy-protocol.txt: §2.1 for version 1, §2.2 for version 2.
//
// Nothing is guessed: the first octet that can't continue a header is a
// violation, so a client that reaches a balancer's listener directly is
// noticed before anything of its speech is read.

#include "lib/protocol/proxy_header.h"

#include <string.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>

namespace gatehouse {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view kVersion1Start = "PROXY ";
constexpr std::string_view kVersion2Signature = "\r\n\r\n\0\r\nQUIT\n"sv;
// §2.1: "the maximum line lengths the receiver must support including the
// CRLF" is 107 octets, reached by UNKNOWN with two full IPv6 addresses.
constexpr size_t kLongestVersion1Bytes = 107;
// "PROXY " alone might be an IMAP client's tag.
constexpr std::string_view kBeginnings[] = {
    "PROXY TCP4 "sv, "PROXY TCP6 "sv, "PROXY UNKNOWN"sv, kVersion2Signature};
constexpr uint8_t kAllExcluded = (1 << std::size(kBeginnings)) - 1;
constexpr size_t kFixedBytes = 16;  // signature, command, family, length
// A TLS server name is a DNS name (RFC 6066 §3).
constexpr size_t kLongestAuthorityBytes = 255;

enum : uint8_t { kCommandLocal = 0x20, kCommandProxy = 0x21 };
enum : uint8_t {
  kFamilyUnspecified = 0x00,
  kFamilyTcp4 = 0x11,
  kFamilyTcp6 = 0x21,
  kFamilyUnixStream = 0x31,
};
constexpr size_t kTcp4Bytes = 12;
constexpr size_t kTcp6Bytes = 36;
constexpr size_t kUnixBytes = 216;

enum : uint8_t {
  kTlvAuthority = 0x02,
  kTlvChecksum = 0x03,
  kTlvTls = 0x20,
  kTlvTlsVersion = 0x21,
  kTlvTlsCommonName = 0x22,
  kTlvTlsCipher = 0x23,
};
// In PP2_TYPE_SSL's first octet.
enum : uint8_t { kClientTls = 0x01, kClientCertificate = 0x02 };
constexpr size_t kTlsFixedBytes = 5;  // client bits, verify result

uint8_t Octet(std::string_view bytes, size_t at) {
  return static_cast<uint8_t>(bytes[at]);
}

uint16_t Number16(std::string_view bytes, size_t at) {
  return static_cast<uint16_t>(Octet(bytes, at) << 8 | Octet(bytes, at + 1));
}

void AppendNumber16(size_t number, std::string& out) {
  out += static_cast<char>(number >> 8);
  out += static_cast<char>(number);
}

// CRC-32C (Castagnoli, reflected), octet by octet: headers are short and few.
uint32_t Crc32c(std::string_view bytes) {
  uint32_t crc = 0xffffffff;
  for (const char c : bytes) {
    crc ^= static_cast<uint8_t>(c);
    for (int bit = 0; bit < 8; ++bit) {
      crc = (crc >> 1) ^ ((crc & 1) ? 0x82f63b78 : 0);
    }
  }
  return ~crc;
}

std::string Number32(uint32_t number) {
  std::string text;
  for (int shift = 24; shift >= 0; shift -= 8) {
    text += static_cast<char>(number >> shift);
  }
  return text;
}

SocketAddress Tcp4Address(std::string_view address, uint16_t port) {
  sockaddr_in raw{};
  raw.sin_family = AF_INET;
  raw.sin_port = htons(port);
  memcpy(&raw.sin_addr, address.data(), 4);
  return SocketAddress::FromSockaddr(reinterpret_cast<const sockaddr*>(&raw));
}

SocketAddress Tcp6Address(std::string_view address, uint16_t port) {
  sockaddr_in6 raw{};
  raw.sin6_family = AF_INET6;
  raw.sin6_port = htons(port);
  memcpy(&raw.sin6_addr, address.data(), 16);
  return SocketAddress::FromSockaddr(reinterpret_cast<const sockaddr*>(&raw));
}

// §2.1: decimal, 0 to 65535, "heading zeroes are not permitted".
std::optional<uint16_t> ParseVersion1Port(std::string_view text) {
  if (text.empty() || (text.front() == '0' && text.size() > 1)) {
    return std::nullopt;
  }
  uint16_t port = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, port);
  if (error != std::errc() || stop != end) return std::nullopt;
  return port;
}

std::optional<SocketAddress> ParseVersion1Address(std::string_view address,
                                                  std::string_view port,
                                                  bool v6) {
  // An octet that no address holds would end the text for the C library.
  if (address.find_first_not_of("0123456789abcdefABCDEF.:") !=
      std::string_view::npos) {
    return std::nullopt;
  }
  const std::optional<uint16_t> number = ParseVersion1Port(port);
  if (!number) return std::nullopt;
  const auto parsed = SocketAddress::Parse(address, *number);
  if (!parsed || parsed->is_v6() != v6) return std::nullopt;
  return parsed;
}

// Splits into exactly the words asked for: one space between each.
template <size_t kWords>
bool SplitWords(std::string_view line,
                std::array<std::string_view, kWords>& words) {
  for (size_t i = 0; i < kWords; ++i) {
    const size_t space = line.find(' ');
    const bool last = i + 1 == kWords;
    if ((space == std::string_view::npos) != last) return false;
    words[i] = line.substr(0, space);
    if (!last) line.remove_prefix(space + 1);
  }
  return true;
}

// The length of a family's address block; nothing for datagrams and families
// that a mail connection can't have.
std::optional<size_t> AddressBytes(uint8_t family) {
  switch (family) {
    case kFamilyUnspecified:
      return 0;
    case kFamilyTcp4:
      return kTcp4Bytes;
    case kFamilyTcp6:
      return kTcp6Bytes;
    case kFamilyUnixStream:
      return kUnixBytes;
    default:
      return std::nullopt;
  }
}

// Takes one type-length-value from the front; false where it is cut.
bool TakeTlv(std::string_view& tlvs, uint8_t& type, std::string_view& value) {
  if (tlvs.size() < 3) return false;
  type = Octet(tlvs, 0);
  const size_t length = Number16(tlvs, 1);
  if (tlvs.size() - 3 < length) return false;
  value = tlvs.substr(3, length);
  tlvs.remove_prefix(3 + length);
  return true;
}

bool IsPlainText(std::string_view text) {
  return std::none_of(text.begin(), text.end(),
                      [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

void AppendTlv(uint8_t type, std::string_view value, std::string& out) {
  out += static_cast<char>(type);
  AppendNumber16(value.size(), out);
  out += value;
}

void AppendTextTlv(uint8_t type, std::string_view text, std::string& out) {
  if (text.empty() || text.size() > kLongestAuthorityBytes ||
      !IsPlainText(text)) {
    return;
  }
  AppendTlv(type, text, out);
}

std::string EncodeTls(const ProxyTls& tls) {
  std::string value;
  value += static_cast<char>(
      kClientTls | (tls.client_certificate_verified ? kClientCertificate : 0));
  // 0: a certificate was given and verified.
  value += Number32(tls.client_certificate_verified ? 0 : 1);
  AppendTextTlv(kTlvTlsVersion, tls.version, value);
  AppendTextTlv(kTlvTlsCipher, tls.cipher, value);
  if (tls.client_certificate_verified) {
    AppendTextTlv(kTlvTlsCommonName, tls.common_name, value);
  }
  return value;
}

void AppendAddress4(const SocketAddress& address, std::string& out) {
  const auto* raw = reinterpret_cast<const sockaddr_in*>(address.raw());
  out.append(reinterpret_cast<const char*>(&raw->sin_addr), 4);
}

void AppendAddress6(const SocketAddress& address, std::string& out) {
  if (address.is_v6()) {
    const auto* raw = reinterpret_cast<const sockaddr_in6*>(address.raw());
    out.append(reinterpret_cast<const char*>(&raw->sin6_addr), 16);
    return;
  }
  out.append("\0\0\0\0\0\0\0\0\0\0\xff\xff"sv);
  AppendAddress4(address, out);
}

// The address block; sets the family octet that goes before it.
std::string EncodeAddresses(const ProxyHeader& header, uint8_t& family) {
  const SocketAddress source = header.source.Unmapped();
  const SocketAddress destination = header.destination.Unmapped();
  const bool v6 = source.is_v6() || destination.is_v6();
  const auto append = v6 ? AppendAddress6 : AppendAddress4;
  family = v6 ? kFamilyTcp6 : kFamilyTcp4;
  std::string block;
  append(source, block);
  append(destination, block);
  AppendNumber16(source.port(), block);
  AppendNumber16(destination.port(), block);
  return block;
}

}  // namespace

ProxyHeaderParser::Status ProxyHeaderParser::Violation(std::string_view what) {
  violation_ = what;
  return Status::kViolation;
}

ProxyHeaderParser::Status ProxyHeaderParser::Feed(std::string_view bytes,
                                                  size_t& consumed) {
  consumed = 0;
  for (const char octet : bytes) {
    ++consumed;
    const Status status = FeedOctet(octet);
    if (status != Status::kNeedData) return status;
  }
  return Status::kNeedData;
}

ProxyHeaderParser::Status ProxyHeaderParser::FeedOctet(char octet) {
  buffer_ += octet;
  return buffer_.front() == kVersion1Start.front() ? FeedVersion1()
                                                   : FeedVersion2();
}

ProxyHeaderParser::Status ProxyHeaderParser::FeedVersion1() {
  const size_t known = std::min(buffer_.size(), kVersion1Start.size());
  if (buffer_.compare(0, known, kVersion1Start, 0, known) != 0) {
    return Violation("no PROXY header");
  }
  if (buffer_.back() == '\n') {
    if (!buffer_.ends_with("\r\n")) return Violation("v1: bare LF");
    std::string_view line = buffer_;
    line.remove_suffix(2);
    return ParseVersion1(line.substr(kVersion1Start.size()));
  }
  if (buffer_.size() >= kLongestVersion1Bytes) {
    return Violation("v1: line too long");
  }
  return Status::kNeedData;
}

ProxyHeaderParser::Status ProxyHeaderParser::ParseVersion1(
    std::string_view line) {
  // "The receiver must ignore anything presented before the CRLF is found."
  if (line == "UNKNOWN" || line.starts_with("UNKNOWN ")) return Status::kDone;
  std::array<std::string_view, 5> words;
  if (!SplitWords(line, words)) return Violation("v1: not five words");
  const auto [protocol, from, to, from_port, to_port] = words;
  if (protocol != "TCP4" && protocol != "TCP6") {
    return Violation("v1: unknown protocol");
  }
  const bool v6 = protocol == "TCP6";
  const auto source = ParseVersion1Address(from, from_port, v6);
  const auto destination = ParseVersion1Address(to, to_port, v6);
  if (!source || !destination) return Violation("v1: bad address or port");
  header_.source = *source;
  header_.destination = *destination;
  return Status::kDone;
}

ProxyHeaderParser::Status ProxyHeaderParser::FeedVersion2() {
  const size_t known = std::min(buffer_.size(), kVersion2Signature.size());
  if (buffer_.compare(0, known, kVersion2Signature, 0, known) != 0) {
    return Violation("no PROXY header");
  }
  if (buffer_.size() < kFixedBytes) return Status::kNeedData;
  const size_t whole = kFixedBytes + Number16(buffer_, 14);
  if (whole > kLongestHeaderBytes) return Violation("v2: header too long");
  return buffer_.size() < whole ? Status::kNeedData : ParseVersion2();
}

ProxyHeaderParser::Status ProxyHeaderParser::ParseVersion2() {
  const uint8_t command = Octet(buffer_, 12);
  const uint8_t family = Octet(buffer_, 13);
  const std::string_view block = std::string_view(buffer_).substr(kFixedBytes);
  if (command == kCommandLocal) {
    // "The receiver must discard the protocol block including the family."
    header_.local = true;
    return Status::kDone;
  }
  if (command != kCommandProxy) return Violation("v2: unknown command");
  const std::optional<size_t> addresses = AddressBytes(family);
  if (!addresses) return Violation("v2: not a stream of a known family");
  if (block.size() < *addresses) return Violation("v2: addresses are cut");
  if (family == kFamilyTcp4) {
    header_.source = Tcp4Address(block, Number16(block, 8));
    header_.destination = Tcp4Address(block.substr(4), Number16(block, 10));
  } else if (family == kFamilyTcp6) {
    header_.source = Tcp6Address(block, Number16(block, 32));
    header_.destination = Tcp6Address(block.substr(16), Number16(block, 34));
  }
  if (!ParseTlvs(block.substr(*addresses), kFixedBytes + *addresses)) {
    return Violation("v2: bad type-length-value or checksum");
  }
  return Status::kDone;
}

// `offset`: where `tlvs` begins in the header.
bool ProxyHeaderParser::ParseTlvs(std::string_view tlvs, size_t offset) {
  const size_t end = offset + tlvs.size();
  bool checked = false;
  while (!tlvs.empty()) {
    uint8_t type = 0;
    std::string_view value;
    if (!TakeTlv(tlvs, type, value)) return false;
    if (type == kTlvAuthority) header_.authority = std::string(value);
    if (type == kTlvTls && !ParseTls(value)) return false;
    if (type != kTlvChecksum) continue;
    // A second sum could never hold, and thousands would cost time.
    if (checked || value.size() != 4) return false;
    if (!ChecksumHolds(end - tlvs.size() - 4)) return false;
    checked = true;
  }
  return true;
}

bool ProxyHeaderParser::ParseTls(std::string_view value) {
  if (value.size() < kTlsFixedBytes) return false;
  const uint8_t client = Octet(value, 0);
  const bool verified = value.substr(1, 4) == "\0\0\0\0"sv;
  std::string_view tlvs = value.substr(kTlsFixedBytes);
  ProxyTls tls;
  tls.client_certificate_verified = (client & kClientCertificate) && verified;
  while (!tlvs.empty()) {
    uint8_t type = 0;
    std::string_view text;
    if (!TakeTlv(tlvs, type, text)) return false;
    if (type == kTlvTlsVersion) tls.version = std::string(text);
    if (type == kTlvTlsCipher) tls.cipher = std::string(text);
    if (type == kTlvTlsCommonName) tls.common_name = std::string(text);
  }
  if (client & kClientTls) header_.tls = std::move(tls);
  return true;
}

// §2.2.4: the sum is made with the checksum's own octets as zeros.
bool ProxyHeaderParser::ChecksumHolds(size_t value_offset) const {
  std::string zeroed = buffer_;
  zeroed.replace(value_offset, 4, 4, '\0');
  return buffer_.compare(value_offset, 4, Number32(Crc32c(zeroed))) == 0;
}

bool ProxyHeaderDetector::Feed(std::string_view bytes) {
  for (const char octet : bytes) {
    if (excluded_ == kAllExcluded) return false;
    for (size_t i = 0; i < std::size(kBeginnings); ++i) {
      if (excluded_ >> i & 1) continue;
      if (octet != kBeginnings[i][seen_]) {
        excluded_ |= 1 << i;
      } else if (seen_ + 1 == kBeginnings[i].size()) {
        return true;
      }
    }
    ++seen_;
  }
  return false;
}

std::string EncodeProxyHeader(const ProxyHeader& header,
                              ProxyChecksum checksum) {
  const bool local =
      header.local || !header.source.is_set() || !header.destination.is_set();
  uint8_t family = kFamilyUnspecified;
  std::string block;
  if (!local) {
    block = EncodeAddresses(header, family);
    AppendTextTlv(kTlvAuthority, header.authority, block);
    if (header.tls) AppendTlv(kTlvTls, EncodeTls(*header.tls), block);
  }
  if (checksum == ProxyChecksum::kAdd) {
    AppendTlv(kTlvChecksum, Number32(0), block);
  }
  std::string out(kVersion2Signature);
  out += static_cast<char>(local ? kCommandLocal : kCommandProxy);
  out += static_cast<char>(family);
  AppendNumber16(block.size(), out);
  out += block;
  if (checksum == ProxyChecksum::kAdd) {
    out.replace(out.size() - 4, 4, Number32(Crc32c(out)));
  }
  return out;
}

}  // namespace gatehouse
