#include "lib/server/server.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <thread>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "lib/server/accept_pauses.h"
#include "lib/server/admin.h"
#include "lib/server/live_map_threads.h"
#include "lib/server/local_map_watch.h"
#include "lib/server/log_line.h"
#include "lib/server/worker.h"

namespace gatehouse {
namespace {

// After drainTimeout: for the good-byes to be said.
constexpr absl::Duration kLastWordsTimeout = absl::Seconds(3);

void PrepareProcess() {
  // Passwords are in our memory: no core dumps, no tracing by other users.
  prctl(PR_SET_DUMPABLE, 0);
  signal(SIGPIPE, SIG_IGN);
  rlimit files;
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
}

sigset_t ServerSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) {
    sigaddset(&signals, signal);
  }
  return signals;
}

// Workers share a port by SO_REUSEPORT, and so would a second server started
// by mistake: the kernel would give it half of the connections. So the port is
// first asked for without sharing, unless that is what is wanted.
absl::Status CheckFree(const SocketAddress& address, const Config& config) {
  if (address.port() == 0 || config.share_ports) return absl::OkStatus();
  const int fd =
      socket(address.raw()->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return absl::ErrnoToStatus(errno, "socket");
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (address.is_v6()) {
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
  }
  const bool free = bind(fd, address.raw(), address.raw_size()) == 0;
  const int error = errno;
  close(fd);
  if (free) return absl::OkStatus();
  return absl::UnavailableError(address.ToString() + ": " + strerror(error));
}

class Server {
 public:
  Server(const Service& service, std::string config_file,
         std::shared_ptr<const Runtime> runtime)
      : protocol_(service.protocol),
        new_sessions_(service.new_sessions),
        config_file_(std::move(config_file)),
        runtime_(std::move(runtime)),
        log_(STDERR_FILENO, runtime_->config.log_info
                                ? LogRecord::Level::kInfo
                                : LogRecord::Level::kWarning) {}

  int Run() {
    PrepareProcess();
    if (!Open()) return 1;
    for (const auto& worker : workers_) {
      threads_.emplace_back([&worker] { worker->Run(); });
    }
    std::thread admin([this] { admin_network_->Run(); });
    WatchLocalMaps();
    FollowLiveMaps();
    AwaitSignals();
    for (std::thread& thread : threads_) thread.join();
    admin_network_->Stop();
    admin.join();
    local_map_watch_.reset();
    log_.Write(LogRecord("stopped").Text("service", protocol_.name()));
    return 0;
  }

 private:
  bool Open() {
    const Config& config = runtime_->config;
    std::vector<SocketAddress> addresses;
    for (size_t i = 0; i < config.listeners.size(); ++i) {
      const SocketAddress& address = config.listeners[i].address;
      const absl::Status free = CheckFree(address, config);
      if (!free.ok()) return Refuse(AtListener(i, free).message());
      addresses.push_back(address);
    }
    const int count = config.workers > 0
                          ? config.workers
                          : std::max(1u, std::thread::hardware_concurrency());
    for (int i = 0; i < count; ++i) {
      workers_.push_back(std::make_unique<Worker>(
          log_, new_sessions_, limit_, accept_pauses_,
          i == 0 ? Worker::Probing::kOn : Worker::Probing::kOff));
      auto bound = workers_.back()->Open(runtime_, addresses);
      if (!bound.ok()) return Refuse(bound.status().message());
      addresses = std::move(*bound);
    }
    for (size_t i = 0; i < addresses.size(); ++i) {
      log_.Write(LogRecord("listening")
                     .Text("service", protocol_.name())
                     .Text("listener", addresses[i].ToString())
                     .Number("workers", count));
    }
    return OpenAdmin();
  }

  bool OpenAdmin() {
    if (!runtime_->config.admin) return true;
    std::vector<std::shared_ptr<WorkerStats>> stats;
    for (const auto& worker : workers_) stats.push_back(worker->stats());
    auto admin = Admin::Open(*admin_network_, *runtime_->config.admin,
                             protocol_.name(), stats);
    if (!admin.ok()) {
      return Refuse("/admin: " + std::string(admin.status().message()));
    }
    admin_ = std::move(*admin);
    log_.Write(LogRecord("listening")
                   .Text("service", "admin")
                   .Text("listener", admin_->local().ToString()));
    return true;
  }

  bool Refuse(absl::string_view fault) {
    log_.Write(LogRecord("listen_failed", LogRecord::Level::kError)
                   .Text("service", protocol_.name())
                   .Text("detail", config_file_ + ": " + std::string(fault)));
    return false;
  }

  void AwaitSignals() {
    for (;;) {
      int signal = 0;
      sigwait(&signals_, &signal);
      if (signal != SIGHUP) break;
      Reload();
    }
    Drain();
  }

  void Reload() {
    RuntimeResult loaded = LoadRuntime(config_file_, protocol_, runtime_.get());
    if (loaded.runtime != nullptr) CheckNewListeners(loaded);
    for (const std::string& fault : loaded.faults) {
      log_.Write(LogRecord("reload_refused", LogRecord::Level::kError)
                     .Text("detail", fault));
    }
    if (!loaded.faults.empty()) return;  // the old one stays
    SayWhatNeedsRestart(loaded.runtime->config);
    runtime_ = std::move(loaded.runtime);
    for (const auto& worker : workers_) worker->PostReload(runtime_);
    WatchLocalMaps();
    FollowLiveMaps();
    log_.Write(LogRecord("reloaded").Text("config", config_file_));
  }

  void WatchLocalMaps() {
    local_map_watch_.reset();
    if (runtime_->local_maps.empty()) return;
    std::vector<std::shared_ptr<LocalMapFile>> files;
    for (const auto& [name, file] : runtime_->local_maps) files.push_back(file);
    local_map_watch_ = std::make_unique<LocalMapWatch>(std::move(files), log_);
  }

  void FollowLiveMaps() {
    live_map_threads_.Use(*runtime_);
    if (admin_ != nullptr) admin_->set_live_maps(runtime_->live_maps);
  }

  void CheckNewListeners(RuntimeResult& loaded) const {
    const std::vector<ListenerConfig>& old = runtime_->config.listeners;
    const Config& config = loaded.runtime->config;
    for (size_t i = 0; i < config.listeners.size(); ++i) {
      const ListenerConfig& listener = config.listeners[i];
      const bool present =
          std::any_of(old.begin(), old.end(), [&](const ListenerConfig& other) {
            return other.address == listener.address;
          });
      if (present) continue;
      const absl::Status free = CheckFree(listener.address, config);
      if (free.ok()) continue;
      loaded.faults.push_back(config_file_ + ": " +
                              std::string(AtListener(i, free).message()));
    }
  }

  void SayWhatNeedsRestart(const Config& next) {
    const Config& now = runtime_->config;
    const auto say = [this](std::string_view key) {
      log_.Write(LogRecord("restart_needed", LogRecord::Level::kWarning)
                     .Text("key", key));
    };
    if (next.workers != now.workers) say("/workers");
    if (next.admin != now.admin) say("/admin");
    if (next.log_info != now.log_info) say("/log");
  }

  void Drain() {
    log_.Write(LogRecord("draining").Text("service", protocol_.name()));
    if (admin_ != nullptr) admin_->set_draining();
    for (const auto& worker : workers_) worker->PostDrain();
    if (!AwaitDone(runtime_->config.drain_timeout)) {
      for (const auto& worker : workers_) worker->PostEndAll();
      AwaitDone(kLastWordsTimeout);
    }
    for (const auto& worker : workers_) worker->PostStop();
  }

  // True when all workers are done; a second SIGTERM ends the waiting too.
  bool AwaitDone(absl::Duration timeout) {
    constexpr absl::Duration kLook = absl::Milliseconds(50);
    const absl::Time deadline = absl::Now() + timeout;
    const timespec look = absl::ToTimespec(kLook);
    while (absl::Now() < deadline) {
      const bool done =
          std::all_of(workers_.begin(), workers_.end(),
                      [](const auto& worker) { return worker->done(); });
      if (done) return true;
      const int signal = sigtimedwait(&signals_, nullptr, &look);
      if (signal == SIGTERM || signal == SIGINT) hurried_ = true;
      if (hurried_) return false;
    }
    return false;
  }

  const sigset_t signals_ = ServerSignals();
  const Protocol& protocol_;
  const NewSessionFactory new_sessions_;
  const std::string config_file_;
  std::shared_ptr<const Runtime> runtime_;
  DescriptorLog log_;
  const std::shared_ptr<AddressLimit> limit_ = std::make_shared<AddressLimit>();
  AcceptPauses accept_pauses_{log_, protocol_.name()};
  std::vector<std::unique_ptr<Worker>> workers_;
  // On a thread of its own: it answers until the last worker has drained.
  const std::unique_ptr<UvNetwork> admin_network_ = UvNetwork::Create();
  std::unique_ptr<Admin> admin_;
  std::unique_ptr<LocalMapWatch> local_map_watch_;
  LiveMapThreads live_map_threads_{log_};
  std::vector<std::thread> threads_;
  bool hurried_ = false;
};

}  // namespace

void HoldServerSignals() {
  const sigset_t signals = ServerSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

int Serve(const Service& service, const std::string& config_file,
          std::shared_ptr<const Runtime> runtime) {
  return Server(service, config_file, std::move(runtime)).Run();
}

}  // namespace gatehouse
