#include "lib/base/published.h"

#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace gatehouse {
namespace {

TEST(PublishedTest, AViewFollowsItsSource) {
  const auto source = std::make_shared<Published<int>>();
  PublishedView<int> view(source);
  EXPECT_EQ(view.Get(), nullptr);
  EXPECT_EQ(source->Exchange(std::make_shared<const int>(1)), nullptr);
  EXPECT_EQ(*view.Get(), 1);
  const auto held = view.Get();
  EXPECT_EQ(source->Exchange(std::make_shared<const int>(2)), held);
  EXPECT_EQ(*view.Get(), 2);
  EXPECT_EQ(*held, 1);
  EXPECT_EQ(*PublishedView<int>(source).Get(), 2);
}

// Each reader sees whole values, in their order, and at last the last one.
TEST(PublishedTest, ThreadsReadWhileOneReplaces) {
  constexpr int kLast = 2000;
  using Pair = std::pair<int, int>;
  const auto source =
      std::make_shared<Published<Pair>>(std::make_shared<const Pair>(0, 0));
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([source] {
      PublishedView<Pair> view(source);
      for (int before = 0; before < kLast;) {
        const Pair& now = *view.Get();
        EXPECT_EQ(now.first, now.second);
        EXPECT_GE(now.first, before);
        before = now.first;
      }
    });
  }
  for (int i = 1; i <= kLast; ++i) {
    source->Exchange(std::make_shared<const Pair>(i, i));
  }
  for (std::thread& reader : readers) reader.join();
}

}  // namespace
}  // namespace gatehouse
