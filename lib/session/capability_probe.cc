#include "lib/session/capability_probe.h"

#include <algorithm>
#include <utility>

#include "lib/base/check.h"
#include "lib/session/upstreams_met.h"

namespace gatehouse {
namespace {

// A store that nobody was sent to for so long is asked no more: one that was
// taken out of service must not hold the others' list down for ever.
constexpr absl::Duration kLately = absl::Hours(24);
// How often new hosts are looked for, and those that have never answered are
// asked again; and how often while clients are promised nothing.
constexpr absl::Duration kWakeInterval = absl::Minutes(1);
constexpr absl::Duration kEagerInterval = absl::Seconds(1);
// A site's stores aren't all to be greeted in one moment.
constexpr size_t kMostAtOnce = 4;
// A host of one mailbox in a hundred is among so many with some certainty.
constexpr size_t kSampledLocations = 512;

}  // namespace

CapabilityProbe::CapabilityProbe(
    Network& network, LogSink& log,
    std::shared_ptr<const SessionSettings> settings, absl::Duration interval)
    : network_(network),
      log_(log),
      settings_(std::move(settings)),
      interval_(interval) {
  GATEHOUSE_CHECK(settings_->capabilities != nullptr, "nowhere to publish");
  GATEHOUSE_CHECK(settings_->upstreams_met != nullptr, "nobody to ask");
}

CapabilityProbe::~CapabilityProbe() = default;

void CapabilityProbe::Start() { Wake(); }

void CapabilityProbe::Wake() {
  Gather();
  AskWhoIsDue();
  const absl::Time now = network_.Now();
  const bool known = settings_->capabilities->Get() != nullptr;
  absl::Time next = now + (known ? kWakeInterval : kEagerInterval);
  for (const auto& [name, upstream] : upstreams_) {
    if (upstream.due > now) next = std::min(next, upstream.due);
  }
  timer_ = network_.StartTimer(next - now, [this] { Wake(); });
}

std::map<std::string, UpstreamTarget> CapabilityProbe::Targets() const {
  auto targets = settings_->upstreams_met->Since(network_.Now() - kLately);
  const auto add = [&](const Location& location) {
    const auto target = TargetOf(*settings_, location);
    if (!target || targets.size() >= UpstreamsMet::kMost) return;
    targets.emplace(TargetName(*target), *target);
  };
  add(Location());  // nobody's: the default upstream's
  for (const HostPattern& host : settings_->upstream.rules.hosts) {
    if (host.OnlyName().empty()) continue;
    Location location;
    location.host = Endpoint{std::string(host.OnlyName()), 0};
    add(location);
  }
  if (settings_->directory == nullptr) return targets;
  for (const Location& location :
       settings_->directory->SampleLocations(kSampledLocations)) {
    add(location);
  }
  return targets;
}

// Whom to ask now; the answers of the others are forgotten.
void CapabilityProbe::Gather() {
  auto targets = Targets();
  const size_t forgotten = std::erase_if(upstreams_, [&](const auto& known) {
    return !targets.contains(known.first);
  });
  for (auto& [name, target] : targets) upstreams_[name].target = target;
  if (forgotten > 0) Publish();
}

void CapabilityProbe::AskWhoIsDue() {
  size_t asking = std::count_if(
      upstreams_.begin(), upstreams_.end(),
      [](const auto& known) { return known.second.asking != nullptr; });
  for (; asking < kMostAtOnce; ++asking) {
    // Who has waited longest: those that never answer must not be asked again
    // and again in the others' place.
    auto next = upstreams_.end();
    for (auto it = upstreams_.begin(); it != upstreams_.end(); ++it) {
      if (it->second.asking != nullptr || it->second.due > network_.Now()) {
        continue;
      }
      if (next == upstreams_.end() || it->second.due < next->second.due) {
        next = it;
      }
    }
    if (next == upstreams_.end()) return;
    Ask(next->first, next->second);
  }
}

void CapabilityProbe::Ask(const std::string& name, Upstream& upstream) {
  upstream.due =
      network_.Now() +
      (upstream.answer ? interval_ : std::min(interval_, kWakeInterval));
  UpstreamOptions options;
  options.login.method = UpstreamLogin::Method::kProbe;
  options.host_name = settings_->host_name;
  upstream.asking = OpenUpstreamSession(
      network_, *settings_->protocol, settings_->upstream, upstream.target,
      std::move(options), [this, name](UpstreamOutcome outcome) {
        OnOutcome(name, std::move(outcome));
      });
}

void CapabilityProbe::OnOutcome(const std::string& name,
                                UpstreamOutcome outcome) {
  Upstream& upstream = upstreams_[name];
  upstream.asking.reset();
  upstream.heard = true;
  if (const auto* failed = std::get_if<UpstreamFailed>(&outcome.result)) {
    OnFailure(name, failed->failure);
  } else {
    UpstreamSession& session = std::get<UpstreamSession>(outcome.result);
    Stream::CloseAfterFlush(std::move(session.stream));  // QUIT is in its queue
    upstream.answer = std::move(session.ready.capabilities);
    upstream.failing = false;
    upstream.due = network_.Now() + interval_;
  }
  Publish();
  AskWhoIsDue();
}

// Told once, not every minute of a long outage.
void CapabilityProbe::OnFailure(const std::string& name,
                                const Failure& failure) {
  if (std::exchange(upstreams_[name].failing, true)) return;
  LogRecord record("capability_probe_failed", LogRecord::Level::kWarning);
  record.Text("service", settings_->protocol->name())
      .Text("upstream", name)
      .Text("kind", KindName(failure.kind))
      .Text("detail", failure.text);
  log_.Write(record);
}

bool CapabilityProbe::AllAreHeard() const {
  return std::all_of(upstreams_.begin(), upstreams_.end(),
                     [](const auto& known) { return known.second.heard; });
}

void CapabilityProbe::Publish() {
  std::optional<std::vector<std::string>> common;
  std::string names;
  for (const auto& [name, upstream] : upstreams_) {
    if (!upstream.answer) continue;
    names.append(names.empty() ? "" : " ").append(name);
    common = common ? settings_->protocol->CommonCapabilities(*common,
                                                              *upstream.answer)
                    : *upstream.answer;
  }
  const auto published = settings_->capabilities->Get();
  if (published == nullptr && !AllAreHeard()) return;
  const bool unchanged = common ? published != nullptr && *published == *common
                                : published == nullptr;
  if (unchanged) return;
  settings_->capabilities->source().Exchange(
      common ? std::make_shared<const std::vector<std::string>>(*common)
             : nullptr);
  std::string list;
  for (const std::string& entry : common.value_or(std::vector<std::string>())) {
    if (!list.empty()) list += " | ";
    list += entry;
  }
  LogRecord record("capabilities_learned");
  record.Text("service", settings_->protocol->name())
      .Text("upstreams", names)
      .Text("capabilities", list);
  log_.Write(record);
}

}  // namespace gatehouse
