#include "lib/server/live_map_threads.h"

#include <thread>
#include <utility>

#include "lib/directory/live_map_follower.h"
#include "lib/net/uv_network.h"

namespace gatehouse {

class LiveMapThreads::Thread {
 public:
  Thread(LogSink& log,
         const std::shared_ptr<const LdapConnectorConfig>& connector,
         const std::shared_ptr<LiveMap>& map)
      : follower_(std::make_unique<LiveMapFollower>(
            *network_, log, connector->name,
            std::shared_ptr<const LdapOptions>(connector, &connector->options),
            map)),
        thread_([this] { network_->Run(); }) {}
  ~Thread() {
    network_->Stop();
    thread_.join();
  }

 private:
  const std::unique_ptr<UvNetwork> network_ = UvNetwork::Create();
  const std::unique_ptr<LiveMapFollower> follower_;
  std::thread thread_;
};

LiveMapThreads::LiveMapThreads(LogSink& log) : log_(log) {}
LiveMapThreads::~LiveMapThreads() = default;

void LiveMapThreads::Use(const Runtime& runtime) {
  auto before = std::exchange(threads_, {});
  for (const auto& connector : runtime.config.ldap_connectors) {
    const auto map = runtime.live_maps.find(connector->name);
    if (map == runtime.live_maps.end()) continue;
    auto& thread = threads_[map->second];
    thread = std::move(before[map->second]);
    if (thread == nullptr) {
      thread = std::make_unique<Thread>(log_, connector, map->second);
    }
  }
}

}  // namespace gatehouse
