#include "lib/server/runtime.h"

#include <utility>

#include "lib/server/directory_stack.h"
#include "lib/session/upstreams_met.h"

namespace gatehouse {
namespace {

template <typename Context>
std::shared_ptr<const Context> Share(
    absl::StatusOr<std::unique_ptr<Context>> context, std::string_view where,
    RuntimeResult& result) {
  if (context.ok()) return std::move(*context);
  result.faults.push_back(std::string(where) + ": " +
                          std::string(context.status().message()));
  return nullptr;
}

void LoadTls(Runtime& runtime, const std::string& file, RuntimeResult& result) {
  const Config& config = runtime.config;
  if (!config.tls.certificates.empty()) {
    runtime.server_tls =
        Share(TlsServerContext::Create(config.tls), file + ": /tls", result);
  }
  TlsClientContext::Options options;
  options.ca_file = config.upstream.ca_file;
  options.verify = config.upstream.verify;
  runtime.client_tls =
      Share(TlsClientContext::Create(options), file + ": /upstream", result);
}

void LoadLocalMaps(Runtime& runtime, RuntimeResult& result) {
  for (const UserMapConfig& map : runtime.config.user_maps) {
    if (map.type != UserMapConfig::Type::kLocalFile) continue;
    LocalMapResult read = ReadLocalMap(map.local_file);
    result.faults.insert(result.faults.end(), read.faults.begin(),
                         read.faults.end());
    auto file = std::make_shared<LocalMapFile>();
    file->file = map.local_file;
    file->version = read.version;
    file->map.store(std::move(read.map));
    runtime.local_maps[map.name] = std::move(file);
  }
}

void SetCaches(Runtime& runtime, const Runtime* previous) {
  for (const auto& connector : runtime.config.ldap_connectors) {
    std::shared_ptr<DirectoryCache>& cache = runtime.caches[connector->name];
    const LdapConnectorConfig* before =
        previous == nullptr ? nullptr
                            : previous->config.FindConnector(connector->name);
    cache = before != nullptr && before->fingerprint == connector->fingerprint
                ? previous->caches.at(connector->name)
                : std::make_shared<DirectoryCache>(connector->cache);
  }
}

void SetUpstream(const Runtime& runtime,
                 const std::vector<SocketAddress>& own_listeners,
                 UpstreamSettings& upstream) {
  const UpstreamConfig& config = runtime.config.upstream;
  upstream.port = config.port;
  upstream.tls = config.tls;
  upstream.tls_context = runtime.client_tls;
  upstream.connect_timeout = config.connect_timeout;
  upstream.login_timeout = config.login_timeout;
  upstream.rules.names = config.allowed_names;
  upstream.rules.blocks = config.allowed_blocks;
  upstream.rules.ports = config.allowed_ports;
  upstream.rules.own_listeners = own_listeners;
  upstream.source_addresses = config.source_addresses;
  upstream.forward_client = config.forward_client;
  upstream.login = config.login;
  upstream.master_user = config.master_user;
  upstream.master_password = Secret(config.master_password);
}

void SetCapabilities(Runtime& runtime, const Runtime* previous) {
  const std::vector<std::string>& fixed = runtime.config.capabilities;
  if (!fixed.empty()) {
    runtime.capabilities = std::make_shared<LearnedCapabilities>(
        std::make_shared<const std::vector<std::string>>(fixed));
  } else if (previous != nullptr && previous->upstreams_met != nullptr) {
    runtime.capabilities = previous->capabilities;
    runtime.upstreams_met = previous->upstreams_met;
  } else {
    runtime.capabilities = std::make_shared<LearnedCapabilities>();
    runtime.upstreams_met = std::make_shared<UpstreamsMet>();
  }
}

}  // namespace

RuntimeResult LoadRuntime(const std::string& file, const Protocol& protocol,
                          const Runtime* previous) {
  ConfigResult read = ReadConfig(file, protocol);
  RuntimeResult result;
  result.faults = std::move(read.faults);
  result.warnings = std::move(read.warnings);
  if (!read.config) return result;
  auto runtime = std::make_shared<Runtime>();
  runtime->protocol = &protocol;
  runtime->config = std::move(*read.config);
  LoadTls(*runtime, file, result);
  LoadLocalMaps(*runtime, result);
  SetCaches(*runtime, previous);
  SetCapabilities(*runtime, previous);
  if (result.faults.empty()) result.runtime = std::move(runtime);
  return result;
}

std::shared_ptr<const SessionSettings> MakeSessionSettings(
    const Runtime& runtime, Network& network, LogSink& log,
    const std::vector<SocketAddress>& own_listeners) {
  const Config& config = runtime.config;
  auto settings = std::make_shared<SessionSettings>();
  settings->protocol = runtime.protocol;
  settings->host_name = config.host_name;
  settings->tls_context = runtime.server_tls;
  settings->plaintext_login = config.allow_plaintext_login;
  settings->names = config.names;
  settings->masters = config.masters;
  settings->directory = MakeDirectory(runtime, network, log);
  settings->authenticate_on_proxy = config.authenticate_on_proxy;
  settings->default_upstream = config.mapping_host;
  settings->move_hold = config.move_hold;
  SetUpstream(runtime, own_listeners, settings->upstream);
  settings->token_mechanisms = config.token_mechanisms;
  settings->external_mechanism = config.external_mechanism;
  settings->limits = config.limits;
  settings->login_timeout = config.login_timeout;
  settings->failure_delay = config.failure_delay;
  settings->idle_timeout = config.idle_timeout;
  settings->capabilities = runtime.capabilities;
  settings->upstreams_met = runtime.upstreams_met;
  return settings;
}

}  // namespace gatehouse
