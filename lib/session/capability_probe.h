#ifndef GATEHOUSE_LIB_SESSION_CAPABILITY_PROBE_H_
#define GATEHOUSE_LIB_SESSION_CAPABILITY_PROBE_H_

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "lib/base/log.h"
#include "lib/net/network.h"
#include "lib/session/session_settings.h"
#include "lib/session/upstream_session.h"

namespace gatehouse {

// Learns what the upstreams offer before login, so that nobody has to type it:
// asks the default upstream and those that sessions were let into lately, at
// once and then every `interval`, and publishes in settings->capabilities what
// all of them have in common (Protocol::CommonCapabilities).
//
// An upstream that doesn't answer keeps its last answer. One that has never
// answered isn't counted; while none has, the published list is null: not
// known. A host first met between two rounds is asked within a minute.
//
// One per configuration, on one worker's network and that thread; the workers
// share what it publishes. Not needed where the list is configured.
class CapabilityProbe {
 public:
  // `settings` must have `capabilities` and `upstreams_met`. `network` and
  // `log` outlive the probe. Destroying it ends its conversations.
  CapabilityProbe(Network& network, LogSink& log,
                  std::shared_ptr<const SessionSettings> settings,
                  absl::Duration interval);
  ~CapabilityProbe();

  void Start();

 private:
  struct Upstream {
    UpstreamTarget target;
    absl::Time due = absl::InfinitePast();
    std::unique_ptr<Operation> asking;
    std::optional<std::vector<std::string>> answer;
    bool failing = false;
  };

  void Wake();
  void Gather();
  void Ask(const std::string& name, Upstream& upstream);
  void OnOutcome(const std::string& name, UpstreamOutcome outcome);
  void OnFailure(const std::string& name, const Failure& failure);
  void Publish();

  Network& network_;
  LogSink& log_;
  const std::shared_ptr<const SessionSettings> settings_;
  const absl::Duration interval_;
  std::map<std::string, Upstream> upstreams_;
  std::unique_ptr<Operation> timer_;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_SESSION_CAPABILITY_PROBE_H_
