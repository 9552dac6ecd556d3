#include "lib/net/timer_wheel.h"

#include <algorithm>
#include <bit>

#include "lib/base/check.h"

namespace gatehouse {

void TimerWheel::Link::Unlink() {
  previous->next = next;
  next->previous = previous;
  previous = next = this;
}

void TimerWheel::Link::InsertBefore(Link& position) {
  previous = position.previous;
  next = &position;
  previous->next = this;
  position.previous = this;
}

TimerWheel::~TimerWheel() {
  for (const auto& level : slots_) {
    for (const Link& slot : level) {
      GATEHOUSE_CHECK(slot.alone(), "a timer outlives its wheel");
    }
  }
}

void TimerWheel::Start(Timer& timer, Tick due) {
  timer.Unlink();
  timer.due_ = std::max(due, now_ + 1);
  Place(timer);
}

void TimerWheel::Place(Timer& timer) {
  constexpr Tick kFarthest = (Tick{1} << (kLevels * kSlotBits)) - 1;
  // What is due beyond the wheel's reach goes to its far end, and is placed
  // anew when the time comes there.
  const Tick distance = std::min(timer.due_ - now_, kFarthest);
  const Tick position = now_ + distance;
  int level = 0;
  while (distance >> ((level + 1) * kSlotBits) != 0) ++level;
  const int slot = (position >> (level * kSlotBits)) % kSlots;
  timer.InsertBefore(slots_[level][slot]);
  occupied_[level] |= uint64_t{1} << slot;
}

TimerWheel::Tick TimerWheel::NextWakeOfLevel(int level) const {
  if (occupied_[level] == 0) return kNever;
  const Tick position = now_ >> (level * kSlotBits);
  // Bit 0 of the turned map is the slot after the present one.
  const uint64_t turned =
      std::rotr(occupied_[level], static_cast<int>((position + 1) % kSlots));
  return (position + 1 + std::countr_zero(turned)) << (level * kSlotBits);
}

TimerWheel::Tick TimerWheel::NextWake() const {
  Tick wake = kNever;
  for (int level = 0; level < kLevels; ++level) {
    wake = std::min(wake, NextWakeOfLevel(level));
  }
  return wake;
}

void TimerWheel::MoveDown(int level) {
  const int slot = (now_ >> (level * kSlotBits)) % kSlots;
  occupied_[level] &= ~(uint64_t{1} << slot);
  Link moving;
  Link& head = slots_[level][slot];
  while (!head.alone()) {
    Link* link = head.next;
    link->Unlink();
    link->InsertBefore(moving);
  }
  while (!moving.alone()) {
    Timer& timer = static_cast<Timer&>(*moving.next);
    timer.Unlink();
    Place(timer);
  }
}

void TimerWheel::TakeDue(Link& due) {
  for (int level = kLevels - 1; level > 0; --level) {
    const Tick below = (Tick{1} << (level * kSlotBits)) - 1;
    if ((now_ & below) == 0) MoveDown(level);
  }
  const int slot = now_ % kSlots;
  occupied_[0] &= ~(uint64_t{1} << slot);
  Link& head = slots_[0][slot];
  while (!head.alone()) {
    Link* link = head.next;
    link->Unlink();
    link->InsertBefore(due);
  }
}

void TimerWheel::Advance(Tick now) {
  Link due;
  for (Tick wake = NextWake(); wake <= now; wake = NextWake()) {
    now_ = wake;
    TakeDue(due);
  }
  now_ = std::max(now_, now);
  while (!due.alone()) {
    Timer& timer = static_cast<Timer&>(*due.next);
    timer.Unlink();
    timer.OnDue();
  }
}

}  // namespace gatehouse
