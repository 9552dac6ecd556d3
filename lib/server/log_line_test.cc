#include "lib/server/log_line.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

namespace gatehouse {
namespace {

nlohmann::json LineOf(const std::string& text) {
  const std::string line = ToLogLine(LogRecord("event").Text("user", text),
                                     absl::FromUnixMillis(1'800'000'000'123));
  EXPECT_EQ(line.find('\n'), line.size() - 1) << "one line";
  for (const char c : line) {
    EXPECT_TRUE(c == '\n' || (c >= ' ' && c != 0x7f) || (c & 0x80) != 0);
  }
  return nlohmann::json::parse(line);
}

TEST(LogLineTest, TellsTimeLevelEventAndFields) {
  const std::string line =
      ToLogLine(LogRecord("session", LogRecord::Level::kWarning)
                    .Text("user", "alice")
                    .Text("nothing", "")
                    .Number("bytes", 5)
                    .Flag("resumed", true)
                    .Duration("seconds", absl::Milliseconds(1500)),
                absl::FromUnixMillis(1'800'000'000'123));
  EXPECT_EQ(line,
            "{\"time\":\"2027-01-15T08:00:00.123Z\",\"level\":\"warning\","
            "\"event\":\"session\",\"user\":\"alice\",\"bytes\":5,"
            "\"resumed\":true,\"seconds\":1.500000}\n");
}

TEST(LogLineTest, LetsNobodyForgeALine) {
  EXPECT_EQ(LineOf("a\r\nb\x1b[0m\"\\")["user"], "a\r\nb\x1b[0m\"\\");
  EXPECT_EQ(LineOf("%s%n%{x}")["user"], "%s%n%{x}");
  EXPECT_EQ(LineOf(std::string("a\0b", 3))["user"], std::string("a\0b", 3));
}

TEST(LogLineTest, KeepsUtf8AndReplacesWhatIsNot) {
  EXPECT_EQ(LineOf("jörg")["user"], "jörg");
  EXPECT_EQ(LineOf("\xff")["user"], "\uFFFD");
  EXPECT_EQ(LineOf("\xc0\x80")["user"], "\uFFFD\uFFFD");
  EXPECT_EQ(LineOf("\xed\xa0\x80")["user"], "\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(LineOf("\xe2\x82")["user"], "\uFFFD\uFFFD");
  EXPECT_EQ(LineOf("\xc2\x9b")["user"], "\uFFFD");
}

TEST(LogLineTest, CutsWhatIsLong) {
  const std::string text = LineOf(std::string(1 << 20, 'x'))["user"];
  EXPECT_LT(text.size(), 300u);
}

}  // namespace
}  // namespace gatehouse
