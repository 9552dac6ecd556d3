#ifndef GATEHOUSE_LIB_SERVER_CONFIG_H_
#define GATEHOUSE_LIB_SERVER_CONFIG_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "lib/base/endpoint.h"
#include "lib/directory/directory_cache.h"
#include "lib/directory/ldap_options.h"
#include "lib/directory/login_name.h"
#include "lib/net/tls_context.h"
#include "lib/protocol/machine.h"
#include "lib/server/smtp_config.h"
#include "lib/server/upstream_config.h"
#include "lib/session/login_identity.h"
#include "lib/session/session_settings.h"

namespace gatehouse {

// The configuration file, checked, in typed form: the interface that users
// meet. Each member stands for the key of the same name; testdata/config/ has a
// commented example per executable.

struct ListenerConfig {
  SocketAddress address;
  TlsMode tls = TlsMode::kNone;
  MailRole role = MailRole::kInbound;  // smtp only
  std::vector<Cidr> proxy_protocol_from;
};

struct LdapConnectorConfig {
  std::string name;
  LdapOptions options;
  DirectoryCacheOptions cache;
  // Of all that the file says of it: whether a reload changes anything.
  size_t fingerprint = 0;
};

struct UserMapConfig {
  enum class Type { kLdapBind, kLocalFile };
  std::string name;
  Type type = Type::kLocalFile;
  std::string connector;   // kLdapBind: a name in ldap_connectors
  std::string local_file;  // kLocalFile
};

struct Config {
  std::string service;
  std::string host_name;
  int workers = 0;  // 0: one per core
  bool share_ports = false;  // with other processes of the same user
  std::vector<ListenerConfig> listeners;
  TlsServerContext::Options tls;
  PlaintextLogin allow_plaintext_login = PlaintextLogin::kLoopback;
  std::vector<std::shared_ptr<const LdapConnectorConfig>> ldap_connectors;
  std::vector<UserMapConfig> user_maps;
  UserMapConfig::Type userdb_connector_type = UserMapConfig::Type::kLocalFile;
  std::string userdb_connector_name;
  LoginNameRules names;
  MasterLogins masters;
  bool authenticate_on_proxy = true;
  std::string mapping_user_map;
  std::optional<Endpoint> mapping_host;  // with mappingPort
  UpstreamConfig upstream;
  std::optional<SmtpConfig> smtp;  // where smtp is served
  DownstreamLimits limits;
  int connections_per_address = 0;
  int failed_logins_per_address = 0;
  int connections = 0;
  absl::Duration login_timeout;
  absl::Duration failure_delay;
  absl::Duration idle_timeout;
  absl::Duration drain_timeout;
  absl::Duration move_hold;
  absl::Duration capability_interval;  // 0: nobody is asked
  std::vector<std::string> capabilities;  // [] = learned
  bool token_mechanisms = false;
  bool external_mechanism = false;
  bool log_info = true;  // false: warnings and errors only
  std::optional<SocketAddress> admin;

  const UserMapConfig* FindUserMap(std::string_view name) const;
  const LdapConnectorConfig* FindConnector(std::string_view name) const;
};

struct ConfigResult {
  std::optional<Config> config;       // nothing where there are faults
  std::vector<std::string> faults;    // one line each, ready to be printed
  std::vector<std::string> warnings;  // likewise
};

// Reads `file` for the executable of `protocol`: all faults are found, not only
// the first. Files that the configuration names are looked at too (there, and
// readable); what is in them is read by whoever uses them.
ConfigResult ReadConfig(const std::string& file, const Protocol& protocol);

// The same from text, for tests; relative names are taken from `folder`.
ConfigResult ParseConfig(std::string_view text, const std::string& file,
                         const std::string& folder, const Protocol& protocol);

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_SERVER_CONFIG_H_
