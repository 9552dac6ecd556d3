#include "lib/server/stats.h"

#include "lib/protocol/event_names.h"

namespace gatehouse {
namespace {

struct Metric {
  const char* name;
  const char* type;
  const char* help;
  WorkerStats::Counter WorkerStats::*counter;
};

constexpr Metric kMetrics[] = {
    {"gatehouse_connections_total", "counter", "Connections accepted.",
     &WorkerStats::connections},
    {"gatehouse_sessions", "gauge", "Sessions present, logged in or not.",
     &WorkerStats::sessions},
    {"gatehouse_joined_sessions", "gauge", "Sessions joined to a store.",
     &WorkerStats::joined},
    {"gatehouse_logins_total", "counter", "Logins that reached a store.",
     &WorkerStats::logins},
    {"gatehouse_over_limit_total", "counter",
     "Connections turned away for a limit.", &WorkerStats::over_limit},
    {"gatehouse_bytes_from_client_total", "counter",
     "Bytes after login, of sessions that have ended.",
     &WorkerStats::bytes_from_client},
    {"gatehouse_bytes_to_client_total", "counter",
     "Bytes after login, of sessions that have ended.",
     &WorkerStats::bytes_to_client},
};

// By WorkerStats::Outcome.
constexpr std::array<std::string_view, 3> kOutcomeNames = {
    "accepted", "deferred", "refused"};

void AppendHead(std::string& text, const char* name, const char* type,
                const char* help) {
  text.append("# HELP ").append(name).append(" ").append(help).append("\n");
  text.append("# TYPE ").append(name).append(" ").append(type).append("\n");
}

// A counter that is kept apart by something.
template <size_t kCount>
void AppendBy(std::string& text, const char* name, const char* help,
              const std::string& labels,
              const std::array<std::string_view, kCount>& values,
              const std::vector<std::shared_ptr<WorkerStats>>& workers,
              std::array<WorkerStats::Counter, kCount> WorkerStats::*counters) {
  AppendHead(text, name, "counter", help);
  for (size_t i = 0; i < kCount; ++i) {
    uint64_t sum = 0;
    for (const auto& worker : workers) {
      sum += ((*worker).*counters)[i].load(std::memory_order_relaxed);
    }
    text.append(name).append("{").append(labels).append("=\"");
    text.append(values[i]).append("\"} ");
    text.append(std::to_string(sum)).append("\n");
  }
}

}  // namespace

std::string ToMetrics(const std::vector<std::shared_ptr<WorkerStats>>& workers,
                      std::string_view service) {
  const std::string label = "service=\"" + std::string(service) + "\"";
  std::string text;
  for (const Metric& metric : kMetrics) {
    uint64_t sum = 0;
    for (const auto& worker : workers) {
      sum += ((*worker).*metric.counter).load(std::memory_order_relaxed);
    }
    AppendHead(text, metric.name, metric.type, metric.help);
    text.append(metric.name).append("{").append(label).append("} ");
    text.append(std::to_string(sum)).append("\n");
  }
  AppendBy(text, "gatehouse_login_refusals_total", "Logins refused, by reason.",
           label + ",reason", kLoginRefusalNames, workers,
           &WorkerStats::refusals);
  AppendBy(text, "gatehouse_messages_total", "Messages answered, by outcome.",
           label + ",outcome", kOutcomeNames, workers, &WorkerStats::messages);
  return text;
}

std::string ToMetrics(const LiveMaps& maps, std::string_view service,
                      absl::Time now) {
  std::string text;
  const auto append = [&](const char* name, const char* help, auto value_of) {
    AppendHead(text, name, "gauge", help);
    for (const auto& [connector, map] : maps) {
      text.append(name).append("{service=\"").append(service);
      text.append("\",connector=\"").append(connector).append("\"} ");
      text.append(std::to_string(value_of(*map))).append("\n");
    }
  };
  if (maps.empty()) return text;
  append("gatehouse_live_map_entries", "Accounts held.",
         [](const LiveMap& map) { return map.entries(); });
  append("gatehouse_live_map_bytes", "Memory that they take.",
         [](const LiveMap& map) { return map.bytes(); });
  append("gatehouse_live_map_live", "1 while it follows every change.",
         [](const LiveMap& map) {
           return map.state() == LiveMap::State::kLive ? 1 : 0;
         });
  append("gatehouse_live_map_age_seconds",
         "Since the directory was last heard of; 0 while live or loading.",
         [now](const LiveMap& map) {
           return map.state() == LiveMap::State::kAway
                      ? absl::ToInt64Seconds(map.Age(now))
                      : int64_t{0};
         });
  return text;
}

}  // namespace gatehouse
