#ifndef GATEHOUSE_BENCHMARKS_LOAD_LOAD_RUN_H_
#define GATEHOUSE_BENCHMARKS_LOAD_LOAD_RUN_H_

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "benchmarks/load/load_session.h"
#include "benchmarks/load/poller.h"

namespace gatehouse::load {

struct LoadTarget {
  std::string address;
  uint16_t port = 0;
  std::string source;  // "": the kernel chooses
};

// A fixed number of sessions, so many at a time, in one thread.
class LoadRun final : public LoadSession::Owner {
 public:
  LoadRun(LoadTarget target, LoadPlan& plan, uint64_t users);
  ~LoadRun();

  // Until all have ended. False where nothing moved for half a minute.
  bool Play(uint64_t sessions, uint64_t concurrency);

  // In two parts, for sessions that are held: all logged in; then all pinged
  // and logged out.
  bool LogInAll(uint64_t sessions, uint64_t concurrency);
  bool ContinueAll();

  uint64_t failures() const { return failures_; }
  std::string ToJson() const;

 private:
  void OnHeld(LoadSession& session) override;
  void OnWorkDone(std::chrono::nanoseconds duration) override;
  void OnBulk(size_t bytes) override { bulk_bytes_ += bytes; }
  void OnEnd(LoadSession& session, std::string_view failure) override;

  void StartSome();
  bool WaitFor(bool (LoadRun::*is_reached)() const);
  bool AllEnded() const { return ended_ == to_start_; }
  bool AllHeldOrEnded() const { return held_.size() + ended_ == to_start_; }
  double Percentile(double share) const;

  const LoadTarget target_;
  LoadPlan& plan_;
  const uint64_t users_;
  Poller poller_;
  std::unordered_map<LoadSession*, std::unique_ptr<LoadSession>> running_;
  std::vector<std::unique_ptr<LoadSession>> finished_;
  std::vector<LoadSession*> held_;
  uint64_t concurrency_ = 0;
  uint64_t to_start_ = 0;
  uint64_t started_ = 0;
  uint64_t ended_ = 0;
  uint64_t failures_ = 0;
  uint64_t bulk_bytes_ = 0;
  std::vector<int64_t> work_durations_ns_;
  std::chrono::nanoseconds elapsed_{0};
};

}  // namespace gatehouse::load

#endif  // GATEHOUSE_BENCHMARKS_LOAD_LOAD_RUN_H_
