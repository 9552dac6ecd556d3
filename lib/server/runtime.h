#ifndef GATEHOUSE_LIB_SERVER_RUNTIME_H_
#define GATEHOUSE_LIB_SERVER_RUNTIME_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "lib/base/log.h"
#include "lib/directory/directory_cache.h"
#include "lib/directory/live_map.h"
#include "lib/net/network.h"
#include "lib/net/tls_context.h"
#include "lib/server/config.h"
#include "lib/server/ldap_outages.h"
#include "lib/server/local_map_file.h"
#include "lib/session/session_settings.h"

namespace gatehouse {

// What one kind of upstream offers, and which of them have been met.
struct UpstreamKnowledge {
  std::shared_ptr<LearnedCapabilities> capabilities;
  std::shared_ptr<UpstreamsMet> met;  // null: nobody is asked
};

// A configuration brought to life: every file that it names has been read. All
// workers share one; a reload makes another. Immutable.
struct Runtime {
  const Protocol* protocol = nullptr;
  Config config;
  std::shared_ptr<const TlsServerContext> server_tls;  // null: no certificates
  std::shared_ptr<const TlsClientContext> client_tls;
  // smtp only: of users' own hosts, /relayHost and /fallbackRelay.
  std::shared_ptr<const TlsClientContext> home_tls;
  std::shared_ptr<const TlsClientContext> relay_tls;
  std::shared_ptr<const TlsClientContext> fallback_tls;
  // By name. What is in them follows their files (LocalMapWatch).
  std::map<std::string, std::shared_ptr<LocalMapFile>> local_maps;
  // By the connector's name. What they remember changes, from all threads.
  std::map<std::string, std::shared_ptr<DirectoryCache>> caches;
  LiveMaps live_maps;  // of connectors with "follow"; kept by LiveMapThreads
  std::shared_ptr<LdapOutages> ldap_outages;
  std::shared_ptr<FailedLogins> failed_logins;
  UpstreamKnowledge knowledge;
  // smtp only: of users' own hosts, /relayHost and /fallbackRelay.
  UpstreamKnowledge home_knowledge;
  UpstreamKnowledge relay_knowledge;
  UpstreamKnowledge fallback_knowledge;
};

struct RuntimeResult {
  std::shared_ptr<const Runtime> runtime;  // null where there are faults
  std::vector<std::string> faults;         // ready to be printed
  std::vector<std::string> warnings;
};

// Reads `file` and everything it names; all faults are collected. What
// `previous` has learned of clients, of the upstreams, of lost LDAP replicas,
// and of LDAP connectors that stay as they are, is taken over.
RuntimeResult LoadRuntime(const std::string& file, const Protocol& protocol,
                          const Runtime* previous = nullptr);

// What the sessions of one worker share: the directories are that worker's own.
std::shared_ptr<const SessionSettings> MakeSessionSettings(
    const Runtime& runtime, Network& network, LogSink& log,
    const std::vector<SocketAddress>& own_listeners);

// The same for users who are joined to their own hosts to submit mail; the
// directory is that of `stores`. Of smtp only.
std::shared_ptr<const SessionSettings> MakeHomeSettings(
    const Runtime& runtime, const SessionSettings& stores,
    const std::vector<SocketAddress>& own_listeners);

UpstreamSettings MakeUpstreamSettings(
    const UpstreamConfig& config, std::shared_ptr<const TlsClientContext> tls,
    const std::vector<SocketAddress>& own_listeners);

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_SERVER_RUNTIME_H_
