#include "lib/protocol/sieve/sieve_parser.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "lib/testing/chop.h"

namespace gatehouse {
namespace {

using namespace std::string_literals;
using Status = SieveParser::Status;

// The words of every line, as text; strings in brackets.
std::string Parse(std::string_view bytes, size_t piece,
                  size_t line_bytes = 1000) {
  SieveParser parser(line_bytes, line_bytes);
  ByteQueue input;
  std::vector<SieveWord> words;
  std::string seen;
  for (const std::string_view part : ChopEvery(bytes, piece)) {
    input.Append(part);
    for (;;) {
      const Status status = parser.Next(input, words);
      if (status == Status::kNeedData) break;
      if (status == Status::kTooLong) return seen + "TOO LONG";
      if (status == Status::kBadLine) seen += "BAD";
      for (const SieveWord& word : words) {
        const std::string text(word.text.Reveal());
        seen += word.IsString() ? "<" + text + ">" : text + ",";
      }
      seen += "\n";
    }
  }
  return seen + std::string(input.bytes());
}

std::string ParseEveryWay(std::string_view bytes) {
  const std::string whole = Parse(bytes, bytes.size());
  for (const size_t piece : {1, 2, 7}) EXPECT_EQ(Parse(bytes, piece), whole);
  return whole;
}

TEST(SieveParserTest, ReadsAtomsStringsAndCodes) {
  EXPECT_EQ(ParseEveryWay("NOOP\r\n"), "NOOP,\n");
  EXPECT_EQ(ParseEveryWay("A \"b c\" \"\" 12\r\nB\r\n"), "A,<b c><>12,\nB,\n");
  EXPECT_EQ(ParseEveryWay("NO (QUOTA/MAXSIZE) \"full\"\r\n"),
            "NO,(,QUOTA/MAXSIZE,),<full>\n");
  EXPECT_EQ(ParseEveryWay("OK (TAG {3}\r\na\"b) \"x\"\r\n"),
            "OK,(,TAG,<a\"b>),<x>\n");
  EXPECT_EQ(ParseEveryWay("\r\n"), "\n");
}

TEST(SieveParserTest, ReadsEscapes) {
  EXPECT_EQ(ParseEveryWay("A \"\\\"\\\\\"\r\n"), "A,<\"\\>\n");
  EXPECT_EQ(ParseEveryWay("A \"{5}\" \"{5}\"\r\nB\r\n"), "A,<{5}><{5}>\nB,\n");
  EXPECT_EQ(ParseEveryWay("A \"j\xc3\xb6rg\"\r\n"), "A,<j\xc3\xb6rg>\n");
}

TEST(SieveParserTest, ReadsLiterals) {
  EXPECT_EQ(ParseEveryWay("A {3+}\r\nb\r\n\r\nB\r\n"), "A,<b\r\n>\nB,\n");
  EXPECT_EQ(ParseEveryWay("A {0}\r\n {1}\r\nx \"y\"\r\n"), "A,<><x><y>\n");
  EXPECT_EQ(ParseEveryWay("A {4}\r\n{9}\n\r\n"), "A,<{9}\n>\n");
  EXPECT_EQ(ParseEveryWay("A {2}\r\n\0\"\r\n"s), "A,<\0\">\n"s);
}

TEST(SieveParserTest, BadLinesAreConsumedWhole) {
  for (const char* line : {"A \"b", "A \"b\\x\"", "A \"b\"c", "A b\"c\"",
                           "A {x}", "A {}", "A {-1}", "A {1+}x", "A }", "A \\",
                           "\x01", "A\tB", "A \xff", "{5", "A { 5}"}) {
    EXPECT_EQ(ParseEveryWay(line + "\r\nB\r\n"s), "BAD\nB,\n") << line;
  }
  EXPECT_EQ(ParseEveryWay("A\nB\r\n"), "BAD\nB,\n");
  EXPECT_EQ(ParseEveryWay("A \"b\nB\r\n"), "BAD\nB,\n");
  // Not taken for a command: the octets that a bad line's literal announces.
  EXPECT_EQ(ParseEveryWay("A{3}\r\nB\r\n\r\nC\r\n"), "BAD\nC,\n");
}

TEST(SieveParserTest, LimitsEndTheConversation) {
  EXPECT_EQ(Parse("A {1001}\r\n", 1), "TOO LONG");
  EXPECT_EQ(Parse("A {999}\r\n", 1), "TOO LONG");  // the line with it
  EXPECT_EQ(Parse("A {18446744073709551616}\r\n", 1), "TOO LONG");
  EXPECT_EQ(Parse("A {18446744073709551615}\r\n", 1), "TOO LONG");
  EXPECT_EQ(Parse(std::string(1001, 'x'), 1), "TOO LONG");
  EXPECT_EQ(Parse("A {500}\r\n" + std::string(500, 'x') + " {600}\r\n", 1),
            "TOO LONG");
  const std::string fits = std::string(998, 'x') + "\r\n";
  EXPECT_EQ(Parse(fits, 1), std::string(998, 'x') + ",\n");
}

TEST(SieveParserTest, StringsAreReadBack) {
  for (const std::string& text :
       {""s, "a"s, "a\"b\\c"s, "a\r\nb"s, "\0"s, std::string(1025, 'x')}) {
    for (const auto sender : {SieveSender::kClient, SieveSender::kServer}) {
      std::string out = "A ";
      AppendSieveString(text, sender, out);
      EXPECT_EQ(Parse(out + "\r\n", 3, 2000), "A,<" + text + ">\n");
    }
  }
}

}  // namespace
}  // namespace gatehouse
