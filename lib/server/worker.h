#ifndef GATEHOUSE_LIB_SERVER_WORKER_H_
#define GATEHOUSE_LIB_SERVER_WORKER_H_

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "lib/base/log.h"
#include "lib/net/uv_network.h"
#include "lib/server/address_limit.h"
#include "lib/server/gathered_log.h"
#include "lib/server/runtime.h"
#include "lib/server/session_factory.h"
#include "lib/server/stats.h"
#include "lib/session/capability_probe.h"
#include "lib/session/client_session.h"

namespace gatehouse {

// The status, with the listener's place in the configuration before its words.
absl::Status AtListener(size_t index, const absl::Status& status);

// One thread's share of a server: an event loop, its listeners, its directories
// and its sessions. Nothing of it is shared with other workers but what is
// immutable or counted.
//
// Open() is called before Run(); after that every call but Post…() and done()
// is the worker's own.
class Worker : public SessionOwner {
 public:
  // One worker asks the upstreams for their capabilities, on behalf of all.
  enum class Probing { kOff, kOn };

  Worker(DescriptorLog& log, NewSessionFactory new_sessions,
         std::shared_ptr<AddressLimit> limit, ListenerObserver& accept_pauses,
         Probing probing);
  ~Worker();

  // Opens the listeners and begins to serve with `runtime`. Gives the
  // addresses in the order of the configuration, with the ports that the kernel
  // chose for port 0 filled in: the other workers listen on the same. An error
  // begins with the listener's place in the configuration.
  absl::StatusOr<std::vector<SocketAddress>> Open(
      std::shared_ptr<const Runtime> runtime,
      const std::vector<SocketAddress>& addresses);

  // The thread's work; returns after PostStop(), or when a drain is complete.
  void Run();

  // From any thread.
  void PostReload(std::shared_ptr<const Runtime> runtime);
  void PostDrain();   // no new sessions; ends when the last has ended
  void PostEndAll();  // good-bye to the joined ones too
  void PostStop();
  bool done() const { return done_.load(); }
  const std::shared_ptr<WorkerStats>& stats() const { return stats_; }

 private:
  struct Entrance {
    std::unique_ptr<Listener> listener;
    std::shared_ptr<const ListenerSettings> settings;
  };

  // Joined sessions by their user, who doesn't change any more.
  struct ByUser {
    using is_transparent = void;
    static std::string_view UserOf(std::string_view user) { return user; }
    static std::string_view UserOf(const ClientSession* session) {
      return session->record().user;
    }
    bool operator()(const auto& a, const auto& b) const {
      return UserOf(a) < UserOf(b);
    }
  };

  struct Kept {
    std::unique_ptr<ClientSession> session;
    bool counted;  // by the address limit, for the peer in its record
  };

  void Use(std::shared_ptr<const Runtime> runtime);
  absl::Status OpenEntrance(const ListenerConfig& config,
                            const SocketAddress& address);
  void OnAccept(const std::string& address, std::unique_ptr<Stream> stream);
  enum class Admission { kFree, kCounted, kOverLimit };
  Admission Admit(const SocketAddress& peer, const ListenerSettings& listener);
  Admission AdmitAddress(const SocketAddress& peer);
  void TurnAway(ClientSession& session);
  void Reload(std::shared_ptr<const Runtime> runtime);
  void Drain();
  std::vector<ClientSession*> Present() const;
  void StopIfEmpty();
  void DropRetired();
  void OnMoved(std::string_view user, const std::optional<Endpoint>& host);
  void EndUnlessAt(const std::string& there, ClientSession& session);
  // The host as a session's record has it.
  // Empty where the account has no place.
  std::string UpstreamAt(const std::optional<Endpoint>& host) const;
  void LookAgainSoon();
  void EndIfMoved(ClientSession& session);
  void LeaveJoined(ClientSession& session);

  // SessionOwner:
  void OnClientNamed(ClientSession& session) override;
  void OnLoginRefused(LoginRefusal::Kind kind) override;
  void OnJoined(ClientSession& session) override;
  void OnMessage(ClientSession& session, int reply_code) override;
  void OnEnded(ClientSession& session) override;

  const NewSessionFactory new_sessions_;
  const std::shared_ptr<AddressLimit> limit_;
  ListenerObserver& accept_pauses_;
  const Probing probing_;
  const std::shared_ptr<WorkerStats> stats_ = std::make_shared<WorkerStats>();
  std::unique_ptr<UvNetwork> network_ = UvNetwork::Create();
  GatheredLog log_;
  std::shared_ptr<const Runtime> runtime_;
  std::unique_ptr<SessionFactory> factory_;
  // Of former configurations, while sessions have something of theirs.
  std::vector<std::unique_ptr<SessionFactory>> retired_;
  std::vector<std::unique_ptr<CapabilityProbe>> probes_;
  std::map<std::string, Entrance> entrances_;  // by configured address
  absl::flat_hash_map<ClientSession*, Kept> sessions_;
  absl::btree_multiset<ClientSession*, ByUser> joined_;
  // Moves that a login under way may not have heard of. They are dropped
  // together, when no login can be so old.
  absl::flat_hash_map<std::string, std::optional<Endpoint>> recent_moves_;
  absl::Time last_move_ = absl::InfinitePast();
  bool looking_again_ = false;
  bool draining_ = false;
  std::atomic<bool> done_ = false;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_SERVER_WORKER_H_
