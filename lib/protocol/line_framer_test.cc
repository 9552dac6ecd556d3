#include "lib/protocol/line_framer.h"

#include <string>

#include "gtest/gtest.h"

namespace gatehouse {
namespace {

using std::string_literals::operator""s;
using Status = LineFramer::Status;

TEST(LineFramerTest, FindsALineHoweverItIsChopped) {
  const std::string text = "a NOOP\r\nrest";
  LineFramer framer(100);
  for (size_t size = 0; size < 8; ++size) {
    EXPECT_EQ(framer.Find(text.substr(0, size)).status, Status::kNeedData);
  }
  const auto found = framer.Find(text);
  EXPECT_EQ(found.status, Status::kLine);
  EXPECT_EQ(found.line, "a NOOP");
  EXPECT_EQ(found.size, 8u);
}

TEST(LineFramerTest, BeginsAnewBehindALine) {
  LineFramer framer(100);
  EXPECT_EQ(framer.Find("one\r\ntwo\r\n").line, "one");
  EXPECT_EQ(framer.Find("two\r\n").line, "two");
}

TEST(LineFramerTest, CallsOtherLineEndsBroken) {
  for (const std::string& text :
       {"a\n"s, "a\rb\r\n"s, "a\r\r\n"s, "a\0b\r\n"s, "\n"s}) {
    const auto found = LineFramer(100).Find(text);
    EXPECT_EQ(found.status, Status::kBroken);
    EXPECT_EQ(found.size, text.size());
  }
}

TEST(LineFramerTest, LimitsALineWithAndWithoutEnd) {
  const std::string full = std::string(8, 'x') + "\r\n";
  EXPECT_EQ(LineFramer(10).Find(full).status, Status::kLine);
  EXPECT_EQ(LineFramer(9).Find(full).status, Status::kTooLong);
  EXPECT_EQ(LineFramer(10).Find(std::string(9, 'x')).status, Status::kNeedData);
  EXPECT_EQ(LineFramer(10).Find(std::string(10, 'x')).status, Status::kTooLong);
}

}  // namespace
}  // namespace gatehouse
