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
// asks the default upstream, those that sessions were let into lately, those
// that the directory can name by itself (Directory::SampleLocations) and the
// names in /upstream/allowedHosts, at once and then every `interval`, and
// publishes in settings->capabilities what all of them have in common
// (Protocol::CommonCapabilities).
//
// An upstream that doesn't answer keeps its last answer. One that has never
// answered isn't counted, and is asked again each minute; while none has, the
// published list is null: not known. It stays so until each has answered or
// failed, so that the first list needn't be taken back at once. A host first
// met between two rounds is asked within a minute, and within a second while
// nothing is known.
//
// At most UpstreamsMet::kMost are asked, and few at a time.
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
    bool heard = false;  // it has answered or failed
    bool failing = false;
  };

  std::map<std::string, UpstreamTarget> Targets() const;
  void Wake();
  void Gather();
  void AskWhoIsDue();
  void Ask(const std::string& name, Upstream& upstream);
  void OnOutcome(const std::string& name, UpstreamOutcome outcome);
  void OnFailure(const std::string& name, const Failure& failure);
  bool AllAreHeard() const;
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
