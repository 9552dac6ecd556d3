#include "lib/net/timer_wheel.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <random>
#include <vector>

#include "gtest/gtest.h"

namespace gatehouse {
namespace {

using Tick = TimerWheel::Tick;

class TestTimer : public TimerWheel::Timer {
 public:
  std::function<void()> on_due;

 private:
  void OnDue() override { on_due(); }
};

TEST(TimerWheelTest, HasNothingToDoWithoutTimers) {
  TimerWheel wheel(12345);
  EXPECT_EQ(wheel.NextWake(), TimerWheel::kNever);
  wheel.Advance(1'000'000'000'000);
}

TEST(TimerWheelTest, WhatIsDueAlreadyComesWithTheNextTick) {
  TimerWheel wheel(100);
  int fired = 0;
  TestTimer timer;
  timer.on_due = [&] { ++fired; };
  wheel.Start(timer, 50);
  wheel.Advance(100);
  EXPECT_EQ(fired, 0);
  EXPECT_EQ(wheel.NextWake(), 101u);
  wheel.Advance(101);
  EXPECT_EQ(fired, 1);
  EXPECT_FALSE(timer.armed());
}

TEST(TimerWheelTest, ATimerMayStartItselfAgainAndDestroyOthers) {
  TimerWheel wheel(0);
  auto victim = std::make_unique<TestTimer>();
  victim->on_due = [] { FAIL(); };
  TestTimer timer;
  int fired = 0;
  timer.on_due = [&] {
    victim.reset();
    if (++fired < 3) wheel.Start(timer, 10 * fired);
  };
  wheel.Start(timer, 5);
  wheel.Start(*victim, 5);
  for (Tick now = 0; now <= 30; ++now) wheel.Advance(now);
  EXPECT_EQ(fired, 3);
}

TEST(TimerWheelTest, TimersBeyondTheWheelComeInTime) {
  TimerWheel wheel(7);
  const Tick due = 7 + (Tick{5} << 30) + 3;
  Tick fired_at = 0;
  TestTimer timer;
  timer.on_due = [&] { fired_at = due; };
  wheel.Start(timer, due);
  wheel.Advance(due - 1);
  EXPECT_EQ(fired_at, 0u);
  wheel.Advance(due);
  EXPECT_EQ(fired_at, due);
}

// Compares with a plain list, for random starts, cancels and steps; and an
// owner that sleeps until NextWake() must miss nothing.
TEST(TimerWheelTest, AgreesWithAPlainList) {
  for (uint32_t seed = 0; seed < 50; ++seed) {
    std::mt19937_64 random(seed);
    Tick now = random() % 100'000;
    TimerWheel wheel(now);
    struct Item {
      TestTimer timer;
      Tick due = 0;
      bool armed = false;
    };
    std::vector<std::unique_ptr<Item>> items;
    std::vector<Tick> fired;
    for (int i = 0; i < 100; ++i) {
      auto item = std::make_unique<Item>();
      item->timer.on_due = [&fired, raw = item.get()] {
        EXPECT_TRUE(raw->armed);
        raw->armed = false;
        fired.push_back(raw->due);
      };
      items.push_back(std::move(item));
    }
    for (int step = 0; step < 2000; ++step) {
      Item& item = *items[random() % items.size()];
      const Tick reach = Tick{1} << (random() % 34);
      if (random() % 4 == 0) {
        item.timer.Cancel();
        item.armed = false;
      } else {
        item.due = now + 1 + random() % reach;
        item.armed = true;
        wheel.Start(item.timer, item.due);
      }
      if (random() % 3 != 0) continue;
      const Tick wake = wheel.NextWake();
      const Tick target = random() % 2 == 0 && wake != TimerWheel::kNever
                              ? wake
                              : now + random() % reach;
      fired.clear();
      now = std::max(now, target);
      wheel.Advance(now);
      EXPECT_TRUE(std::is_sorted(fired.begin(), fired.end()));
      for (Tick due : fired) EXPECT_LE(due, now);
      for (const auto& other : items) {
        EXPECT_TRUE(!other->armed || other->due > now);
        EXPECT_EQ(other->armed, other->timer.armed());
        EXPECT_TRUE(!other->armed || wheel.NextWake() <= other->due);
      }
    }
    for (const auto& item : items) item->timer.Cancel();
  }
}

}  // namespace
}  // namespace gatehouse
