#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "lib/protocol/smtp/smtp_address.h"
#include "lib/protocol/smtp/smtp_body.h"
#include "lib/protocol/smtp/smtp_command.h"
#include "lib/protocol/smtp/smtp_keywords.h"
#include "lib/protocol/smtp/smtp_reply.h"
#include "lib/protocol/smtp/smtp_reply_reader.h"
#include "lib/protocol/smtp/smtp_xtext.h"
#include "lib/testing/chop.h"

namespace gatehouse {
namespace {

using namespace std::string_literals;

// --- Addresses ---------------------------------------------------------------

std::string Reading(std::string_view text) {
  const auto address = ParseSmtpAddress(text);
  if (!address) return "refused";
  return address->local_part + " at " + address->domain;
}

TEST(SmtpAddressTest, EachFormHasOneReading) {
  const std::pair<std::string, std::string> cases[] = {
      {"bob@example.com", "bob at example.com"},
      {"Bob@EXAMPLE.Com", "Bob at example.com"},
      {"a.b+c@x", "a.b+c at x"},
      {"\"a b\"@x", "a b at x"},
      {"\"bob\"@x", "bob at x"},
      {"\"a\\\"b\"@x", "a\"b at x"},
      {"\"a@b\"@x", "a@b at x"},
      {"u@[127.0.0.1]", "u at [127.0.0.1]"},
      {"u@[IPv6:2001:db8::1]", "u at [ipv6:2001:db8::1]"},
      {"j\xc3\xb6rg@ex\xc3\xa4mple.com", "j\xc3\xb6rg at ex\xc3\xa4mple.com"},
      {"Postmaster", "Postmaster at "},
      {"prvs=1234=bob@x.example", "prvs=1234=bob at x.example"},
      {"u@a_b.example", "u at a_b.example"},
      // Neither of these could be read in one way only.
      {"", "refused"},
      {"bob", "refused"},
      {"@x", "refused"},
      {"bob@", "refused"},
      {"bob@@x", "refused"},
      {"u@dom@other", "refused"},
      {"@a,@b:u@c", "refused"},  // a path, not an address
      {"@a:u@c", "refused"},
      {"\"\"@dom", "refused"},
      {"\"a@dom", "refused"},
      {"\"a\"b@dom", "refused"},
      {"\"a\\\"@dom", "refused"},
      {"a..b@x", "refused"},
      {".a@x", "refused"},
      {"a.@x", "refused"},
      {"a b@x", "refused"},
      {"a@x.", "refused"},
      {"a@.x", "refused"},
      {"a@x..y", "refused"},
      {"a@-x", "refused"},
      {"a@x-", "refused"},
      {"a@x y", "refused"},
      {"a@x\r\nRCPT", "refused"},
      {"a\n@x", "refused"},
      {"\"a\r\"@x", "refused"},
      {"a@x\0y"s, "refused"},
      {"a@[127.1]", "refused"},
      {"a@[1.2.3.4", "refused"},
      {"a@[::1]", "refused"},
      {"a@[IPv6:1.2.3.4]", "refused"},
      {"\xff@x", "refused"},
      {"<a@x>", "refused"},
      {"a(c)@x", "refused"},
      {"a,b@x", "refused"},
      {"a:b@x", "refused"},
  };
  for (const auto& [text, reading] : cases) {
    EXPECT_EQ(Reading(text), reading) << text;
  }
}

TEST(SmtpAddressTest, ASourceRouteIsReadAndForgotten) {
  const std::pair<std::string, std::string> cases[] = {
      {"@a:u@c", "u at c"},
      {"@a,@b:u@c", "u at c"},
      {"@a.example,@b_c.example:\"u@x\"@C.example", "u@x at c.example"},
      {"@ex\xc3\xa4mple.com:u@c", "u at c"},
      {"@a:u@[127.0.0.1]", "u at [127.0.0.1]"},
      {"u@c", "u at c"},
      {"Postmaster", "Postmaster at "},
      {"@a:Postmaster", "refused"},
      {"@a:u", "refused"},
      {"@a:", "refused"},
      {"@a", "refused"},
      {"@a,:u@c", "refused"},
      {"@a,b:u@c", "refused"},
      {"a:u@c", "refused"},
      {"@:u@c", "refused"},
      {"@a, @b:u@c", "refused"},
      {"@a@b:u@c", "refused"},
      {"@a:@b:u@c", "refused"},
      {"@a::u@c", "refused"},
      {"@[127.0.0.1]:u@c", "refused"},
      {"@a\xff:u@c", "refused"},
      {"@a\x1b:u@c", "refused"},
      {"@a:u@c:d", "refused"},
      {"u@c,@a", "refused"},
      {"@" + std::string(64, 'a') + ":u@c", "refused"},
  };
  for (const auto& [text, reading] : cases) {
    const auto address = ParseSmtpPath(text);
    EXPECT_EQ(
        address ? address->local_part + " at " + address->domain : "refused",
        reading)
        << text;
  }
  std::string route = "@d";
  while (route.size() + 2 <= 250) route += ",@d";
  EXPECT_TRUE(ParseSmtpPath("@d" + std::string(":u@c")));
  EXPECT_TRUE(ParseSmtpPath(route.substr(0, 248) + ":u@c"));
  EXPECT_FALSE(ParseSmtpPath(route + ",@d:u@c"));
}

TEST(SmtpAddressTest, SizesOfTheRfcAreTheLimits) {
  const std::string local(64, 'a');
  const std::string label(60, 'd');
  const std::string domain = label + "." + label + "." + label;  // 182
  EXPECT_NE(Reading(local + "@" + domain), "refused");
  EXPECT_EQ(Reading(local + "a@" + domain), "refused");
  EXPECT_NE(Reading(local + "@" + domain + ".dddddd"), "refused");
  EXPECT_EQ(Reading(local + "@" + domain + ".ddddddd"), "refused");
  EXPECT_EQ(Reading("a@" + std::string(64, 'd')), "refused");
}

TEST(SmtpAddressTest, WhatIsWrittenReadsTheSameAgain) {
  for (const std::string text :
       {"bob@x", "\"a b\"@x", "\"a\\\"\\\\b\"@x", "\"a..b\"@x", "\".\"@x",
        "\"a@b\"@x", "u@[127.0.0.1]", "u@[IPv6:2001:db8::1]", "Postmaster"}) {
    const auto address = ParseSmtpAddress(text);
    ASSERT_TRUE(address.has_value()) << text;
    EXPECT_EQ(Reading(address->ToString()), Reading(text)) << text;
  }
  EXPECT_EQ(ParseSmtpAddress("\"bob\"@X")->ToString(), "bob@x");
}

// --- MAIL, RCPT, BDAT, EHLO --------------------------------------------------

SmtpExtensions Everything() {
  SmtpExtensions extensions;
  extensions.eight_bit_mime = extensions.utf8 = extensions.dsn = true;
  extensions.prdr = extensions.auth = true;
  extensions.size = 1000;
  return extensions;
}

// The command as it would be handed on, or the code of the refusal.
std::string MailReading(std::string_view arguments) {
  const auto mail = ParseSmtpMail(arguments, Everything());
  if (const auto* reply = std::get_if<SmtpReply>(&mail)) {
    return std::to_string(reply->code) + " " + reply->enhanced;
  }
  return FormatSmtpMail(std::get<SmtpMail>(mail), Everything());
}

TEST(SmtpCommandTest, MailIsReadAndHandedOnWithItsParameters) {
  const std::pair<std::string, std::string> cases[] = {
      {"FROM:<>", "MAIL FROM:<>"},
      {"from:<Bob@X.example>", "MAIL FROM:<Bob@x.example>"},
      {"FROM: <a@b>", "MAIL FROM:<a@b>"},
      {"FROM:<\"a>b\"@x>", "MAIL FROM:<\"a>b\"@x>"},
      {"FROM:<a@b> SIZE=1000 body=8bitmime",
       "MAIL FROM:<a@b> SIZE=1000 BODY=8BITMIME"},
      {"FROM:<a@b> BODY=7BIT", "MAIL FROM:<a@b>"},
      {"FROM:<\xc3\xa4@b> SMTPUTF8", "MAIL FROM:<\xc3\xa4@b> SMTPUTF8"},
      {"FROM:<a@b> RET=HDRS ENVID=a+3Db",
       "MAIL FROM:<a@b> RET=HDRS ENVID=a+3Db"},
      {"FROM:<a@b> AUTH=admin@x", "MAIL FROM:<a@b>"},
      {"FROM:<a@b> AUTH=<>", "MAIL FROM:<a@b>"},
      {"FROM:<a@b> PRDR", "MAIL FROM:<a@b>"},
      {"FROM:<a@b>  SIZE=5", "MAIL FROM:<a@b> SIZE=5"},
      {"", "501 5.5.4"},
      {"FROM", "501 5.5.4"},
      {"FROM:", "501 5.5.4"},
      {"FROM:a@b", "501 5.5.4"},
      {"FROM:<a@b", "501 5.5.4"},
      {"FROM:<a@b>SIZE=1", "501 5.5.4"},
      {"TO:<a@b>", "501 5.5.4"},
      {"FROM:<a b@c>", "501 5.1.7"},
      {"FROM:<postmaster>", "501 5.1.7"},
      {"FROM:<\xc3\xa4@b>", "553 5.6.7"},
      {"FROM:<a@b> SIZE=1001", "552 5.3.4"},
      {"FROM:<a@b> SIZE=-1", "501 5.5.4"},
      {"FROM:<a@b> SIZE=", "501 5.5.4"},
      {"FROM:<a@b> SIZE", "501 5.5.4"},
      {"FROM:<a@b> SIZE=99999999999999999999", "501 5.5.4"},
      {"FROM:<a@b> SIZE=1 size=1", "501 5.5.4"},
      {"FROM:<a@b> BODY=BINARYMIME", "501 5.5.4"},
      {"FROM:<a@b> SMTPUTF8=1", "501 5.5.4"},
      {"FROM:<a@b> PRDR=1", "501 5.5.4"},
      {"FROM:<a@b> RET=BOTH", "501 5.5.4"},
      {"FROM:<a@b> ENVID=", "501 5.5.4"},
      {"FROM:<a@b> ENVID=a=b", "501 5.5.4"},
      {"FROM:<a@b> ENVID=" + std::string(101, 'x'), "501 5.5.4"},
      {"FROM:<a@b> AUTH=", "501 5.5.4"},
      {"FROM:<a@b> AUTH=a+zz", "501 5.5.4"},
      {"FROM:<a@b> BY=1", "555 5.5.4"},
      {"FROM:<a@b> =", "555 5.5.4"},
  };
  for (const auto& [arguments, reading] : cases) {
    EXPECT_EQ(MailReading(arguments), reading) << arguments;
  }
}

TEST(SmtpCommandTest, ParametersOfWhatIsNotOfferedAreRefused) {
  for (const std::string parameter :
       {"SIZE=1", "BODY=8BITMIME", "SMTPUTF8", "PRDR", "RET=FULL", "ENVID=x",
        "AUTH=<>"}) {
    const auto mail =
        ParseSmtpMail("FROM:<a@b> " + parameter, SmtpExtensions());
    ASSERT_TRUE(std::holds_alternative<SmtpReply>(mail)) << parameter;
    EXPECT_EQ(std::get<SmtpReply>(mail).code, 555) << parameter;
  }
  const auto rcpt =
      ParseSmtpRcpt("TO:<a@b> NOTIFY=NEVER", SmtpExtensions(), false);
  EXPECT_EQ(std::get<SmtpReply>(rcpt).code, 555);
}

std::string RcptReading(std::string_view arguments, bool utf8 = false) {
  const auto rcpt = ParseSmtpRcpt(arguments, Everything(), utf8);
  if (const auto* reply = std::get_if<SmtpReply>(&rcpt)) {
    return std::to_string(reply->code) + " " + reply->enhanced;
  }
  return FormatSmtpRcpt(std::get<SmtpRcpt>(rcpt), Everything());
}

TEST(SmtpCommandTest, RcptIsReadAndHandedOnWithItsParameters) {
  const std::pair<std::string, std::string> cases[] = {
      {"TO:<bob@x>", "RCPT TO:<bob@x>"},
      {"TO:<Postmaster>", "RCPT TO:<Postmaster>"},
      {"TO:<\"a b\"@x>", "RCPT TO:<\"a b\"@x>"},
      {"TO:<a@b> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;c+2Bd@x",
       "RCPT TO:<a@b> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;c+2Bd@x"},
      {"TO:<a@b> notify=never", "RCPT TO:<a@b> NOTIFY=never"},
      {"TO:<>", "501 5.1.3"},
      {"TO:bob@x", "501 5.5.4"},
      {"TO:<@a,@b:u@c>", "RCPT TO:<u@c>"},
      {"TO:<@a,@b:u%d@c>", "553 5.1.3"},
      {"TO:<@a,b:u@c>", "501 5.1.3"},
      {"TO:<user%other@dom>", "553 5.1.3"},
      {"TO:<other!user@dom>", "553 5.1.3"},
      {"TO:<\"u@other\"@dom>", "553 5.1.3"},
      {"TO:<\"u%other\"@dom>", "553 5.1.3"},
      {"TO:<u@dom@other>", "501 5.1.3"},
      {"TO:<\"\"@dom>", "501 5.1.3"},
      {"TO:<a@b> SIZE=1", "555 5.5.4"},
      {"TO:<a@b> NOTIFY=", "501 5.5.4"},
      {"TO:<a@b> NOTIFY=NEVER,DELAY", "501 5.5.4"},
      {"TO:<a@b> NOTIFY=DELAY,delay", "501 5.5.4"},
      {"TO:<a@b> NOTIFY=DELAY NOTIFY=NEVER", "501 5.5.4"},
      {"TO:<a@b> ORCPT=rfc822", "501 5.5.4"},
      {"TO:<a@b> ORCPT=;x", "501 5.5.4"},
      {"TO:<a@b> ORCPT=rfc822;", "501 5.5.4"},
      {"TO:<a@b> ORCPT=rfc822;a=b", "501 5.5.4"},
      {"TO:<a@b> ORCPT=utf-8;\xc3\xa4@x", "501 5.5.4"},
      {"TO:<\xc3\xa4@x>", "553 5.6.7"},
  };
  for (const auto& [arguments, reading] : cases) {
    EXPECT_EQ(RcptReading(arguments), reading) << arguments;
  }
  EXPECT_EQ(RcptReading("TO:<\xc3\xa4@x> ORCPT=utf-8;\xc3\xa4@x", true),
            "RCPT TO:<\xc3\xa4@x> ORCPT=utf-8;\xc3\xa4@x");
}

TEST(SmtpCommandTest, BdatThatDoesNotTellItsSizeIsNone) {
  for (const char* text :
       {"", "LAST", "-1", "+1", "0x10", "99999999999999999999", "1 2", "1 LAS",
        "1  LAST", "1 LAST x", " 1", "1 ", "18446744073709551616"}) {
    EXPECT_FALSE(ParseSmtpBdat(text).has_value()) << text;
  }
  EXPECT_EQ(ParseSmtpBdat("12")->octets, 12u);
  EXPECT_FALSE(ParseSmtpBdat("12")->last);
  EXPECT_TRUE(ParseSmtpBdat("0 last")->last);
}

TEST(SmtpCommandTest, HeloIsANameOrALiteral) {
  for (const char* name : {"mx", "mail.example.com", "[192.0.2.1]",
                           "[IPv6:2001:db8::1]", "MY_PC", "localhost"}) {
    EXPECT_TRUE(IsSmtpHelo(name)) << name;
  }
  for (const char* name : {"", "[]", "a b", "a=b", "a+b", "<a>", "a\tb", "[a",
                           "\xc3\xa4", "a\r\nb", "a:b", "user@host"}) {
    EXPECT_FALSE(IsSmtpHelo(name)) << name;
  }
  EXPECT_FALSE(IsSmtpHelo(std::string(256, 'a')));
}

// --- xtext, keywords ---------------------------------------------------------

TEST(SmtpXtextTest, NothingEncodedEndsAWord) {
  EXPECT_EQ(EncodeXtext("bob ADDR=10.0.0.1"), "bob+20ADDR+3D10.0.0.1");
  EXPECT_EQ(EncodeXtext("a+\r\n\xff"), "a+2B+0D+0A+FF");
  std::string all;
  for (int octet = 0; octet < 256; ++octet) all += static_cast<char>(octet);
  EXPECT_TRUE(IsXtext(EncodeXtext(all)));
  for (const char* text : {"a b", "a=b", "+", "+2", "+2g", "+2b", "\x7f"}) {
    EXPECT_FALSE(IsXtext(text)) << text;
  }
}

TEST(SmtpKeywordsTest, CommonIsWhatBothKeep) {
  const SmtpKeywordLines a = {"PIPELINING", "SIZE 1000", "8BITMIME",
                              "AUTH PLAIN LOGIN"};
  const SmtpKeywordLines b = {"size 500", "auth login XOAUTH2", "8bitmime"};
  EXPECT_EQ(CommonSmtpKeywords(a, b),
            (SmtpKeywordLines{"SIZE 500", "8BITMIME", "AUTH LOGIN"}));
  EXPECT_EQ(CommonSmtpKeywords({"SIZE"}, {"SIZE 5"}),
            SmtpKeywordLines{"SIZE 5"});
  EXPECT_EQ(CommonSmtpKeywords({"SIZE 0"}, {"SIZE"}),
            SmtpKeywordLines{"SIZE 0"});
  EXPECT_TRUE(CommonSmtpKeywords({"DSN"}, {}).empty());
}

// --- Replies -----------------------------------------------------------------

TEST(SmtpReplyTest, GoesOverTheWireLineByLine) {
  EXPECT_EQ(FormatSmtpReply(MakeSmtpReply(550, "5.1.1", "No such user")),
            "550 5.1.1 No such user\r\n");
  EXPECT_EQ(FormatSmtpReply({250, "", {"mx", "SIZE 5"}}),
            "250-mx\r\n250 SIZE 5\r\n");
  EXPECT_EQ(FormatSmtpReply({451, "4.3.0", {"a\r\nb\x7f", ""}}),
            "451-4.3.0 a??b?\r\n451 4.3.0 \r\n");
  std::string all;
  for (int octet = 0; octet < 256; ++octet) all += static_cast<char>(octet);
  const std::string line = FormatSmtpReply(MakeSmtpReply(550, "5.1.1", all));
  EXPECT_EQ(line.size(), 10 + all.size() + 2);
  EXPECT_TRUE(std::all_of(line.begin(), line.end() - 2,
                          [](char c) { return c >= ' ' && c <= '~'; }));
  const std::string cut =
      FormatSmtpReply(MakeSmtpReply(451, "4.3.0", std::string(600, 'x')));
  EXPECT_EQ(cut.size(), 512u);
  EXPECT_TRUE(cut.ends_with("x\r\n"));
  EXPECT_EQ(Summary({451, "4.3.0", {"a\nb", "c"}}), "451 4.3.0 a?b");
}

// "code enhanced|line|line" of each reply that `text` holds.
std::vector<std::string> Replies(std::string_view text, size_t piece) {
  SmtpReplyReader reader(200);
  std::vector<std::string> replies;
  for (const std::string_view part : ChopEvery(text, piece)) {
    reader.Feed(part);
    SmtpReply reply;
    SmtpReplyReader::Status status;
    while ((status = reader.Next(reply)) == SmtpReplyReader::Status::kReply) {
      std::string words = std::to_string(reply.code) + " " + reply.enhanced;
      for (const std::string& line : reply.lines) words += "|" + line;
      replies.push_back(words);
    }
    if (status == SmtpReplyReader::Status::kBroken) {
      replies.push_back("broken");
      return replies;
    }
  }
  return replies;
}

TEST(SmtpReplyReaderTest, SoundRepliesAreReadInWhateverPieces) {
  const std::string text =
      "250 ok\r\n250\r\n250-mx\r\n250-SIZE 5\r\n250 2.x\r\n"
      "550-5.1.1 no\r\n550 5.1.1 such\r\n354 go\r\n250 2.0.0\r\n";
  for (const size_t piece : {size_t{1}, size_t{7}, text.size()}) {
    EXPECT_EQ(Replies(text, piece),
              (std::vector<std::string>{
                  "250 |ok", "250 |", "250 |mx|SIZE 5|2.x", "550 5.1.1|no|such",
                  "354 |go", "250 2.0.0|"}));
  }
}

TEST(SmtpReplyReaderTest, AnEnhancedCodeIsOneOfItsClassAndNothingElse) {
  for (const std::string code : {"5.1.1", "5.0.0", "5.10.999"}) {
    EXPECT_EQ(Replies("550 " + code + " no\r\n", 100),
              std::vector<std::string>{"550 " + code + "|no"});
  }
  for (const std::string word :
       {"4.1.1", "5.1", "5.1.", "5..1", "5.1.1.1", "5.01.1", "5.1.1000",
        "5.1.+1", "5.1.1,", "55.1.1", "5.1.\xb2", "x.1.1"}) {
    EXPECT_EQ(Replies("550 " + word + " no\r\n", 100),
              std::vector<std::string>{"550 |" + word + " no"});
  }
}

TEST(SmtpReplyReaderTest, WhatIsNoReplyBreaks) {
  for (const std::string& text : std::vector<std::string>{
           "\r\n", "2\r\n", "25\r\n", "250ok\r\n", "25x ok\r\n", "150 ok\r\n",
           "650 ok\r\n", "2500 ok\r\n", " 250 ok\r\n", "250 ok\n",
           "250 o\rk\r\n", "250 o\0k\r\n"s, "250-a\r\n251 b\r\n", "+OK\r\n",
           "* OK\r\n", "HTTP/1.1 200 OK\r\n", "250-a\r\n\r\n",
           "\xff\xff\xff\r\n", std::string(201, '2')}) {
    EXPECT_EQ(Replies(text, 1), std::vector<std::string>{"broken"}) << text;
    EXPECT_EQ(Replies(text, text.size()), std::vector<std::string>{"broken"});
  }
  std::string endless;
  for (int i = 0; i < 30; ++i) endless += "250-x\r\n";
  EXPECT_EQ(Replies(endless, 3), std::vector<std::string>{"broken"});
}

// --- Message bodies ----------------------------------------------------------

// The message that `wire` holds, or what is wrong with it.
std::string Unstuffed(std::string_view wire, size_t piece) {
  SmtpBodyReader reader;
  std::string message;
  for (std::string_view part : ChopEvery(wire, piece)) {
    size_t consumed = 0;
    switch (reader.ReadStuffed(part, consumed, message)) {
      case SmtpBodyReader::Status::kBroken:
        return "broken";
      case SmtpBodyReader::Status::kEnd:
        return message;
      case SmtpBodyReader::Status::kNeedData:
        EXPECT_EQ(consumed, part.size());
    }
  }
  return "unended";
}

TEST(SmtpBodyTest, OnlyCrlfDotCrlfEndsAMessage) {
  const std::pair<std::string, std::string> cases[] = {
      {".\r\n", ""},
      {"a\r\n.\r\n", "a\r\n"},
      {"..\r\n.\r\n", ".\r\n"},
      {"...\r\n.\r\n", "..\r\n"},
      {".a\r\n.\r\n", "a\r\n"},
      {"a.\r\n.\r\n", "a.\r\n"},
      {"\r\n\r\n.\r\n", "\r\n\r\n"},
      {"a\r\n..\r\nb\r\n.\r\n", "a\r\n.\r\nb\r\n"},
      {"a\r\n", "unended"},
      {"a\r\n.", "unended"},
      {"a\r\n.\r", "unended"},
      // Endings by which others would read two messages in one.
      {"a\n.\n", "broken"},
      {"a\r.\r", "broken"},
      {"a\r.\n", "broken"},
      {"a\n.\r", "broken"},
      {"a\n.\r\n", "broken"},
      {"a\r\n.\n", "broken"},
      {"a\r.\r\n", "broken"},
      {"a\r\n.\rx", "broken"},
      {"a\r\n\0.\r\n"s, "broken"},
      {"a\r\n.\0\r\n"s, "broken"},
      {"a\r\r\n.\r\n", "broken"},
      {"a\r\n.\r\r\n", "broken"},
      {"\n", "broken"},
      {"\rx", "broken"},
      {".\n", "broken"},
  };
  for (const auto& [wire, message] : cases) {
    for (const size_t piece : {size_t{1}, size_t{2}, size_t{3}, wire.size()}) {
      EXPECT_EQ(Unstuffed(wire, piece), message) << wire << " by " << piece;
    }
  }
}

TEST(SmtpBodyTest, ReaderStopsBehindTheEnd) {
  SmtpBodyReader reader;
  std::string message;
  size_t consumed = 0;
  EXPECT_EQ(reader.ReadStuffed("a\r\n.\r\nQUIT\r\n", consumed, message),
            SmtpBodyReader::Status::kEnd);
  EXPECT_EQ(consumed, 6u);
}

TEST(SmtpBodyTest, ChunksMayCutLinesButNotBreakThem) {
  SmtpBodyReader reader;
  std::string message;
  using Status = SmtpBodyReader::Status;
  EXPECT_EQ(reader.ReadPlain(".a\r", message), Status::kNeedData);
  EXPECT_FALSE(reader.ends_well());
  EXPECT_EQ(reader.ReadPlain("\n.\r\n..x", message), Status::kNeedData);
  EXPECT_TRUE(reader.ends_well());
  EXPECT_EQ(message, ".a\r\n.\r\n..x");
  EXPECT_EQ(reader.ReadPlain("\n", message), Status::kBroken);
}

std::string RandomMessage(std::mt19937& random) {
  static const std::string kPieces[] = {".", "..",       "\r\n", "\r\n.",
                                        "x", "\r\n\r\n", "a.b",  "\xff"};
  std::string message;
  for (size_t left = random() % 20; left > 0; --left) {
    message += kPieces[random() % std::size(kPieces)];
  }
  return message;
}

TEST(SmtpBodyTest, WhatIsWrittenIsReadInWhateverPieces) {
  std::mt19937 random(1);
  for (int i = 0; i < 20000; ++i) {
    const std::string message = RandomMessage(random);
    SmtpBodyWriter writer;
    std::string wire;
    for (const std::string_view part : ChopRandomly(message, 4, i)) {
      writer.Write(part, wire);
    }
    writer.WriteEnd(wire);
    const bool whole = message.empty() || message.ends_with("\r\n");
    ASSERT_EQ(Unstuffed(wire, 1 + i % 5), message + (whole ? "" : "\r\n"))
        << wire;
  }
}

}  // namespace
}  // namespace gatehouse
