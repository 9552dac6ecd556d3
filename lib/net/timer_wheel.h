#ifndef GATEHOUSE_LIB_NET_TIMER_WHEEL_H_
#define GATEHOUSE_LIB_NET_TIMER_WHEEL_H_

#include <array>
#include <cstdint>
#include <limits>

#include "lib/net/network.h"

namespace gatehouse {

// Timers of one thread, counted in ticks: starting and cancelling cost the
// same however many there are, and nothing ever walks all of them. Knows no
// clock; its owner says what time it is.
//
// A hierarchical wheel: level 0 has a slot per tick for the next 64 ticks,
// level 1 a slot per 64 ticks for the next 64², and so on. When the time comes
// to a slot of an upper level, its timers move down.
class TimerWheel {
 public:
  using Tick = uint64_t;
  static constexpr Tick kNever = std::numeric_limits<Tick>::max();

  class Timer;

  explicit TimerWheel(Tick now) : now_(now) {}
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;
  ~TimerWheel();

  // Arms the timer, armed or not, for the tick; one that has passed already
  // counts as the next. The timer must be cancelled or destroyed before the
  // wheel goes.
  void Start(Timer& timer, Tick due);

  // Moves the time on and calls OnDue() of each timer whose tick has come, in
  // the order of their ticks. A timer may be started, cancelled or destroyed
  // in there.
  void Advance(Tick now);

  // When Advance() next has something to do: not later than the first timer's
  // tick, perhaps sooner. kNever without timers.
  Tick NextWake() const;

 private:
  static constexpr int kLevels = 5;
  static constexpr int kSlotBits = 6;
  static constexpr int kSlots = 1 << kSlotBits;

  // A place in a ring of timers; a slot is a ring's head.
  struct Link {
    Link() = default;
    Link(const Link&) = delete;
    Link& operator=(const Link&) = delete;
    bool alone() const { return next == this; }
    void Unlink();
    void InsertBefore(Link& position);

    Link* previous = this;
    Link* next = this;
  };

  void Place(Timer& timer);
  void MoveDown(int level);
  void TakeDue(Link& due);
  Tick NextWakeOfLevel(int level) const;

  Tick now_;
  std::array<std::array<Link, kSlots>, kLevels> slots_;
  // Which slots may hold timers; a bit is cleared when its slot is emptied by
  // the time, so a cancelled timer can cost one wake for nothing.
  std::array<uint64_t, kLevels> occupied_ = {};
};

class TimerWheel::Timer : public Operation, private TimerWheel::Link {
 public:
  bool armed() const { return !alone(); }
  void Cancel() { Unlink(); }

 protected:
  Timer() = default;
  ~Timer() override { Cancel(); }

 private:
  friend class TimerWheel;
  // The tick has come; the timer isn't armed any more.
  virtual void OnDue() = 0;

  Tick due_ = 0;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_NET_TIMER_WHEEL_H_
