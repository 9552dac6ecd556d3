#include "lib/base/host_pattern.h"

#include "absl/strings/match.h"
#include "lib/base/string_bridge.h"

namespace gatehouse {

std::optional<HostPattern> HostPattern::Parse(std::string_view text) {
  HostPattern pattern;
  if (const auto block = Cidr::Parse(text)) {
    pattern.block_ = *block;
    return pattern;
  }
  std::string_view name = text;
  if (name.starts_with('.')) name.remove_prefix(1);
  const auto endpoint = Endpoint::Parse(name);
  if (!endpoint || endpoint->host != name) return std::nullopt;
  pattern.name_ = std::string(text);
  if (pattern.name_.ends_with('.')) pattern.name_.pop_back();
  return pattern;
}

bool HostPattern::MatchesName(std::string_view host) const {
  if (name_.empty()) return false;
  if (host.ends_with('.')) host.remove_suffix(1);
  return name_.starts_with('.') ? absl::EndsWithIgnoreCase(ToAbsl(host), name_)
                                : absl::EqualsIgnoreCase(ToAbsl(host), name_);
}

bool HostPattern::MatchesAddress(const SocketAddress& address) const {
  return name_.empty() && block_.Contains(address);
}

std::string_view HostPattern::OnlyName() const {
  return name_.starts_with('.') ? std::string_view() : name_;
}

bool HostPattern::Matches(std::string_view host) const {
  const auto address = SocketAddress::Parse(host, 0);
  return address ? MatchesAddress(*address) : MatchesName(host);
}

bool HostPattern::IsLoopback() const {
  return name_.empty() ? block_.IsLoopback()
                       : absl::EqualsIgnoreCase(name_, "localhost");
}

}  // namespace gatehouse
