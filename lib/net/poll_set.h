#ifndef GATEHOUSE_LIB_NET_POLL_SET_H_
#define GATEHOUSE_LIB_NET_POLL_SET_H_

#include <sys/epoll.h>

#include <array>
#include <cstdint>
#include <vector>

namespace gatehouse {

// Somebody whom a PollSet calls. May be destroyed in any of the calls.
class PollTarget {
 public:
  PollTarget() = default;
  PollTarget(const PollTarget&) = delete;
  PollTarget& operator=(const PollTarget&) = delete;

  // Something happened to the descriptor; EPOLLIN and the like.
  virtual void OnEvents(uint32_t events) {}
  // What CallAgain() asked for.
  virtual void OnAgain() {}

 protected:
  ~PollTarget();

 private:
  friend class PollSet;
  // In the ring of those to call again; null outside it.
  PollTarget* previous_ = nullptr;
  PollTarget* next_ = nullptr;
  class PollSet* caller_ = nullptr;  // while one of the calls is under way
  uint32_t slot_ = 0;                // of the set that watches for it
};

// The descriptors of one loop, in an epoll set of its own that watches libuv's
// as one descriptor: what happens to ours, nearly everything, costs one system
// call to hear of.
//
// Why not a uv_poll_t each: it takes three system calls to make, two to change
// its mind, and 160 bytes a descriptor. Here a socket is registered once, edge
// triggered for both directions, and neither pausing nor a full send buffer
// costs a system call.
class PollSet {
 public:
  PollSet();
  ~PollSet();
  PollSet(const PollSet&) = delete;
  PollSet& operator=(const PollSet&) = delete;

  // Calls the target, which has one descriptor at most, when `events` (as for
  // epoll) come. False: errno says why.
  bool Add(int fd, uint32_t events, PollTarget& target);
  // Other events for the same target.
  void Modify(int fd, uint32_t events, const PollTarget& target);
  // The descriptor's events go to another target from now on.
  void HandOver(PollTarget& from, PollTarget& to);
  // Nothing more for this target. The first leaves the kernel's side to the
  // close() that must follow.
  void ForgetClosing(PollTarget& target);
  void Remove(int fd, PollTarget& target);

  // Calls OnAgain() once, when the present call is over.
  void CallAgain(PollTarget& target);
  bool again_wanted() const { return again_.next_ != &again_; }

  // Waits until the kernel has something to tell, so many milliseconds at most,
  // -1 for ever; Dispatch() then makes the calls. False: it has nothing.
  bool Wait(int limit_ms);
  void Dispatch();
  // Makes the calls that CallAgain() asked for before this.
  void RunAgain();

  // Inside a call: whether the target that is being called still lives.
  bool alive() const { return called_ != nullptr; }

 private:
  friend class PollTarget;
  // A descriptor that is watched. Not found by the descriptor's number: a
  // process of many workers would have a slot for it in each of them. The
  // generation tells an event for a closed descriptor from one for the slot's
  // next owner.
  struct Slot {
    PollTarget* target = nullptr;
    uint32_t generation = 0;
    uint32_t next_free = kNone;
  };
  static constexpr uint32_t kNone = 0xffffffff;
  struct Ring : PollTarget {
    Ring() { previous_ = next_ = this; }
    ~Ring() { previous_ = next_ = nullptr; }
  };

  template <typename Call>
  void Make(PollTarget& target, Call call);
  static void InsertBefore(PollTarget& target, PollTarget& position);
  uint32_t TakeSlot();

  // Taken from the kernel at once: enough that a busy worker rarely asks twice.
  static constexpr int kEventsAtOnce = 256;

  int epoll_fd_;
  std::array<epoll_event, kEventsAtOnce> events_;
  int event_count_ = 0;  // that Wait() has brought
  std::vector<Slot> slots_;
  uint32_t first_free_ = kNone;
  Ring again_;
  PollTarget* called_ = nullptr;  // null outside a call
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_NET_POLL_SET_H_
