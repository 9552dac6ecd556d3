#include "lib/net/off_loop.h"

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

namespace gatehouse {
namespace {

// As many calls may hang at the same time before the next has to wait.
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
    : pool_(std::make_shared<Pool>(std::move(mailbox))) {}

OffLoop::~OffLoop() {
  std::deque<Pool::Work> unbegun;
  std::unique_lock<std::mutex> lock(pool_->mutex);
  pool_->closed = true;
  unbegun.swap(pool_->queue);
  pool_->changed.notify_all();
  pool_->changed.wait_for(lock, kPatience,
                          [this] { return pool_->threads == 0; });
}

std::unique_ptr<Operation> OffLoop::Run(absl::AnyInvocable<void()> work,
                                        absl::AnyInvocable<void()> done) {
  const uint64_t id = next_id_++;
  auto job = std::make_unique<Job>(this, id, std::move(done));
  std::lock_guard<std::mutex> lock(pool_->mutex);
  pool_->queue.push_back({id, std::move(work)});
  const int needed = static_cast<int>(pool_->queue.size());
  if (needed > pool_->idle && pool_->threads < kMostThreads) {
    ++pool_->threads;
    std::thread(Pool::RunThread, pool_, this).detach();
  }
  pool_->changed.notify_one();
  return job;
}

void OffLoop::Finish(uint64_t id) {
  const auto found = jobs_.find(id);
  if (found != jobs_.end()) found->second->TakeDone()();
}

}  // namespace gatehouse
