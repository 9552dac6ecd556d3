#include "lib/base/byte_queue.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace gatehouse {
namespace {

TEST(ByteQueueTest, KeepsOrderOverAnyChopping) {
  std::mt19937 random(1);
  ByteQueue queue;
  std::string expected;
  for (int i = 0; i < 5000; ++i) {
    if (random() % 2 == 0) {
      const std::string bytes(random() % 300, static_cast<char>('a' + i % 26));
      queue.Append(bytes);
      expected += bytes;
    } else {
      const size_t count = std::min<size_t>(random() % 400, expected.size());
      queue.Consume(count);
      expected.erase(0, count);
    }
    ASSERT_EQ(queue.bytes(), expected);
  }
}

TEST(ByteQueueTest, ConsumesNoMoreThanItHolds) {
  ByteQueue queue;
  queue.Append("abc");
  queue.Consume(100);
  EXPECT_TRUE(queue.empty());
  queue.Append("d");
  EXPECT_EQ(queue.bytes(), "d");
}

TEST(ByteQueueTest, LeavesNothingBehindWhenMoved) {
  ByteQueue from;
  from.Append("abc");
  ByteQueue to = std::move(from);
  EXPECT_EQ(to.bytes(), "abc");
  from = ByteQueue();
  EXPECT_TRUE(from.empty());
  from.Append("x");
  EXPECT_EQ(from.bytes(), "x");
}

}  // namespace
}  // namespace gatehouse
