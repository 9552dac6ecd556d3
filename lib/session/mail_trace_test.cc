#include "lib/session/mail_trace.h"

#include <gtest/gtest.h>

namespace gatehouse {
namespace {

MailTrace Sample() {
  MailTrace trace;
  trace.helo = "mx.example.net";
  trace.client = *SocketAddress::Parse("192.0.2.7", 4711);
  trace.host_name = "front.example.com";
  trace.id = "s1";
  trace.esmtp = true;
  trace.time = absl::FromUnixSeconds(1'800'000'000);
  return trace;
}

TEST(MailTraceTest, WritesOurOwnLine) {
  EXPECT_EQ(FormatReceived(Sample()),
            "Received: from mx.example.net ([192.0.2.7])\r\n"
            "\tby front.example.com with ESMTP id s1;\r\n"
            "\tFri, 15 Jan 2027 08:00:00 +0000\r\n");
}

TEST(MailTraceTest, NamesTheProtocolAsRfc3848Does) {
  const struct {
    bool esmtp, tls, authenticated, utf8;
    const char* word;
  } kCases[] = {
      {false, false, false, false, "SMTP"},
      {false, true, false, false, "SMTP"},
      {true, true, false, false, "ESMTPS"},
      {true, false, true, false, "ESMTPA"},
      {true, true, true, false, "ESMTPSA"},
      {true, true, true, true, "UTF8SMTPSA"},
      {true, false, false, true, "UTF8SMTP"},
  };
  for (const auto& c : kCases) {
    MailTrace trace = Sample();
    trace.esmtp = c.esmtp;
    trace.tls = c.tls;
    trace.authenticated = c.authenticated;
    trace.utf8 = c.utf8;
    EXPECT_NE(
        FormatReceived(trace).find(std::string(" with ") + c.word + " id"),
        std::string::npos)
        << c.word;
  }
}

TEST(MailTraceTest, WritesAnIpv6Literal) {
  MailTrace trace = Sample();
  trace.client = *SocketAddress::Parse("2001:db8::7", 4711);
  EXPECT_NE(FormatReceived(trace).find("([IPv6:2001:db8::7])"),
            std::string::npos);
}

constexpr char kOurs[] =
    "Received: from a ([192.0.2.1])\r\n\tby front.example.com with ESMTP;\r\n"
    "\tMon, 1 Jan 2027 00:00:00 +0000\r\n";

struct Hops {
  int all;
  int own;
  friend bool operator==(const Hops&, const Hops&) = default;
};

Hops Count(const std::string& message, size_t piece) {
  HopCounter counter("front.example.com");
  for (size_t at = 0; at < message.size(); at += piece) {
    counter.Read(std::string_view(message).substr(at, piece));
  }
  return {counter.hops(), counter.own_hops()};
}

TEST(HopCounterTest, CountsHopsAndOurOwnAmongThem) {
  const std::string ours = kOurs;
  const struct {
    std::string message;
    Hops hops;
  } kCases[] = {
      {"Subject: x\r\n\r\nReceived: by front.example.com\r\n", {0, 0}},
      {ours + "\r\n", {1, 1}},
      {ours + ours + "Received: by other.example\r\n\r\n", {3, 2}},
      {"RECEIVED :from x by Front.Example.COM;x\r\n\r\n", {1, 1}},
      {"Received: from front.example.com by b\r\n\r\n", {1, 0}},
      {"Received: from x (said by front.example.com \\) (2)) by b\r\n\r\n",
       {1, 0}},
      {"Received: by front.example.com.evil.net\r\n\r\n", {1, 0}},
      {"X-Received: by front.example.com\r\n\r\n", {0, 0}},
      {"Received: by\r\n front.example.com\r\nTo: x\r\n\r\n", {1, 1}},
      {"no header at all\r\n" + ours, {0, 0}},
      {"Received: " + std::string(100000, 'x') + " by front.example.com\r\n" +
           ours + "\r\n",
       {2, 1}},
  };
  for (const auto& c : kCases) {
    for (const size_t piece : {size_t{1}, size_t{7}, c.message.size()}) {
      EXPECT_EQ(Count(c.message, piece), c.hops)
          << c.message.substr(0, 100) << " in pieces of " << piece;
    }
  }
}

TEST(HopCounterTest, CountsALastFieldBeforeItsEndOnly) {
  HopCounter counter("front.example.com");
  counter.Read("Received: by front.example.com");
  EXPECT_EQ(counter.hops(), 0);
  counter.Read("\r\n\r\n");
  EXPECT_EQ(counter.own_hops(), 1);
}

}  // namespace
}  // namespace gatehouse
