#include "lib/server/stats.h"

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

constexpr const char* kRefusalNames[] = {
    "credentials", "authorization", "unavailable", "contact_admin", "expired",
    "in_use",      "login_delay",   "over_quota",  "limit"};

void AppendHead(std::string& text, const char* name, const char* type,
                const char* help) {
  text.append("# HELP ").append(name).append(" ").append(help).append("\n");
  text.append("# TYPE ").append(name).append(" ").append(type).append("\n");
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
  constexpr char kRefusals[] = "gatehouse_login_refusals_total";
  AppendHead(text, kRefusals, "counter", "Logins refused, by reason.");
  for (size_t kind = 0; kind < std::size(kRefusalNames); ++kind) {
    uint64_t sum = 0;
    for (const auto& worker : workers) {
      sum += worker->refusals[kind].load(std::memory_order_relaxed);
    }
    text.append(kRefusals).append("{").append(label).append(",reason=\"");
    text.append(kRefusalNames[kind]).append("\"} ");
    text.append(std::to_string(sum)).append("\n");
  }
  return text;
}

}  // namespace gatehouse
