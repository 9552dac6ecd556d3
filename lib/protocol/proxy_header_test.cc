#include "lib/protocol/proxy_header.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace gatehouse {
namespace {

using Status = ProxyHeaderParser::Status;
using namespace std::string_literals;
using namespace std::string_view_literals;

const std::string kSignature = "\r\n\r\n\0\r\nQUIT\n"s;

std::string Number16(size_t number) {
  return {static_cast<char>(number >> 8), static_cast<char>(number)};
}

std::string Version2(char command, char family, const std::string& block) {
  return kSignature + command + family + Number16(block.size()) + block;
}

std::string Tlv(char type, const std::string& value) {
  return type + Number16(value.size()) + value;
}

const std::string kTcp4Block =
    "\xC0\x00\x02\x01\xC6\x33\x64\x02\x04\xd2\x00\x8f"s;

struct Parsed {
  Status status = Status::kNeedData;
  ProxyHeader header;
  std::string rest;
};

// Feeds `bytes` in pieces of `piece` octets.
Parsed Parse(std::string_view bytes, size_t piece) {
  ProxyHeaderParser parser;
  Parsed parsed;
  while (!bytes.empty() && parsed.status == Status::kNeedData) {
    const std::string_view now = bytes.substr(0, piece);
    size_t consumed = 0;
    parsed.status = parser.Feed(now, consumed);
    if (parsed.status == Status::kNeedData) {
      EXPECT_EQ(consumed, now.size());
    }
    bytes.remove_prefix(consumed);
  }
  EXPECT_EQ(parser.violation().empty(), parsed.status != Status::kViolation);
  parsed.header = parser.header();
  parsed.rest = std::string(bytes);
  return parsed;
}

// Whole, octet by octet, and with what the client sends behind it.
Parsed ParseEveryWay(const std::string& bytes) {
  const Parsed whole = Parse(bytes, bytes.size());
  for (const size_t piece : {1, 3, 16}) {
    EXPECT_EQ(Parse(bytes, piece).status, whole.status) << piece;
  }
  if (whole.status == Status::kDone) {
    const std::string hello = "\x16\x03\x01\x02\x00\x01"s;
    for (const size_t piece : {size_t{1}, bytes.size() + hello.size()}) {
      const Parsed behind = Parse(bytes + hello, piece);
      EXPECT_EQ(behind.status, Status::kDone);
      EXPECT_EQ(behind.rest, hello);
    }
    for (size_t cut = 1; cut < bytes.size(); ++cut) {
      EXPECT_EQ(Parse(bytes.substr(0, cut), cut).status, Status::kNeedData)
          << cut;
    }
  }
  return whole;
}

TEST(ProxyHeaderTest, ReadsVersion1Tcp4) {
  const Parsed parsed =
      ParseEveryWay("PROXY TCP4 192.0.2.1 198.51.100.2 1234 143\r\n");
  ASSERT_EQ(parsed.status, Status::kDone);
  EXPECT_EQ(parsed.header.source.ToString(), "192.0.2.1:1234");
  EXPECT_EQ(parsed.header.destination.ToString(), "198.51.100.2:143");
  EXPECT_FALSE(parsed.header.local);
}

TEST(ProxyHeaderTest, ReadsVersion1Tcp6) {
  const Parsed parsed =
      ParseEveryWay("PROXY TCP6 2001:db8::1 2001:DB8::2 65535 0\r\n");
  ASSERT_EQ(parsed.status, Status::kDone);
  EXPECT_EQ(parsed.header.source.ToString(), "[2001:db8::1]:65535");
  EXPECT_EQ(parsed.header.destination.AddressText(), "2001:db8::2");
}

TEST(ProxyHeaderTest, Version1UnknownSaysNoAddress) {
  for (const char* line :
       {"PROXY UNKNOWN\r\n", "PROXY UNKNOWN 1.2.3.4 rubbish\r\n",
        "PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n"}) {
    const Parsed parsed = ParseEveryWay(line);
    EXPECT_EQ(parsed.status, Status::kDone) << line;
    EXPECT_FALSE(parsed.header.source.is_set());
    EXPECT_FALSE(parsed.header.local);
  }
}

TEST(ProxyHeaderTest, RefusesBadVersion1Lines) {
  const std::vector<std::string> lines = {
      "PROXY TCP4 192.0.2.1 198.51.100.2 1234 65536\r\n",
      "PROXY TCP4 192.0.2.1 198.51.100.2 -1 143\r\n",
      "PROXY TCP4 192.0.2.1 198.51.100.2 0143 143\r\n",
      "PROXY TCP4 192.0.2.1 198.51.100.2 1234 143 \r\n",
      "PROXY TCP4 192.0.2.1 198.51.100.2 1234\r\n",
      "PROXY TCP4 192.0.2.1 198.51.100.2 1234 143x\r\n",
      "PROXY TCP4 192.0.2.1 198.51.100.2  143\r\n",
      "PROXY TCP4  192.0.2.1 198.51.100.2 1234 143\r\n",
      "PROXY TCP4 192.0.2.01 198.51.100.2 1234 143\r\n",
      "PROXY TCP4 192.0.2 198.51.100.2 1234 143\r\n",
      "PROXY TCP4 2001:db8::1 2001:db8::2 1234 143\r\n",
      "PROXY TCP6 192.0.2.1 198.51.100.2 1234 143\r\n",
      "PROXY TCP6 fe80::1%eth0 ::1 1234 143\r\n",
      "PROXY TCP4 192.0.2.1\0 198.51.100.2 1234 143\r\n"s,
      "PROXY TCP5 192.0.2.1 198.51.100.2 1234 143\r\n",
      "PROXY UDP4 192.0.2.1 198.51.100.2 1234 143\r\n",
      "PROXY UNKNOWNX\r\n",
      "PROXY tcp4 192.0.2.1 198.51.100.2 1234 143\r\n",
      "PROXY TCP4 192.0.2.1 198.51.100.2 1234 143\n",
      "PROXY \r\n",
      "proxy TCP4 192.0.2.1 198.51.100.2 1234 143\r\n",
      "PROXY\tTCP4",
      "PROXY UNKNOWN " + std::string(200, 'x'),
  };
  for (const std::string& line : lines) {
    EXPECT_EQ(ParseEveryWay(line).status, Status::kViolation) << line;
  }
}

TEST(ProxyHeaderTest, Version1LineMayHave107OctetsAndNoMore) {
  const std::string start = "PROXY UNKNOWN ";
  const std::string longest =
      start + std::string(107 - 2 - start.size(), 'x') + "\r\n";
  EXPECT_EQ(ParseEveryWay(longest).status, Status::kDone);
  const std::string longer =
      start + std::string(107 - 1 - start.size(), 'x') + "\r\n";
  EXPECT_EQ(ParseEveryWay(longer).status, Status::kViolation);
}

TEST(ProxyHeaderTest, RefusesAClientThatSpeaksAtOnce) {
  for (const std::string& speech :
       {"\x16\x03\x01\x02"s, "a LOGIN u p\r\n"s, "P"s + "OST / HTTP/1.1\r\n",
        "\r\n\r\nQUIT"s, "\0"s, "EHLO x\r\n"s}) {
    EXPECT_EQ(ParseEveryWay(speech).status, Status::kViolation) << speech;
  }
}

TEST(ProxyHeaderTest, ReadsVersion2Tcp4) {
  const Parsed parsed = ParseEveryWay(Version2(0x21, 0x11, kTcp4Block));
  ASSERT_EQ(parsed.status, Status::kDone);
  EXPECT_EQ(parsed.header.source.ToString(), "192.0.2.1:1234");
  EXPECT_EQ(parsed.header.destination.ToString(), "198.51.100.2:143");
}

TEST(ProxyHeaderTest, ReadsVersion2Tcp6WithTlvs) {
  const std::string tls = "\x03\0\0\0\0"s + Tlv(0x21, "TLSv1.3") +
                          Tlv(0x22, "alice") +
                          Tlv(0x23, "TLS_AES_128_GCM_SHA256");
  const std::string block = std::string(15, '\0') + "\x01" +
                            std::string(15, '\0') + "\x02" + "\x04\xd2\0\x8f"s +
                            Tlv(0x04, "padding") +
                            Tlv(0x02, "imap.example.com") + Tlv(0x20, tls);
  const Parsed parsed = ParseEveryWay(Version2(0x21, 0x21, block));
  ASSERT_EQ(parsed.status, Status::kDone);
  EXPECT_EQ(parsed.header.source.ToString(), "[::1]:1234");
  EXPECT_EQ(parsed.header.destination.ToString(), "[::2]:143");
  EXPECT_EQ(parsed.header.authority, "imap.example.com");
  ASSERT_TRUE(parsed.header.tls.has_value());
  EXPECT_EQ(parsed.header.tls->version, "TLSv1.3");
  EXPECT_EQ(parsed.header.tls->cipher, "TLS_AES_128_GCM_SHA256");
  EXPECT_EQ(parsed.header.tls->common_name, "alice");
  EXPECT_TRUE(parsed.header.tls->client_certificate_verified);
}

TEST(ProxyHeaderTest, UnverifiedCertificateIsNotVerified) {
  const std::string block = kTcp4Block + Tlv(0x20, "\x03\0\0\0\x01"s);
  const Parsed parsed = ParseEveryWay(Version2(0x21, 0x11, block));
  ASSERT_TRUE(parsed.header.tls.has_value());
  EXPECT_FALSE(parsed.header.tls->client_certificate_verified);
}

TEST(ProxyHeaderTest, TlvOfAClientWithoutTlsSaysNoTls) {
  const std::string block =
      kTcp4Block + Tlv(0x20, "\0\0\0\0\0"s + Tlv(0x21, "TLSv1.3"));
  EXPECT_FALSE(
      ParseEveryWay(Version2(0x21, 0x11, block)).header.tls.has_value());
}

TEST(ProxyHeaderTest, LocalDiscardsWhateverItsBlockHolds) {
  for (const std::string& block : {""s, kTcp4Block, "\x02\xff\xff"s}) {
    for (const char family : {'\x00', '\x11', '\x7f'}) {
      const Parsed parsed = ParseEveryWay(Version2(0x20, family, block));
      EXPECT_EQ(parsed.status, Status::kDone);
      EXPECT_TRUE(parsed.header.local);
      EXPECT_FALSE(parsed.header.source.is_set());
    }
  }
}

TEST(ProxyHeaderTest, UnspecifiedAndUnixSayNoAddress) {
  for (const std::string& header :
       {Version2(0x21, 0x00, ""), Version2(0x21, 0x00, Tlv(0x02, "name")),
        Version2(0x21, 0x31, std::string(216, '\0'))}) {
    const Parsed parsed = ParseEveryWay(header);
    EXPECT_EQ(parsed.status, Status::kDone);
    EXPECT_FALSE(parsed.header.source.is_set());
    EXPECT_FALSE(parsed.header.local);
  }
}

TEST(ProxyHeaderTest, RefusesBadVersion2Headers) {
  const std::vector<std::string> headers = {
      Version2(0x22, 0x11, kTcp4Block),                // command
      Version2(0x11, 0x11, kTcp4Block),                // version
      Version2(0x21, 0x12, kTcp4Block),                // UDP
      Version2(0x21, 0x41, kTcp4Block),                // family
      Version2(0x21, 0x11, kTcp4Block.substr(0, 11)),  // short length
      Version2(0x21, 0x21, kTcp4Block),                // short for IPv6
      Version2(0x21, 0x31, std::string(215, '\0')),    // short for UNIX
      Version2(0x21, 0x11, kTcp4Block + "\x02"),       // half a TLV
      Version2(0x21, 0x11, kTcp4Block + "\x02\0\x05x"s),
      Version2(0x21, 0x11, kTcp4Block + Tlv(0x20, "\x01\0\0\0"s)),
      Version2(0x21, 0x11, kTcp4Block + Tlv(0x20, "\x01\0\0\0\0\x21\0"s)),
      Version2(0x21, 0x11, kTcp4Block + Tlv(0x03, "\x01\x02\x03\x04"s)),
      Version2(0x21, 0x11, kTcp4Block + Tlv(0x03, "")),
      Version2(0x21, 0x11, std::string(65535, '\0')),
  };
  for (const std::string& header : headers) {
    EXPECT_EQ(ParseEveryWay(header).status, Status::kViolation)
        << header.size() << " " << &header - headers.data();
  }
}

TEST(ProxyHeaderTest, LengthUpToItsLimitIsRead) {
  const size_t block =
      ProxyHeaderParser::kLongestHeaderBytes - 16 - kTcp4Block.size() - 3;
  const std::string longest =
      Version2(0x21, 0x11, kTcp4Block + Tlv(0x04, std::string(block, '\0')));
  EXPECT_EQ(Parse(longest, 1000).status, Status::kDone);
  const std::string longer = Version2(
      0x21, 0x11, kTcp4Block + Tlv(0x04, std::string(block + 1, '\0')));
  // Refused when the length is known, not when all of it has come.
  EXPECT_EQ(Parse(longer.substr(0, 16), 16).status, Status::kViolation);
}

TEST(ProxyHeaderTest, ChecksumMustHoldWhereGiven) {
  ProxyHeader header;
  header.source = *SocketAddress::Parse("192.0.2.1", 1234);
  header.destination = *SocketAddress::Parse("198.51.100.2", 143);
  header.authority = "imap.example.com";
  const std::string good = EncodeProxyHeader(header, ProxyChecksum::kAdd);
  EXPECT_EQ(ParseEveryWay(good).status, Status::kDone);
  const size_t checksum_type = good.size() - 7;  // changed, it's another TLV
  for (size_t i = 16; i < good.size(); ++i) {
    if (i == checksum_type) continue;
    std::string bad = good;
    bad[i] ^= 1;
    // A changed length asks for more or is cut; nothing changed is accepted.
    EXPECT_NE(Parse(bad, bad.size()).status, Status::kDone) << "octet " << i;
  }
  const std::string twice =
      good.substr(16) + Tlv(0x03, good.substr(good.size() - 4));
  EXPECT_EQ(ParseEveryWay(Version2(0x21, 0x11, twice)).status,
            Status::kViolation);
}

TEST(ProxyHeaderTest, EncodesTheSpecificationsOctets) {
  ProxyHeader header;
  header.source = *SocketAddress::Parse("192.0.2.1", 1234);
  header.destination = *SocketAddress::Parse("198.51.100.2", 143);
  EXPECT_EQ(EncodeProxyHeader(header), Version2(0x21, 0x11, kTcp4Block));
  header.authority = "a";
  header.tls = ProxyTls();
  header.tls->version = "TLSv1.3";
  EXPECT_EQ(EncodeProxyHeader(header),
            Version2(0x21, 0x11,
                     kTcp4Block + Tlv(0x02, "a") +
                         Tlv(0x20, "\x01\0\0\0\x01"s + Tlv(0x21, "TLSv1.3"))));
}

TEST(ProxyHeaderTest, EncodedHeadersAreReadBack) {
  ProxyHeader header;
  header.source = *SocketAddress::Parse("2001:db8::1", 50000);
  header.destination = *SocketAddress::Parse("2001:db8::2", 993);
  header.authority = "imap.example.com";
  header.tls = ProxyTls{.version = "TLSv1.2",
                        .cipher = "ECDHE",
                        .client_certificate_verified = true,
                        .common_name = "alice"};
  const Parsed parsed =
      ParseEveryWay(EncodeProxyHeader(header, ProxyChecksum::kAdd));
  ASSERT_EQ(parsed.status, Status::kDone);
  EXPECT_EQ(parsed.header.source, header.source);
  EXPECT_EQ(parsed.header.destination, header.destination);
  EXPECT_EQ(parsed.header.authority, header.authority);
  EXPECT_EQ(parsed.header.tls->cipher, "ECDHE");
  EXPECT_EQ(parsed.header.tls->common_name, "alice");
  EXPECT_TRUE(parsed.header.tls->client_certificate_verified);
}

TEST(ProxyHeaderTest, MixedFamiliesAreBothSentAsIpv6) {
  ProxyHeader header;
  header.source = *SocketAddress::Parse("192.0.2.1", 1234);
  header.destination = *SocketAddress::Parse("2001:db8::2", 143);
  const Parsed parsed = ParseEveryWay(EncodeProxyHeader(header));
  EXPECT_EQ(parsed.header.source.ToString(), "[::ffff:192.0.2.1]:1234");
  EXPECT_EQ(parsed.header.destination, header.destination);
}

TEST(ProxyHeaderTest, MappedAddressesAreSentAsIpv4) {
  ProxyHeader header;
  header.source = *SocketAddress::Parse("::ffff:192.0.2.1", 1234);
  header.destination = *SocketAddress::Parse("::ffff:198.51.100.2", 143);
  EXPECT_EQ(EncodeProxyHeader(header), Version2(0x21, 0x11, kTcp4Block));
}

TEST(ProxyHeaderTest, NoAddressIsSentAsLocal) {
  EXPECT_EQ(EncodeProxyHeader(ProxyHeader()), Version2(0x20, 0x00, ""));
  EXPECT_TRUE(
      ParseEveryWay(EncodeProxyHeader(ProxyHeader(), ProxyChecksum::kAdd))
          .header.local);
}

// How many octets the detector takes before it notices; 0: it doesn't.
size_t NoticedAfter(std::string_view bytes) {
  ProxyHeaderDetector detector;
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (detector.Feed(bytes.substr(i, 1))) return i + 1;
  }
  return 0;
}

TEST(ProxyHeaderDetectorTest, NoticesEveryKindOfHeader) {
  EXPECT_EQ(NoticedAfter("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n"), 11u);
  EXPECT_EQ(NoticedAfter("PROXY TCP6 ::1 ::1 1 2\r\n"), 11u);
  EXPECT_EQ(NoticedAfter("PROXY UNKNOWN\r\n"), 13u);
  EXPECT_EQ(NoticedAfter(EncodeProxyHeader(ProxyHeader())), 12u);
  EXPECT_TRUE(ProxyHeaderDetector().Feed("PROXY UNKNOWN\r\n"));
}

TEST(ProxyHeaderDetectorTest, LeavesClientsAlone) {
  for (const std::string_view bytes :
       {"PROXY LOGIN a b\r\n"sv, "\r\n\r\nQUIT\r\n"sv, "PASS word\r\n"sv,
        "a PROXY TCP4 \r\n"sv, "proxy TCP4 x\r\n"sv, "PROXY TCP"sv, ""sv,
        "\r\nPROXY TCP4 \r\n"sv}) {
    EXPECT_EQ(NoticedAfter(bytes), 0u) << bytes;
  }
}

TEST(ProxyHeaderTest, HostileTextIsLeftOut) {
  ProxyHeader header;
  header.source = *SocketAddress::Parse("192.0.2.1", 1234);
  header.destination = *SocketAddress::Parse("198.51.100.2", 143);
  for (const std::string& name :
       {"a\0b"s, "a\r\nX"s, std::string(256, 'a'), ""s}) {
    header.authority = name;
    EXPECT_EQ(EncodeProxyHeader(header), Version2(0x21, 0x11, kTcp4Block));
  }
}

}  // namespace
}  // namespace gatehouse
