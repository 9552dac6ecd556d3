#ifndef GATEHOUSE_LIB_NET_MAILBOX_H_
#define GATEHOUSE_LIB_NET_MAILBOX_H_

#include <functional>
#include <mutex>
#include <vector>

#include "absl/functional/any_invocable.h"

namespace gatehouse {

// Tasks for a loop, from any thread. Shared by the loop and by threads that
// may outlive it: what is put in after Close() is destroyed unrun.
class Mailbox {
 public:
  using Task = absl::AnyInvocable<void()>;

  // `wake` is called, from any thread, when the loop has to look.
  explicit Mailbox(std::function<void()> wake) : wake_(std::move(wake)) {}

  void Put(Task task) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (closed_) return;
    tasks_.push_back(std::move(task));
    if (tasks_.size() == 1) wake_();
  }

  std::vector<Task> TakeAll() {
    std::lock_guard<std::mutex> lock(mutex_);
    return std::exchange(tasks_, {});
  }

  void Close() {
    std::vector<Task> unrun;
    std::lock_guard<std::mutex> lock(mutex_);
    closed_ = true;
    unrun.swap(tasks_);
  }

 private:
  std::mutex mutex_;
  const std::function<void()> wake_;
  std::vector<Task> tasks_;
  bool closed_ = false;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_NET_MAILBOX_H_
