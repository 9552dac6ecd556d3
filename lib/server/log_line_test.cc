#include "lib/server/log_line.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <limits>
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

TEST(LogLineTest, WritesNumbersAndTimesOfAllSizes) {
  const std::string line =
      ToLogLine(LogRecord("e")
                    .Number("least", std::numeric_limits<int64_t>::min())
                    .Duration("short", absl::Nanoseconds(1499))
                    .Duration("none", absl::ZeroDuration())
                    .Duration("negative", absl::Milliseconds(-20))
                    .Duration("endless", absl::InfiniteDuration()),
                absl::FromUnixMillis(951'782'400'007));
  EXPECT_EQ(line,
            "{\"time\":\"2000-02-29T00:00:00.007Z\",\"level\":\"info\","
            "\"event\":\"e\",\"least\":-9223372036854775808,"
            "\"short\":0.000001,\"none\":0.000000,\"negative\":-0.020000,"
            "\"endless\":1e12}\n");
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

TEST(LogLineTest, LetsNobodyMisleadTheReader) {
  for (const char* mark : {"\u2028", "\u2029", "\u202a", "\u202e", "\u2066"}) {
    const std::string line =
        ToLogLine(LogRecord("event").Text("user", mark), absl::UnixEpoch());
    EXPECT_EQ(line.find(mark), std::string::npos);
    EXPECT_EQ(LineOf(mark)["user"], mark);
  }
  EXPECT_EQ(LineOf("\u2027\u202f\u2065")["user"], "\u2027\u202f\u2065");
}

TEST(LogLineTest, CutsWhatIsLong) {
  const std::string text = LineOf(std::string(1 << 20, 'x'))["user"];
  EXPECT_LT(text.size(), 300u);
}

TEST(DescriptorLogTest, DoesNotWaitForAReaderThatHasStopped) {
  int fds[2];
  ASSERT_EQ(pipe(fds), 0);
  DescriptorLog log(fds[1], LogRecord::Level::kInfo);
  const LogRecord record = LogRecord("event").Text("user", "alice");
  for (int i = 0; i < 10000; ++i) log.Write(record);  // a pipe takes 64 KiB
  std::string text(1 << 20, '\0');
  text.resize(read(fds[0], text.data(), text.size()));
  const int64_t kept = std::count(text.begin(), text.end(), '\n');
  EXPECT_EQ(text.back(), '\n') << "no line is cut";
  log.Write(record);
  close(fds[1]);
  text.resize(1 << 20);
  text.resize(read(fds[0], text.data(), text.size()));
  const auto told = nlohmann::json::parse(text.substr(0, text.find('\n')));
  EXPECT_EQ(told["event"], "log_lines_lost");
  EXPECT_EQ(told["count"], 10000 - kept);
  EXPECT_NE(text.find("alice"), std::string::npos);
  close(fds[0]);
}

}  // namespace
}  // namespace gatehouse
