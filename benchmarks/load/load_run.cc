#include "benchmarks/load/load_run.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "benchmarks/load/sockets.h"

namespace gatehouse::load {
namespace {

// Longer than any proxy needs for any step; a run that hangs must say so.
constexpr int kStallMs = 30 * 1000;
// Enough to see what is wrong.
constexpr uint64_t kFailuresShown = 5;

}  // namespace

LoadRun::LoadRun(LoadTarget target, LoadPlan& plan, uint64_t users)
    : target_(std::move(target)), plan_(plan), users_(users) {}

LoadRun::~LoadRun() = default;

bool LoadRun::Play(uint64_t sessions, uint64_t concurrency) {
  concurrency_ = concurrency;
  to_start_ += sessions;
  return WaitFor(&LoadRun::AllEnded);
}

bool LoadRun::LogInAll(uint64_t sessions, uint64_t concurrency) {
  concurrency_ = concurrency;
  to_start_ += sessions;
  return WaitFor(&LoadRun::AllHeldOrEnded);
}

bool LoadRun::ContinueAll() {
  std::vector<LoadSession*> held = std::exchange(held_, {});
  for (LoadSession* session : held) session->ContinueWork();
  return WaitFor(&LoadRun::AllEnded);
}

bool LoadRun::WaitFor(bool (LoadRun::*is_reached)() const) {
  auto begin = std::chrono::steady_clock::now();
  StartSome();
  while (!(this->*is_reached)()) {
    // Closed before the poller can name them again.
    finished_.clear();
    if (poller_.Wait(kStallMs) == 0) {
      std::fprintf(stderr, "stalled: %zu sessions wait\n",
                   running_.size() - held_.size());
      return false;
    }
    StartSome();
  }
  elapsed_ += std::chrono::steady_clock::now() - begin;
  return true;
}

void LoadRun::StartSome() {
  while (started_ < to_start_ &&
         running_.size() - held_.size() < concurrency_) {
    int fd = ConnectTo(target_.address, target_.port, target_.source);
    auto session = std::make_unique<LoadSession>(plan_, *this, poller_, fd,
                                                 started_ % users_ + 1);
    ++started_;
    LoadSession* raw = session.get();
    running_.emplace(raw, std::move(session));
  }
}

void LoadRun::OnHeld(LoadSession& session) { held_.push_back(&session); }

void LoadRun::OnWorkDone(std::chrono::nanoseconds duration) {
  work_durations_ns_.push_back(duration.count());
}

void LoadRun::OnEnd(LoadSession& session, std::string_view failure) {
  if (!failure.empty() && ++failures_ <= kFailuresShown) {
    std::fprintf(stderr, "session failed: %.*s\n",
                 static_cast<int>(failure.size()), failure.data());
  }
  std::erase(held_, &session);
  auto found = running_.find(&session);
  // Not deleted yet: it is the caller.
  finished_.push_back(std::move(found->second));
  running_.erase(found);
  ++ended_;
}

double LoadRun::Percentile(double share) const {
  if (work_durations_ns_.empty()) return 0;
  std::vector<int64_t> sorted = work_durations_ns_;
  std::sort(sorted.begin(), sorted.end());
  return sorted[static_cast<size_t>(share * (sorted.size() - 1))] / 1e3;
}

std::string LoadRun::ToJson() const {
  char json[320];
  std::snprintf(json, sizeof(json),
                "{\"sessions\":%lu,\"failures\":%lu,\"seconds\":%.6f,"
                "\"rounds\":%zu,\"bulk_bytes\":%lu,\"p50_us\":%.1f,"
                "\"p99_us\":%.1f}",
                static_cast<unsigned long>(ended_),
                static_cast<unsigned long>(failures_), elapsed_.count() / 1e9,
                work_durations_ns_.size(),
                static_cast<unsigned long>(bulk_bytes_), Percentile(0.5),
                Percentile(0.99));
  return json;
}

}  // namespace gatehouse::load
