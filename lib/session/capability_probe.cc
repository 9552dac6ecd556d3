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
// How often new hosts are looked for.
constexpr absl::Duration kWakeInterval = absl::Minutes(1);

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
  for (auto& [name, upstream] : upstreams_) {
    if (upstream.asking == nullptr && upstream.due <= network_.Now()) {
      Ask(name, upstream);
    }
  }
  timer_ = network_.StartTimer(std::min(interval_, kWakeInterval),
                               [this] { Wake(); });
}

// Whom to ask now; the answers of the others are forgotten.
void CapabilityProbe::Gather() {
  auto targets = settings_->upstreams_met->Since(network_.Now() - kLately);
  if (settings_->default_upstream) {
    UpstreamTarget target{*settings_->default_upstream,
                          settings_->upstream.tls};
    if (target.endpoint.port == 0) {
      target.endpoint.port = settings_->upstream.port;
    }
    targets.emplace(TargetName(target), target);
  }
  const size_t forgotten = std::erase_if(upstreams_, [&](const auto& known) {
    return !targets.contains(known.first);
  });
  for (auto& [name, target] : targets) upstreams_[name].target = target;
  if (forgotten > 0) Publish();
}

void CapabilityProbe::Ask(const std::string& name, Upstream& upstream) {
  upstream.due = network_.Now() + interval_;
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
  if (const auto* failed = std::get_if<UpstreamFailed>(&outcome.result)) {
    return OnFailure(name, failed->failure);
  }
  UpstreamSession& session = std::get<UpstreamSession>(outcome.result);
  Stream::CloseAfterFlush(std::move(session.stream));  // QUIT is in its queue
  upstream.answer = std::move(session.ready.capabilities);
  upstream.failing = false;
  Publish();
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
