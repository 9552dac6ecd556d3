#include "lib/net/poll_set.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "lib/base/check.h"

namespace gatehouse {
namespace {

uint64_t Key(uint32_t slot, uint32_t generation) {
  return uint64_t{generation} << 32 | slot;
}

}  // namespace

PollTarget::~PollTarget() {
  if (next_ != nullptr) {
    previous_->next_ = next_;
    next_->previous_ = previous_;
  }
  if (caller_ != nullptr) caller_->called_ = nullptr;
}

PollSet::PollSet() : epoll_fd_(epoll_create1(EPOLL_CLOEXEC)) {
  GATEHOUSE_CHECK(epoll_fd_ >= 0, "no epoll set to be had");
}

PollSet::~PollSet() { close(epoll_fd_); }

uint32_t PollSet::TakeSlot() {
  if (first_free_ == kNone) {
    slots_.emplace_back();
    return static_cast<uint32_t>(slots_.size() - 1);
  }
  const uint32_t slot = first_free_;
  first_free_ = slots_[slot].next_free;
  return slot;
}

bool PollSet::Add(int fd, uint32_t events, PollTarget& target) {
  target.slot_ = TakeSlot();
  Slot& slot = slots_[target.slot_];
  slot.target = &target;
  epoll_event event = {.events = events,
                       .data = {.u64 = Key(target.slot_, slot.generation)}};
  if (epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event) == 0) return true;
  ForgetClosing(target);
  return false;
}

void PollSet::Modify(int fd, uint32_t events, const PollTarget& target) {
  const Slot& slot = slots_[target.slot_];
  epoll_event event = {.events = events,
                       .data = {.u64 = Key(target.slot_, slot.generation)}};
  epoll_ctl(epoll_fd_, EPOLL_CTL_MOD, fd, &event);
}

void PollSet::HandOver(PollTarget& from, PollTarget& to) {
  to.slot_ = from.slot_;
  slots_[to.slot_].target = &to;
}

void PollSet::ForgetClosing(PollTarget& target) {
  Slot& slot = slots_[target.slot_];
  slot.target = nullptr;
  ++slot.generation;
  slot.next_free = first_free_;
  first_free_ = target.slot_;
}

void PollSet::Remove(int fd, PollTarget& target) {
  ForgetClosing(target);
  epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, fd, nullptr);
}

void PollSet::InsertBefore(PollTarget& target, PollTarget& position) {
  target.previous_ = position.previous_;
  target.next_ = &position;
  target.previous_->next_ = &target;
  position.previous_ = &target;
}

void PollSet::CallAgain(PollTarget& target) {
  if (target.next_ == nullptr) InsertBefore(target, again_);
}

template <typename Call>
void PollSet::Make(PollTarget& target, Call call) {
  called_ = &target;
  target.caller_ = this;
  call(target);
  if (called_ != nullptr) called_->caller_ = nullptr;
  called_ = nullptr;
}

bool PollSet::Wait(int limit_ms) {
  const int count =
      epoll_wait(epoll_fd_, events_.data(), kEventsAtOnce, limit_ms);
  event_count_ = std::max(count, 0);
  return event_count_ > 0;
}

void PollSet::Dispatch() {
  const int count = std::exchange(event_count_, 0);
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events_[i];
    const uint32_t number = static_cast<uint32_t>(event.data.u64);
    const Slot& slot = slots_[number];
    if (Key(number, slot.generation) != event.data.u64) continue;
    Make(*slot.target,
         [&](PollTarget& target) { target.OnEvents(event.events); });
  }
}

void PollSet::RunAgain() {
  // A mark in the ring: what is asked for from now on comes behind it.
  Ring mark;
  InsertBefore(mark, again_);
  while (again_.next_ != &mark) {
    PollTarget& target = *again_.next_;
    target.previous_->next_ = target.next_;
    target.next_->previous_ = target.previous_;
    target.previous_ = target.next_ = nullptr;
    Make(target, [](PollTarget& called) { called.OnAgain(); });
  }
  again_.next_ = mark.next_;
  mark.next_->previous_ = &again_;
}

}  // namespace gatehouse
