#include "lib/server/worker.h"

#include <algorithm>
#include <utility>

#include "lib/session/client_arrival.h"
#include "lib/session/upstream_session.h"

namespace gatehouse {

absl::Status AtListener(size_t index, const absl::Status& status) {
  return absl::Status(status.code(), "/listeners/" + std::to_string(index) +
                                         ": " + std::string(status.message()));
}

Worker::Worker(DescriptorLog& log, NewSessionFactory new_sessions,
               std::shared_ptr<AddressLimit> limit,
               ListenerObserver& accept_pauses, Probing probing)
    : new_sessions_(new_sessions),
      limit_(std::move(limit)),
      accept_pauses_(accept_pauses),
      probing_(probing),
      log_(log, *network_) {}

Worker::~Worker() {
  // Sessions and listeners hold things of the network's.
  sessions_.clear();
  probes_.clear();
  entrances_.clear();
  retired_.clear();
  factory_.reset();
}

// --- Beginning ---

absl::StatusOr<std::vector<SocketAddress>> Worker::Open(
    std::shared_ptr<const Runtime> runtime,
    const std::vector<SocketAddress>& addresses) {
  std::vector<SocketAddress> bound;
  for (size_t i = 0; i < addresses.size(); ++i) {
    const ListenerConfig& config = runtime->config.listeners[i];
    const absl::Status status = OpenEntrance(config, addresses[i]);
    if (!status.ok()) return AtListener(i, status);
    bound.push_back(entrances_.at(config.address.ToString()).listener->local());
  }
  Use(std::move(runtime));
  return bound;
}

absl::Status Worker::OpenEntrance(const ListenerConfig& config,
                                  const SocketAddress& address) {
  const std::string name = config.address.ToString();
  Entrance& entrance = entrances_[name];
  if (entrance.listener == nullptr) {
    ListenOptions options;
    options.reuse_port = true;
    options.observer = &accept_pauses_;
    auto listener = network_->Listen(
        address, options, [this, name](std::unique_ptr<Stream> stream) {
          OnAccept(name, std::move(stream));
        });
    if (!listener.ok()) {
      entrances_.erase(name);
      return listener.status();
    }
    entrance.listener = std::move(*listener);
  }
  auto settings = std::make_shared<ListenerSettings>();
  settings->name = entrance.listener->local().ToString();
  settings->tls = config.tls;
  settings->role = config.role;
  settings->proxy_protocol_from = config.proxy_protocol_from;
  entrance.settings = std::move(settings);
  return absl::OkStatus();
}

void Worker::Use(std::shared_ptr<const Runtime> runtime) {
  std::vector<SocketAddress> own;
  for (const auto& [name, entrance] : entrances_) {
    own.push_back(entrance.listener->local());
  }
  if (factory_ != nullptr) retired_.push_back(std::move(factory_));
  factory_ = new_sessions_(*runtime, *network_, log_, own);
  factory_->settings().directory->set_move_observer(
      [this](std::string_view user, const std::optional<Endpoint>& host) {
        OnMoved(user, host);
      });
  runtime_ = std::move(runtime);
  probes_.clear();
  if (probing_ == Probing::kOff) return;
  for (auto& settings : factory_->probed()) {
    probes_.push_back(std::make_unique<CapabilityProbe>(
        *network_, log_, std::move(settings),
        runtime_->config.capability_interval));
    probes_.back()->Start();
  }
}

void Worker::Run() {
  network_->Run();
  log_.Flush();
  done_ = true;
}

// --- Sessions ---

void Worker::OnAccept(const std::string& address,
                      std::unique_ptr<Stream> stream) {
  const Entrance& entrance = entrances_.at(address);
  WorkerStats::Add(stats_->connections);
  auto session =
      factory_->NewSession(entrance.settings, std::move(stream), *this);
  ClientSession& begun = *session;
  const Admission admission = Admit(begun.record().peer, *entrance.settings);
  const bool counted = admission == Admission::kCounted;
  sessions_.emplace(&begun, Kept{std::move(session), counted});
  WorkerStats::Add(stats_->sessions);
  begun.Start();
  if (admission == Admission::kOverLimit) TurnAway(begun);
}

void Worker::TurnAway(ClientSession& session) {
  WorkerStats::Add(stats_->over_limit);
  if (!sessions_.contains(&session)) return;  // it has ended in Start()
  session.EndUnlessJoined(
      DownstreamMachine::ShutdownReason::kTooManyConnections);
}

// `connections` is a worker's; the count of an address is the server's. A
// balancer isn't counted: who comes through it is, once it has said who.
Worker::Admission Worker::Admit(const SocketAddress& peer,
                                const ListenerSettings& listener) {
  const Config& config = runtime_->config;
  if (config.connections > 0 &&
      sessions_.size() >= static_cast<size_t>(config.connections)) {
    return Admission::kOverLimit;
  }
  return OwesProxyHeader(listener, peer) ? Admission::kFree
                                         : AdmitAddress(peer);
}

// A peer that has gone already, or whom the balancer doesn't know, has none.
Worker::Admission Worker::AdmitAddress(const SocketAddress& peer) {
  const int most = runtime_->config.connections_per_address;
  if (most == 0 || !peer.is_set()) return Admission::kFree;
  return limit_->Enter(peer, most) ? Admission::kCounted
                                   : Admission::kOverLimit;
}

void Worker::OnClientNamed(ClientSession& session) {
  const Admission admission = AdmitAddress(session.record().peer);
  sessions_.at(&session).counted = admission == Admission::kCounted;
  if (admission == Admission::kOverLimit) TurnAway(session);
}

void Worker::OnLoginRefused(LoginRefusal::Kind kind) {
  WorkerStats::Add(stats_->refusals[static_cast<size_t>(kind)]);
}

void Worker::OnJoined(ClientSession& session) {
  WorkerStats::Add(stats_->joined);
  WorkerStats::Add(stats_->logins);
  joined_.insert(&session);
  EndIfMoved(session);
}

void Worker::OnMessage(ClientSession& session, int reply_code) {
  WorkerStats::Add(stats_->messages[WorkerStats::OutcomeOf(reply_code)]);
}

void Worker::OnEnded(ClientSession& session) {
  const SessionRecord& record = session.record();
  WorkerStats::Subtract(stats_->sessions);
  WorkerStats::Add(stats_->bytes_from_client, record.bytes_from_client);
  WorkerStats::Add(stats_->bytes_to_client, record.bytes_to_client);
  const auto kept = sessions_.find(&session);
  // It is still the peer that was counted.
  if (kept->second.counted) limit_->Leave(record.peer);
  if (session.joined()) {
    WorkerStats::Subtract(stats_->joined);
    LeaveJoined(session);
  }
  sessions_.erase(kept);
  if (!retired_.empty()) network_->Post([this] { DropRetired(); });
  StopIfEmpty();
}

void Worker::LeaveJoined(ClientSession& session) {
  const auto [first, last] = joined_.equal_range(&session);
  const auto found = std::find(first, last, &session);
  if (found != last) joined_.erase(found);
}

void Worker::DropRetired() {
  std::erase_if(retired_,
                [](const auto& factory) { return !factory->in_use(); });
}

// --- Moves ---

std::string Worker::UpstreamAt(const std::optional<Endpoint>& host) const {
  Location location;
  location.host = host;
  const auto target = TargetOf(factory_->settings(), location);
  return target ? target->endpoint.ToString() : "";
}

void Worker::OnMoved(std::string_view user,
                     const std::optional<Endpoint>& host) {
  const std::string there = UpstreamAt(host);
  const auto [first, last] = joined_.equal_range(user);
  const std::vector<ClientSession*> present(first, last);
  for (ClientSession* session : present) {
    EndUnlessAt(there, *session);
  }
  const absl::Time now = network_->Now();
  if (now - last_move_ > runtime_->config.login_timeout) recent_moves_.clear();
  last_move_ = now;
  recent_moves_[std::string(user)] = host;
  LookAgainSoon();
}

// Where nobody knows its new place it may stay.
void Worker::EndUnlessAt(const std::string& there, ClientSession& session) {
  if (!there.empty() && session.record().upstream != there) {
    session.EndJoined();
  }
}

// Once for all moves that come together.
void Worker::LookAgainSoon() {
  if (looking_again_) return;
  looking_again_ = true;
  network_->Post([this] {
    looking_again_ = false;
    for (const auto& [session, kept] : sessions_) session->LookAgain();
  });
}

// The login may have been on its way to the old host when the move was seen.
void Worker::EndIfMoved(ClientSession& session) {
  const SessionRecord& record = session.record();
  if (record.began > last_move_) return;
  const auto moved = recent_moves_.find(record.user);
  if (moved != recent_moves_.end()) {
    EndUnlessAt(UpstreamAt(moved->second), session);
  }
}

// --- Change and end ---

void Worker::PostReload(std::shared_ptr<const Runtime> runtime) {
  network_->Post([this, runtime = std::move(runtime)]() mutable {
    if (!draining_) Reload(std::move(runtime));
  });
}

// Listeners that stay keep their sockets: no connection is refused meanwhile.
void Worker::Reload(std::shared_ptr<const Runtime> runtime) {
  std::map<std::string, Entrance> kept;
  const std::vector<ListenerConfig>& listeners = runtime->config.listeners;
  for (size_t i = 0; i < listeners.size(); ++i) {
    const ListenerConfig& listener = listeners[i];
    const std::string name = listener.address.ToString();
    const absl::Status status = OpenEntrance(listener, listener.address);
    if (status.ok()) {
      kept[name] = std::move(entrances_[name]);
    } else {
      log_.Write(LogRecord("listen_failed", LogRecord::Level::kError)
                     .Text("listener", name)
                     .Text("detail", AtListener(i, status).ToString()));
    }
  }
  entrances_ = std::move(kept);
  Use(std::move(runtime));
  DropRetired();
}

void Worker::PostDrain() {
  network_->Post([this] { Drain(); });
}

void Worker::Drain() {
  draining_ = true;
  probes_.clear();
  entrances_.clear();
  for (ClientSession* session : Present()) {
    session->EndUnlessJoined(DownstreamMachine::ShutdownReason::kDraining);
  }
  StopIfEmpty();
}

// Apart from the table: a session may leave it while it is told to end.
std::vector<ClientSession*> Worker::Present() const {
  std::vector<ClientSession*> present;
  for (const auto& [session, kept] : sessions_) present.push_back(session);
  return present;
}

void Worker::PostEndAll() {
  network_->Post([this] {
    for (ClientSession* session : Present()) session->EndJoined();
  });
}

void Worker::PostStop() { network_->Stop(); }

void Worker::StopIfEmpty() {
  if (draining_ && sessions_.empty()) network_->Stop();
}

}  // namespace gatehouse
