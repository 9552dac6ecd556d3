#ifndef GATEHOUSE_LIB_SERVER_STATS_H_
#define GATEHOUSE_LIB_SERVER_STATS_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "lib/directory/live_map.h"
#include "lib/protocol/events.h"

namespace gatehouse {

// What one worker counts. Only its own thread writes; any thread may read, so
// no lock and no shared cache line stands between workers.
struct alignas(64) WorkerStats {
  using Counter = std::atomic<uint64_t>;

  Counter connections{0};        // accepted, ever
  Counter sessions{0};           // present
  Counter joined{0};             // present and logged in
  Counter logins{0};             // ever joined
  Counter over_limit{0};         // turned away for a limit
  Counter bytes_from_client{0};  // after login, of sessions that ended
  Counter bytes_to_client{0};
  std::array<Counter, 9> refusals{};  // by LoginRefusal::Kind

  // SMTP: messages answered with 250, 4xx and 5xx.
  enum Outcome : size_t { kAccepted, kDeferred, kRefused };
  std::array<Counter, 3> messages{};

  static Outcome OutcomeOf(int reply_code) {
    if (reply_code < 300) return kAccepted;
    return reply_code < 500 ? kDeferred : kRefused;
  }

  // Cheaper than fetch_add, which locks the bus: there is one writer.
  static void Add(Counter& counter, uint64_t count = 1) {
    counter.store(counter.load(std::memory_order_relaxed) + count,
                  std::memory_order_relaxed);
  }
  static void Subtract(Counter& counter) {
    counter.store(counter.load(std::memory_order_relaxed) - 1,
                  std::memory_order_relaxed);
  }
};

// The sum over all workers as Prometheus text (exposition format 0.0.4).
std::string ToMetrics(const std::vector<std::shared_ptr<WorkerStats>>& workers,
                      std::string_view service);

// The same of what is followed; "" where nothing is.
std::string ToMetrics(const LiveMaps& maps, std::string_view service,
                      absl::Time now);

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_SERVER_STATS_H_
