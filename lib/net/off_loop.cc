#include "lib/net/off_loop.h"

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

namespace gatehouse {
namespace {

// As many calls of a kind may hang at the same time before the next has to
// wait.
constexpr int kMostThreads = 32;
// A burst of logins shouldn't make a thread each second.
constexpr std::chrono::seconds kIdleLimit(10);
// At the end: long enough for any call that doesn't hang.
constexpr std::chrono::seconds kPatience(2);

}  // namespace

struct OffLoop::Pool {
  struct Work {
    uint64_t id;
    absl::AnyInvocable<void()> work;
  };

  explicit Pool(std::shared_ptr<Mailbox> mailbox)
      : mailbox(std::move(mailbox)) {}

  static void RunThread(std::shared_ptr<Pool> pool, OffLoop* owner) {
    std::unique_lock<std::mutex> lock(pool->mutex);
    while (pool->AwaitWork(lock)) {
      Work next = std::move(pool->queue.front());
      pool->queue.pop_front();
      lock.unlock();
      next.work();
      next.work = nullptr;
      // The mailbox is closed before its owner goes.
      pool->mailbox->Put([owner, id = next.id] { owner->Finish(id); });
      lock.lock();
    }
    --pool->threads;
    pool->changed.notify_all();
  }

  bool AwaitWork(std::unique_lock<std::mutex>& lock) {
    ++idle;
    changed.wait_for(lock, kIdleLimit,
                     [this] { return closed || !queue.empty(); });
    --idle;
    return !closed && !queue.empty();
  }

  // Whether a further thread is wanted, which is then counted.
  bool Take(Work work) {
    std::lock_guard<std::mutex> lock(mutex);
    queue.push_back(std::move(work));
    changed.notify_one();
    const int needed = static_cast<int>(queue.size());
    if (needed <= idle || threads >= kMostThreads) return false;
    ++threads;
    return true;
  }

  void Close() {
    std::deque<Work> unbegun;
    std::lock_guard<std::mutex> lock(mutex);
    closed = true;
    unbegun.swap(queue);
    changed.notify_all();
  }

  void AwaitThreads(std::chrono::steady_clock::time_point deadline) {
    std::unique_lock<std::mutex> lock(mutex);
    changed.wait_until(lock, deadline, [this] { return threads == 0; });
  }

  std::shared_ptr<Mailbox> mailbox;
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<Work> queue;
  int threads = 0;
  int idle = 0;
  bool closed = false;
};

class OffLoop::Job : public Operation {
 public:
  Job(OffLoop* owner, uint64_t id, absl::AnyInvocable<void()> done)
      : owner_(owner), id_(id), done_(std::move(done)) {
    owner_->jobs_[id_] = this;
  }
  ~Job() override { owner_->jobs_.erase(id_); }
  absl::AnyInvocable<void()> TakeDone() { return std::move(done_); }

 private:
  OffLoop* owner_;
  uint64_t id_;
  absl::AnyInvocable<void()> done_;
};

OffLoop::OffLoop(std::shared_ptr<Mailbox> mailbox)
    : mailbox_(std::move(mailbox)) {}

OffLoop::~OffLoop() {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  for (const auto& pool : pools_) {
    if (pool != nullptr) pool->Close();
  }
  for (const auto& pool : pools_) {
    if (pool != nullptr) pool->AwaitThreads(deadline);
  }
}

std::unique_ptr<Operation> OffLoop::Run(BlockingKind kind,
                                        absl::AnyInvocable<void()> work,
                                        absl::AnyInvocable<void()> done) {
  const uint64_t id = next_id_++;
  auto job = std::make_unique<Job>(this, id, std::move(done));
  std::shared_ptr<Pool>& pool = pools_[static_cast<size_t>(kind)];
  if (pool == nullptr) pool = std::make_shared<Pool>(mailbox_);
  if (pool->Take({id, std::move(work)})) {
    std::thread(Pool::RunThread, pool, this).detach();
  }
  return job;
}

void OffLoop::Finish(uint64_t id) {
  const auto found = jobs_.find(id);
  if (found != jobs_.end()) found->second->TakeDone()();
}

}  // namespace gatehouse
