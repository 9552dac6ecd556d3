#ifndef GATEHOUSE_LIB_DIRECTORY_LIVE_MAP_FOLLOWER_H_
#define GATEHOUSE_LIB_DIRECTORY_LIVE_MAP_FOLLOWER_H_

#include <memory>
#include <string>

#include "absl/time/time.h"
#include "lib/base/log.h"
#include "lib/directory/ldap_client.h"
#include "lib/directory/ldap_options.h"
#include "lib/directory/live_map.h"
#include "lib/net/network.h"

namespace gatehouse {

// Keeps a live map as its directory is: one connection to one replica, bound as
// the administrator, on which all comes that is there and then each change of
// it. A lost or silent replica is left for the next one, with growing pauses,
// from the point that was reached. What no replica can continue from there
// comes anew ("live_map_cookie_refused"), and until then the map stays as it
// was.
//
// Where the map is found to be outdated everything comes anew as well
// ("live_map_outdated"); neither more often than once a minute.
//
// Logs "live_map_complete" when everything is there for the first time,
// "live_map_lost" (at most once a minute), "live_map_recovered", and once
// "live_map_overflown" where an entry has no room.
//
// On its network's thread.
class LiveMapFollower {
 public:
  // `network` and `log` must outlive it; `connector` is for the log.
  LiveMapFollower(Network& network, LogSink& log, std::string connector,
                  std::shared_ptr<const LdapOptions> options,
                  std::shared_ptr<LiveMap> map);
  ~LiveMapFollower();

 private:
  const std::string& url() const { return options_->urls[url_index_]; }
  void Connect();
  void OnOpened(LdapConnection::OpenResult result);
  void Follow();
  void OnEvent(LdapSyncEvent event);
  void OnEnd(LdapSyncEnd end);
  void ForgetCookie(const Failure& refusal);
  void OnLive();
  void Lose();
  void Leave(const Failure& failure);
  void Reload();
  void ProbeLater();
  void Probe();
  void LogLost(const Failure& failure);
  void LogOverflow();

  Network& network_;
  LogSink& log_;
  const std::string connector_;
  const std::shared_ptr<const LdapOptions> options_;
  const std::shared_ptr<LiveMap> map_;

  size_t url_index_ = 0;
  absl::Duration pause_;
  size_t refusals_ = 0;  // of one cookie
  absl::Time since_;     // when it began, or was lost
  absl::Time heard_at_;
  absl::Time next_lost_log_ = absl::InfinitePast();
  absl::Time next_reload_ = absl::InfinitePast();
  bool live_ = false;
  bool completed_ = false;
  bool overflow_logged_ = false;
  std::unique_ptr<LdapConnection> connection_;
  std::unique_ptr<Operation> opening_;  // or the pause before it
  std::unique_ptr<Operation> probe_;    // its pause, or its deadline
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_DIRECTORY_LIVE_MAP_FOLLOWER_H_
