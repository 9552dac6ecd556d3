#include "lib/server/runtime.h"

#include <utility>

#include "lib/base/check.h"
#include "lib/protocol/smtp/smtp_protocol.h"
#include "lib/server/directory_stack.h"
#include "lib/session/upstreams_met.h"

namespace gatehouse {
namespace {

// The status begins with the key below `where` that is at fault.
template <typename Context>
std::shared_ptr<const Context> Share(
    absl::StatusOr<std::unique_ptr<Context>> context, std::string_view where,
    RuntimeResult& result) {
  if (context.ok()) return std::move(*context);
  result.faults.push_back(std::string(where) + "/" +
                          std::string(context.status().message()));
  return nullptr;
}

std::shared_ptr<const TlsClientContext> ClientTls(const UpstreamConfig& config,
                                                  const std::string& where,
                                                  RuntimeResult& result) {
  TlsClientContext::Options options;
  options.ca_file = config.ca_file;
  options.verify = config.verify;
  return Share(TlsClientContext::Create(options), where, result);
}

// libldap would say only that it can't connect, and only then.
void CheckLdapAuthorities(const Config& config, const std::string& file,
                          RuntimeResult& result) {
  for (size_t i = 0; i < config.ldap_connectors.size(); ++i) {
    TlsClientContext::Options options;
    options.ca_file = config.ldap_connectors[i]->options.ca_file;
    if (options.ca_file.empty()) continue;
    Share(TlsClientContext::Create(options),
          file + ": /ldapConnectors/" + std::to_string(i), result);
  }
}

void LoadTls(Runtime& runtime, const std::string& file, RuntimeResult& result) {
  const Config& config = runtime.config;
  if (!config.tls.certificates.empty()) {
    runtime.server_tls =
        Share(TlsServerContext::Create(config.tls), file + ": /tls", result);
  }
  runtime.client_tls = ClientTls(config.upstream, file + ": /upstream", result);
  if (!config.smtp) return;
  const SmtpConfig& smtp = *config.smtp;
  runtime.home_tls =
      ClientTls(smtp.home, file + ": /submission/upstream", result);
  if (smtp.relay_host) {
    runtime.relay_tls =
        ClientTls(smtp.relay_host->upstream, file + ": /relayHost", result);
  }
  if (smtp.fallback_relay) {
    runtime.fallback_tls = ClientTls(smtp.fallback_relay->upstream,
                                     file + ": /fallbackRelay", result);
  }
}

std::shared_ptr<LocalMapFile> FindLocalMap(const Runtime& runtime,
                                           const UserMapConfig& map) {
  const auto found = runtime.local_maps.find(map.name);
  return found == runtime.local_maps.end() ||
                 found->second->file != map.local_file
             ? nullptr
             : found->second;
}

// A map that was there before stays the same object, so that whoever serves
// with it hears of moves.
void LoadLocalMaps(Runtime& runtime, const Runtime* previous,
                   RuntimeResult& result) {
  for (const UserMapConfig& map : runtime.config.user_maps) {
    if (map.type != UserMapConfig::Type::kLocalFile) continue;
    LocalMapResult read = ReadLocalMap(map.local_file, runtime.config.service);
    result.faults.insert(result.faults.end(), read.faults.begin(),
                         read.faults.end());
    std::shared_ptr<LocalMapFile>& file = runtime.local_maps[map.name];
    if (previous != nullptr) file = FindLocalMap(*previous, map);
    if (file == nullptr) {
      file = std::make_shared<LocalMapFile>();
      file->file = map.local_file;
      file->service = runtime.config.service;
    }
    file->version = read.version;
    if (read.map != nullptr) file->map.Store(std::move(read.map));
  }
}

std::shared_ptr<LiveMap> MakeLiveMap(
    const std::shared_ptr<const LdapConnectorConfig>& connector) {
  auto made = LiveMap::Create(
      std::shared_ptr<const LdapOptions>(connector, &connector->options),
      {connector->cache.ttl, connector->cache.stale_ttl});
  GATEHOUSE_CHECK(made.ok(), "the options were checked when read");
  return *std::move(made);
}

// What remembers a connector's directory stays while the connector does.
void SetCaches(Runtime& runtime, const Runtime* previous) {
  for (const auto& connector : runtime.config.ldap_connectors) {
    const std::string& name = connector->name;
    const LdapConnectorConfig* before =
        previous == nullptr ? nullptr : previous->config.FindConnector(name);
    const bool same =
        before != nullptr && before->fingerprint == connector->fingerprint;
    runtime.caches[name] =
        same ? previous->caches.at(name)
             : std::make_shared<DirectoryCache>(connector->cache);
    if (!connector->options.follow) continue;
    runtime.live_maps[name] =
        same ? previous->live_maps.at(name) : MakeLiveMap(connector);
  }
}

// What is configured, or else what is learned, by whom `previous` has too.
UpstreamKnowledge MakeKnowledge(const Config& config,
                                const std::vector<std::string>& fixed,
                                const UpstreamKnowledge* previous) {
  if (!fixed.empty()) {
    return {std::make_shared<LearnedCapabilities>(
                std::make_shared<const std::vector<std::string>>(fixed)),
            nullptr};
  }
  if (config.capability_interval == absl::ZeroDuration()) {
    return {std::make_shared<LearnedCapabilities>(), nullptr};
  }
  if (previous != nullptr && previous->met != nullptr) return *previous;
  return {std::make_shared<LearnedCapabilities>(),
          std::make_shared<UpstreamsMet>()};
}

void SetKnowledge(Runtime& runtime, const Runtime* previous) {
  const Config& config = runtime.config;
  runtime.knowledge =
      MakeKnowledge(config, config.capabilities,
                    previous == nullptr ? nullptr : &previous->knowledge);
  if (!config.smtp) return;
  runtime.home_knowledge =
      MakeKnowledge(config, config.smtp->home_capabilities,
                    previous == nullptr ? nullptr : &previous->home_knowledge);
  // A list that is configured is announced as it stands.
  if (!config.capabilities.empty()) return;
  runtime.relay_knowledge = MakeKnowledge(
      config, {}, previous == nullptr ? nullptr : &previous->relay_knowledge);
  runtime.fallback_knowledge = MakeKnowledge(
      config, {},
      previous == nullptr ? nullptr : &previous->fallback_knowledge);
}

// All but where they lead to, and what is known of that.
std::shared_ptr<SessionSettings> NewSettings(
    const Runtime& runtime, std::shared_ptr<Directory> directory) {
  const Config& config = runtime.config;
  auto settings = std::make_shared<SessionSettings>();
  settings->protocol = runtime.protocol;
  settings->host_name = config.host_name;
  settings->tls_context = runtime.server_tls;
  settings->plaintext_login = config.allow_plaintext_login;
  settings->names = config.names;
  settings->masters = config.masters;
  settings->directory = std::move(directory);
  settings->authenticate_on_proxy = config.authenticate_on_proxy;
  settings->default_upstream = config.mapping_host;
  settings->move_hold = config.move_hold;
  settings->token_mechanisms = config.token_mechanisms;
  settings->external_mechanism = config.external_mechanism;
  settings->limits = config.limits;
  settings->login_timeout = config.login_timeout;
  settings->failure_delay = config.failure_delay;
  settings->failed_logins_per_address = config.failed_logins_per_address;
  settings->failed_logins = runtime.failed_logins;
  settings->joined.idle_limit = config.idle_timeout;
  return settings;
}

void SetKnowledge(const UpstreamKnowledge& knowledge,
                  SessionSettings& settings) {
  settings.capabilities =
      std::make_shared<CapabilitiesView>(knowledge.capabilities);
  settings.upstreams_met = knowledge.met;
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
  CheckLdapAuthorities(runtime->config, file, result);
  LoadLocalMaps(*runtime, previous, result);
  SetCaches(*runtime, previous);
  SetKnowledge(*runtime, previous);
  runtime->ldap_outages = previous != nullptr ? previous->ldap_outages
                                              : std::make_shared<LdapOutages>();
  runtime->failed_logins = previous != nullptr
                               ? previous->failed_logins
                               : std::make_shared<FailedLogins>();
  if (result.faults.empty()) result.runtime = std::move(runtime);
  return result;
}

UpstreamSettings MakeUpstreamSettings(
    const UpstreamConfig& config, std::shared_ptr<const TlsClientContext> tls,
    const std::vector<SocketAddress>& own_listeners) {
  UpstreamSettings upstream;
  upstream.port = config.port;
  upstream.tls = config.tls;
  upstream.tls_context = std::move(tls);
  upstream.connect_timeout = config.connect_timeout;
  upstream.login_timeout = config.login_timeout;
  upstream.rules.hosts = config.allowed_hosts;
  upstream.rules.ports = config.allowed_ports;
  upstream.rules.own_listeners = own_listeners;
  upstream.source_addresses = config.source_addresses;
  upstream.forward_client = config.forward_client;
  upstream.hosts = config.hosts;
  upstream.login = config.login;
  upstream.master_user = config.master_user;
  upstream.master_password = Secret(config.master_password);
  return upstream;
}

std::shared_ptr<const SessionSettings> MakeSessionSettings(
    const Runtime& runtime, Network& network, LogSink& log,
    const std::vector<SocketAddress>& own_listeners) {
  auto settings = NewSettings(runtime, MakeDirectory(runtime, network, log));
  const Config& config = runtime.config;
  if (config.smtp && config.smtp->mail.lmtp) {
    settings->protocol = &LmtpProtocol();
  }
  settings->upstream =
      MakeUpstreamSettings(config.upstream, runtime.client_tls, own_listeners);
  SetKnowledge(runtime.knowledge, *settings);
  return settings;
}

std::shared_ptr<const SessionSettings> MakeHomeSettings(
    const Runtime& runtime, const SessionSettings& stores,
    const std::vector<SocketAddress>& own_listeners) {
  auto settings = NewSettings(runtime, stores.directory);
  const UpstreamConfig& home = runtime.config.smtp->home;
  // The mapping's port is the one that mail is delivered to.
  if (settings->default_upstream) settings->default_upstream->port = home.port;
  settings->upstream =
      MakeUpstreamSettings(home, runtime.home_tls, own_listeners);
  SetKnowledge(runtime.home_knowledge, *settings);
  return settings;
}

}  // namespace gatehouse
