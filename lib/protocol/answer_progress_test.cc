#include <gtest/gtest.h>

#include <string_view>

#include "lib/protocol/imap/imap_protocol.h"
#include "lib/protocol/machine.h"
#include "lib/protocol/pop3/pop3_protocol.h"
#include "lib/protocol/sieve/sieve_protocol.h"
#include "lib/protocol/smtp/smtp_protocol.h"

namespace gatehouse {
namespace {

constexpr AnswerProgress kBetween = AnswerProgress::kBetween;
constexpr AnswerProgress kInside = AnswerProgress::kInside;
constexpr AnswerProgress kAsks = AnswerProgress::kAsks;

struct Line {
  std::string_view text;
  AnswerProgress behind;
};

void ExpectBehind(const Protocol& protocol, std::string_view command,
                  std::initializer_list<Line> answers) {
  for (const Line& answer : answers) {
    EXPECT_EQ(protocol.AfterAnswer(protocol.AfterCommand(command), answer.text),
              answer.behind)
        << command << " / " << answer.text;
  }
}

TEST(AnswerProgressTest, AnImapMessageEndsWithTheTaggedAnswer) {
  for (const std::string_view command :
       {"a FETCH 1 BODY[]", "a UID FETCH 1 BODY[]", "a uid fetch 1:* all"}) {
    ExpectBehind(ImapProtocol(), command,
                 {{"* 1 FETCH (BODY[] {300}", kInside},
                  {"Subject: OK then", kInside},
                  {"* OK is an item of a list", kInside},
                  {"perhaps not", kInside},
                  {"", kInside},
                  {")", kInside},
                  {"a OK Fetch completed.", kBetween},
                  {"a no", kBetween},
                  {"A1 BAD what?", kBetween}});
  }
  for (const std::string_view command : {"a NOOP", "a UID", "DONE", ""}) {
    ExpectBehind(ImapProtocol(), command,
                 {{"* 2 EXISTS", kBetween}, {"a OK", kBetween}});
  }
  ExpectBehind(ImapProtocol(), "a IDLE", {{"+ idling", kAsks}, {"+", kAsks}});
  EXPECT_EQ(ImapProtocol().AfterAnswer(kAsks, "* 2 EXISTS"), kBetween);
  EXPECT_EQ(ImapProtocol().AfterCommand("a COMPRESS DEFLATE"),
            AnswerProgress::kOpaque);
}

TEST(AnswerProgressTest, APop3AnswerOfManyLinesEndsWithADot) {
  for (const std::string_view command :
       {"RETR 1", "retr 1", "TOP 1 0", "LIST", "UIDL", "CAPA"}) {
    ExpectBehind(Pop3Protocol(), command,
                 {{"+OK 300 octets", kInside},
                  {"Subject: a message", kInside},
                  {"..", kInside},
                  {"", kInside},
                  {".", kBetween},
                  {"-ERR no such message", kBetween}});
  }
  for (const std::string_view command :
       {"LIST 1", "UIDL 1", "STAT", "DELE 1"}) {
    ExpectBehind(Pop3Protocol(), command,
                 {{"+OK 1 300", kBetween}, {"-ERR", kBetween}});
  }
}

TEST(AnswerProgressTest, AManageSieveScriptEndsWithTheStatus) {
  ExpectBehind(SieveProtocol(), "GETSCRIPT \"x\"",
               {{"{300}", kInside},
                {"require \"fileinto\";", kInside},
                {"OK", kBetween},
                {"NO (NONEXISTENT) \"There is none\"", kBetween},
                {"ok \"Done.\"", kBetween}});
  ExpectBehind(SieveProtocol(), "LISTSCRIPTS", {{"\"x\" ACTIVE", kBetween}});
}

TEST(AnswerProgressTest, AnSmtpServerAsksForAMessage) {
  ExpectBehind(SmtpProtocol(), "DATA",
               {{"354 go on", kAsks},
                {"250-more follows", kInside},
                {"250 2.0.0 taken", kBetween},
                {"250", kBetween},
                {"451 4.3.0 later", kBetween}});
}

}  // namespace
}  // namespace gatehouse
