#include "lib/session/session_record.h"

#include <gtest/gtest.h>

namespace gatehouse {
namespace {

TEST(RareTextTest, HoldsNothingWhereItIsEmpty) {
  RareText text;
  EXPECT_TRUE(text.empty());
  EXPECT_EQ(std::string_view(text), "");
  text = "once";
  text = std::string("said ") + std::string(std::string_view(text));
  EXPECT_EQ(std::string_view(text), "said once");
  text = "";
  EXPECT_TRUE(text.empty());
}

TEST(WaitedTest, KeepsMicroseconds) {
  Waited waited;
  EXPECT_EQ(absl::Duration(waited), absl::ZeroDuration());
  waited = absl::Microseconds(1500) + absl::Nanoseconds(999);
  EXPECT_EQ(absl::Duration(waited), absl::Microseconds(1500));
}

TEST(WaitedTest, TakesWhatIsOutOfItsRangeForItsNearestEnd) {
  Waited waited;
  waited = absl::InfiniteDuration();
  EXPECT_GT(absl::Duration(waited), absl::Minutes(71));
  waited = -absl::Seconds(1);
  EXPECT_EQ(absl::Duration(waited), absl::ZeroDuration());
}

// Every idle session keeps one: growth must be noticed.
TEST(SessionRecordTest, IsSmall) { EXPECT_LE(sizeof(SessionRecord), 216u); }

}  // namespace
}  // namespace gatehouse
