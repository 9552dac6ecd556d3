#ifndef GATEHOUSE_LIB_NET_WATCH_H_
#define GATEHOUSE_LIB_NET_WATCH_H_

#include <memory>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "lib/net/network.h"
#include "lib/net/poll_set.h"

namespace gatehouse {

// A descriptor of somebody else's, watched until this goes.
class FdWatch final : public Operation, private PollTarget {
 public:
  FdWatch(PollSet* polls, int fd, uint32_t events,
          absl::AnyInvocable<void()> ready)
      : polls_(polls),
        fd_(fd),
        ready_(std::make_shared<absl::AnyInvocable<void()>>(std::move(ready))) {
    polls_->Add(fd, events, *this);
  }
  ~FdWatch() override { polls_->Remove(fd_, *this); }

 private:
  void OnEvents(uint32_t events) override {
    // The watch may go in its own callback.
    const auto ready = ready_;
    (*ready)();
  }

  PollSet* polls_;
  int fd_;
  std::shared_ptr<absl::AnyInvocable<void()>> ready_;
};

// One call, as soon as the loop comes round.
class DeferredCall final : public Operation, private PollTarget {
 public:
  DeferredCall(PollSet* polls, absl::AnyInvocable<void()> done)
      : done_(std::move(done)) {
    polls->CallAgain(*this);
  }

 private:
  void OnAgain() override {
    absl::AnyInvocable<void()> done = std::move(done_);
    done();
  }

  absl::AnyInvocable<void()> done_;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_NET_WATCH_H_
