#include "lib/session/upstreams_met.h"

#include <algorithm>

namespace gatehouse {

std::string TargetName(const UpstreamTarget& target) {
  return target.endpoint.ToString() +
         (target.tls == TlsMode::kImplicit ? " with TLS" : "");
}

void UpstreamsMet::Note(const UpstreamTarget& target, absl::Time now) {
  const std::string name = TargetName(target);
  const std::lock_guard<std::mutex> lock(mutex_);
  meetings_[name] = Meeting{target, now};
  if (meetings_.size() <= kMost) return;
  meetings_.erase(std::min_element(meetings_.begin(), meetings_.end(),
                                   [](const auto& a, const auto& b) {
                                     return a.second.last < b.second.last;
                                   }));
}

std::map<std::string, UpstreamTarget> UpstreamsMet::Since(
    absl::Time oldest) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::map<std::string, UpstreamTarget> targets;
  for (const auto& [name, meeting] : meetings_) {
    if (meeting.last >= oldest) targets.emplace(name, meeting.target);
  }
  return targets;
}

}  // namespace gatehouse
