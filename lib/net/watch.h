#ifndef GATEHOUSE_LIB_NET_WATCH_H_
#define GATEHOUSE_LIB_NET_WATCH_H_

#include <memory>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "lib/net/network.h"
#include "lib/net/poll_set.h"

namespace gatehouse {

// A descriptor of somebody else's, watched until this goes, or until another
// watch of the loop takes its place.
class FdWatch final : public Operation, private PollTarget {
 public:
  // The watches of a loop by descriptor.
  using Table = absl::flat_hash_map<int, FdWatch*>;

  FdWatch(PollSet* polls, Table* table, int fd, uint32_t events,
          absl::AnyInvocable<void()> ready)
      : polls_(polls),
        table_(table),
        fd_(fd),
        ready_(std::make_shared<absl::AnyInvocable<void()>>(std::move(ready))) {
    const auto former = table_->find(fd);
    if (former != table_->end()) former->second->End();
    if (!polls_->Add(fd, events, *this)) return;
    watching_ = true;
    table_->emplace(fd, this);
  }
  ~FdWatch() override { End(); }

 private:
  void End() {
    if (!std::exchange(watching_, false)) return;
    polls_->Remove(fd_, *this);
    table_->erase(fd_);
  }

  void OnEvents(uint32_t events) override {
    // The watch may go in its own callback.
    const auto ready = ready_;
    (*ready)();
  }

  PollSet* polls_;
  Table* table_;
  int fd_;
  bool watching_ = false;
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
