#include "lib/server/config.h"

#include <unistd.h>

#include <algorithm>
#include <functional>
#include <utility>

#include "lib/protocol/smtp/smtp_protocol.h"
#include "lib/server/config_files.h"
#include "lib/server/json_file.h"
#include "lib/server/json_reader.h"
#include "lib/server/ldap_config.h"

namespace gatehouse {
namespace {

std::string HostName() {
  char name[256] = "";
  gethostname(name, sizeof(name) - 1);
  return name;
}

// Reads one configuration; a function per object of the file.
class ConfigReader {
 public:
  ConfigReader(ConfigFiles files, const Protocol& protocol)
      : files_(std::move(files)), protocol_(protocol) {}

  Config Read(JsonReader root) {
    config_.service = root.String("service", protocol_.name());
    if (config_.service != protocol_.name()) {
      root.Fault("service", "\"" + config_.service +
                                "\" isn't what this executable serves (\"" +
                                std::string(protocol_.name()) + "\")");
    }
    ReadHostName(root);
    config_.workers =
        static_cast<int>(root.Integer("workers", 0, 0, kMostWorkers));
    config_.allow_plaintext_login =
        root.Choice("allowPlaintextLogin", PlaintextLogin::kLoopback,
                    {{"never", PlaintextLogin::kNever},
                     {"loopback", PlaintextLogin::kLoopback},
                     {"always", PlaintextLogin::kAlways}});
    ReadTls(root);
    ReadListeners(root);
    ReadConnectors(root);
    ReadUserMaps(root);
    ReadAuthentication(root);
    ReadUpstreams(root);
    ReadMapping(root);
    WarnOfOpenPassword(root);
    ReadLimits(root.Object("limits"));
    ReadTimes(root);
    ReadMechanisms(root);
    ReadAdmin(root);
    config_.share_ports = root.Bool("sharePorts", false);
    JsonReader log = root.Object("log");
    config_.log_info =
        log.Choice("level", true, {{"info", true}, {"warning", false}});
    log.Finish();
    root.Finish();
    return std::move(config_);
  }

 private:
  void ReadHostName(JsonReader& root) {
    config_.host_name = root.String("hostName", HostName());
    if (!root.Has("hostName")) return;
    const auto host = Endpoint::Parse(config_.host_name);
    if (!host || host->port != 0) {
      root.Fault("hostName",
                 "\"" + config_.host_name + "\" is not a host name or address");
    }
  }

  static constexpr int64_t kMostWorkers = 1024;
  static constexpr int64_t kMostCount = 1'000'000'000;

  SocketAddress Address(JsonReader& reader, std::string_view key,
                        uint16_t port) {
    const std::string text = reader.String(key);
    const auto address = SocketAddress::Parse(text, port);
    if (!address) {
      reader.Fault(key, "\"" + text + "\" is not an IPv4 or IPv6 address");
    }
    return address.value_or(SocketAddress());
  }

  std::vector<Cidr> Blocks(JsonReader& reader, std::string_view key) {
    std::vector<Cidr> blocks;
    for (const std::string& text : reader.Strings(key)) {
      const auto block = Cidr::Parse(text);
      if (block) {
        blocks.push_back(*block);
      } else {
        reader.Fault(key, "\"" + text + "\" is not an address block (" +
                              "\"10.0.0.0/8\")");
      }
    }
    return blocks;
  }

  void ReadTls(JsonReader& root) {
    JsonReader tls = root.Object("tls");
    for (JsonReader& entry : tls.Objects("certificates")) {
      TlsServerContext::Certificate certificate;
      certificate.certificate_file = files_.File(entry, "certificate");
      certificate.private_key_file = files_.File(entry, "privateKey");
      if (certificate.certificate_file.empty()) {
        entry.Fault("certificate", "missing");
      }
      if (certificate.private_key_file.empty()) {
        entry.Fault("privateKey", "missing");
      }
      files_.WarnIfOthersCanRead(entry, "privateKey",
                                 certificate.private_key_file);
      config_.tls.certificates.push_back(std::move(certificate));
      entry.Finish();
    }
    config_.tls.client_ca_file = files_.File(tls, "clientCaFile");
    config_.tls.client_identity =
        tls.String("clientIdentity", config_.tls.client_identity);
    config_.tls.minimum_version = tls.Choice<std::string_view>(
        "minimumVersion", "TLSv1.2",
        {{"TLSv1.2", "TLSv1.2"}, {"TLSv1.3", "TLSv1.3"}});
    config_.tls.alpn = {std::string(protocol_.alpn())};
    tls.Finish();
  }

  void ReadListeners(JsonReader& root) {
    for (JsonReader& entry : root.Objects("listeners")) {
      ListenerConfig listener;
      listener.tls = ReadTlsMode(entry);
      const bool implicit = listener.tls == TlsMode::kImplicit;
      if (is_smtp()) listener.role = ReadMailRole(entry);
      // Port 0 asks the kernel for a free one: the log tells which. A reload
      // knows its listener again by the address, so that each has but one.
      const uint16_t plain_port = listener.role == MailRole::kSubmission
                                      ? kSubmissionPort
                                      : protocol_.port();
      const uint16_t port = static_cast<uint16_t>(entry.Integer(
          "port", implicit ? protocol_.implicit_tls_port() : plain_port, 0,
          65535));
      listener.address = Address(entry, "address", port);
      listener.proxy_protocol_from = Blocks(entry, "proxyProtocolFrom");
      if (listener.tls != TlsMode::kNone && config_.tls.certificates.empty()) {
        entry.Fault("tls", "needs a certificate in /tls/certificates");
      }
      const bool twice =
          listener.address.is_set() &&
          std::any_of(config_.listeners.begin(), config_.listeners.end(),
                      [&](const ListenerConfig& other) {
                        return other.address == listener.address;
                      });
      if (twice) {
        entry.Fault("port", listener.address.ToString() +
                                (port == 0 ? ", port 0," : "") +
                                " stands here twice");
      }
      config_.listeners.push_back(std::move(listener));
      entry.Finish();
    }
    if (config_.listeners.empty()) {
      root.Fault("listeners", "none (at least one is needed)");
    }
  }

  void ReadConnectors(JsonReader& root) {
    JsonReader names_object = root.Object("names");
    const std::string names_text = names_object.Text();
    ReadNames(std::move(names_object));
    for (JsonReader& entry : root.Objects("ldapConnectors")) {
      auto connector = std::make_shared<LdapConnectorConfig>();
      connector->name = Name(entry);
      if (config_.FindConnector(connector->name) != nullptr) {
        entry.Fault("name", "\"" + connector->name + "\" stands here twice");
      }
      connector->options.names = config_.names;
      connector->options.service = protocol_.name();
      ReadLdapConnector(entry, files_, connector->options, connector->cache);
      connector->fingerprint =
          std::hash<std::string>()(names_text + entry.Text());
      config_.ldap_connectors.push_back(std::move(connector));
    }
  }

  std::string Name(JsonReader& entry) {
    std::string name = entry.String("name");
    if (name.empty()) entry.Fault("name", "missing");
    return name;
  }

  void ReadUserMaps(JsonReader& root) {
    for (JsonReader& entry : root.Objects("userMaps")) {
      UserMapConfig map;
      map.name = Name(entry);
      map.type = entry.Choice("type", UserMapConfig::Type::kLocalFile,
                              {{"ldapBind", UserMapConfig::Type::kLdapBind},
                               {"localFile", UserMapConfig::Type::kLocalFile}});
      map.connector = entry.String("userdbConnectorName");
      map.local_file = files_.File(entry, "localFile");
      if (map.type == UserMapConfig::Type::kLdapBind) {
        RequireConnector(entry, "userdbConnectorName", map.connector);
      } else if (map.local_file.empty()) {
        entry.Fault("localFile", "missing");
      } else {
        files_.WarnIfOthersCanRead(entry, "localFile", map.local_file);
      }
      if (config_.FindUserMap(map.name) != nullptr) {
        entry.Fault("name", "\"" + map.name + "\" stands here twice");
      }
      config_.user_maps.push_back(std::move(map));
      entry.Finish();
    }
  }

  void RequireConnector(JsonReader& reader, std::string_view key,
                        const std::string& name) {
    if (config_.FindConnector(name) == nullptr) {
      reader.Fault(key, "\"" + name + "\" is not in /ldapConnectors");
    }
  }

  void ReadAuthentication(JsonReader& root) {
    config_.authenticate_on_proxy =
        root.Bool("authenticateOnProxy", HasLogins());
    config_.userdb_connector_type =
        root.Choice("userdbConnectorType", UserMapConfig::Type::kLocalFile,
                    {{"ldapBind", UserMapConfig::Type::kLdapBind},
                     {"localFile", UserMapConfig::Type::kLocalFile}});
    config_.userdb_connector_name = root.String("userdbConnectorName");
    if (!config_.authenticate_on_proxy) return;
    if (config_.userdb_connector_type == UserMapConfig::Type::kLdapBind) {
      return RequireConnector(root, "userdbConnectorName",
                              config_.userdb_connector_name);
    }
    // Against a local file: the connector is the map of that name, or the one
    // that locates.
    const std::string& name = config_.userdb_connector_name;
    if (name.empty()) return;
    const UserMapConfig* map = config_.FindUserMap(name);
    if (map == nullptr || map->type != UserMapConfig::Type::kLocalFile) {
      root.Fault("userdbConnectorName",
                 "\"" + name + "\" is not a localFile map in /userMaps");
    }
  }

  void ReadMapping(JsonReader& root) {
    JsonReader mapping = root.Object("mapping");
    config_.mapping_user_map = mapping.String("userMap");
    const std::string host = mapping.String("mappingHost");
    const uint16_t port = mapping.Port("mappingPort", config_.upstream.port);
    if (!host.empty()) {
      config_.mapping_host = Endpoint::Parse(host);
      if (!config_.mapping_host || config_.mapping_host->port != 0) {
        mapping.Fault("mappingHost",
                      "\"" + host + "\" is not a host name or address");
      } else {
        config_.mapping_host->port = port;
      }
    }
    const std::string& map = config_.mapping_user_map;
    if (!map.empty() && config_.FindUserMap(map) == nullptr) {
      mapping.Fault("userMap", "\"" + map + "\" is not in /userMaps");
    } else if (map.empty() && host.empty()) {
      mapping.Fault("userMap", "neither a map nor a mappingHost is given");
    }
    const bool local_check =
        config_.authenticate_on_proxy &&
        config_.userdb_connector_type == UserMapConfig::Type::kLocalFile &&
        config_.userdb_connector_name.empty();
    const UserMapConfig* locating = config_.FindUserMap(map);
    if (local_check && (locating == nullptr ||
                        locating->type != UserMapConfig::Type::kLocalFile)) {
      root.Fault("userdbConnectorName",
                 "missing: which localFile map or LDAP connector checks the "
                 "passwords?");
    }
    mapping.Finish();
  }

  // Of everybody but smtprouter.
  void ReadUpstream(JsonReader upstream) {
    UpstreamConfig& config = config_.upstream;
    config = ReadConnection(upstream, files_, protocol_.port(),
                            protocol_.implicit_tls_port());
    ReadUpstreamRules(upstream, "protocol", config);
    ReadUpstreamLogin(upstream, files_, protocol_,
                      config_.authenticate_on_proxy, config);
    upstream.Finish();
  }

  void ReadUpstreams(JsonReader& root) {
    if (!is_smtp()) return ReadUpstream(root.Object("upstream"));
    const SmtpRoles roles{HasRole(MailRole::kInbound),
                          HasRole(MailRole::kSubmission),
                          config_.authenticate_on_proxy};
    config_.smtp = ReadSmtp(root, files_, roles, config_.upstream);
  }

  bool is_smtp() const { return protocol_.name() == SmtpProtocol().name(); }

  bool HasRole(MailRole role) const {
    return std::any_of(
        config_.listeners.begin(), config_.listeners.end(),
        [&](const ListenerConfig& listener) { return listener.role == role; });
  }

  // Whether there is anybody who logs in.
  bool HasLogins() const {
    return !is_smtp() || HasRole(MailRole::kSubmission);
  }

  void ReadNames(JsonReader names) {
    LoginNameRules& rules = config_.names;
    rules.default_domain = names.String("defaultDomain");
    if (!rules.default_domain.empty() &&
        !ParseLoginName("@" + rules.default_domain, {}, NameUse::kAddress)) {
      names.Fault("defaultDomain",
                  "\"" + rules.default_domain + "\" is not a domain");
    }
    rules.lower_case_local = names.Bool("lowerCaseLocalPart", false);
    ReadMasters(names);
    names.Finish();
  }

  void ReadMasters(JsonReader& names) {
    MasterLogins& masters = config_.masters;
    masters.separator = names.Choice<std::string_view>(
        "masterSeparator", "",
        {{"", ""}, {"*", "*"}, {"%", "%"}, {"+", "+"}, {"|", "|"}, {"/", "/"}});
    for (const std::string& text : names.Strings("masterUsers")) {
      const auto master = ParseLoginName(text, config_.names);
      if (master) {
        masters.users.push_back(master->Whole());
      } else {
        names.Fault("masterUsers", "\"" + text + "\" is not a login name");
      }
    }
    if (masters.separator.empty() != masters.users.empty()) {
      names.Fault("masterUsers", "go with a masterSeparator, and only with it");
    }
  }

  // Whoever answers in a store's place would get a password that opens every
  // mailbox.
  void WarnOfOpenPassword(JsonReader& root) {
    const UpstreamConfig& joined = Joined();
    if (joined.login != UpstreamSettings::Login::kMasterUser) return;
    const bool is_open = joined.tls == TlsMode::kNone;
    if ((!is_open && joined.verify) || StaysHere(joined)) return;
    root.Warn(config_.smtp ? "submission/upstream/login" : "upstream/login",
              is_open ? "the master user's password is sent in the clear (tls "
                        "is none), and not to loopback alone (allowedHosts)"
                      : "the master user's password is sent to whoever "
                        "answers (verify is false), and not to loopback alone "
                        "(allowedHosts)");
  }

  bool StaysHere(const UpstreamConfig& upstream) const {
    const auto is_loopback = [](const HostPattern& host) {
      return host.IsLoopback();
    };
    if (!upstream.allowed_hosts.empty()) {
      return std::all_of(upstream.allowed_hosts.begin(),
                         upstream.allowed_hosts.end(), is_loopback);
    }
    if (!config_.mapping_user_map.empty() || !config_.mapping_host) {
      return false;
    }
    const auto host = HostPattern::Parse(config_.mapping_host->host);
    return host && host->IsLoopback();
  }

  // Whom users are joined to.
  const UpstreamConfig& Joined() const {
    return config_.smtp ? config_.smtp->home : config_.upstream;
  }

  void ReadLimits(JsonReader limits) {
    DownstreamLimits& config = config_.limits;
    config.line_bytes =
        static_cast<size_t>(limits.Integer("lineBytes", 8192, 1024, 1 << 20));
    config.literal_bytes =
        static_cast<size_t>(limits.Integer("literalBytes", 4096, 64, 1 << 20));
    config.held_bytes =
        static_cast<size_t>(limits.Integer("heldBytes", 65536, 4096, 16 << 20));
    config.commands =
        static_cast<int>(limits.Integer("commands", 100, 1, kMostCount));
    config.bad_commands =
        static_cast<int>(limits.Integer("badCommands", 10, 1, kMostCount));
    config.failed_logins =
        static_cast<int>(limits.Integer("failedLogins", 3, 1, kMostCount));
    config_.failed_logins_per_address = static_cast<int>(limits.Integer(
        "failedLoginsPerAddress", 0, 0, FailedLogins::kMostCounted));
    config_.connections_per_address = static_cast<int>(
        limits.Integer("connectionsPerAddress", 0, 0, kMostCount));
    config_.connections =
        static_cast<int>(limits.Integer("connections", 0, 0, kMostCount));
    config_.login_timeout = limits.Duration("loginTimeout", absl::Seconds(60),
                                            absl::Milliseconds(100));
    limits.Finish();
  }

  void ReadTimes(JsonReader& root) {
    const absl::Duration least_idle =
        absl::Seconds(protocol_.least_idle_seconds());
    config_.failure_delay = root.Duration("failureDelay", absl::Seconds(2));
    // A minute more than the RFC's least: a client may use all of that.
    config_.idle_timeout =
        root.Duration("idleTimeout", least_idle + absl::Minutes(1), least_idle);
    if (config_.smtp) config_.smtp->mail.timeouts.client = config_.idle_timeout;
    config_.drain_timeout = root.Duration("drainTimeout", absl::Seconds(30));
    config_.move_hold = root.Duration("moveHold", absl::Seconds(30));
    config_.capability_interval =
        root.Duration("capabilityInterval", absl::Minutes(5));
    if (config_.capability_interval > absl::ZeroDuration() &&
        config_.capability_interval < absl::Seconds(1)) {
      root.Fault("capabilityInterval", "neither 0s nor at least 1s");
    }
  }

  void ReadMechanisms(JsonReader& root) {
    config_.capabilities = root.Strings("capabilities");
    config_.token_mechanisms = root.Bool("oauth", false);
    config_.external_mechanism = root.Bool("external", false);
    if (config_.smtp &&
        config_.smtp->submission == SmtpConfig::SubmissionMode::kRoute) {
      constexpr char kNeedsHome[] = "needs /submission/mode \"home\"";
      if (config_.token_mechanisms) root.Fault("oauth", kNeedsHome);
      if (config_.external_mechanism) root.Fault("external", kNeedsHome);
      return;
    }
    if (!config_.external_mechanism) return;
    if (config_.tls.client_ca_file.empty()) {
      root.Fault("external", "needs /tls/clientCaFile");
    }
    if (Joined().login == UpstreamSettings::Login::kReplay) {
      root.Fault("external", config_.smtp
                                 ? "needs /submission/upstream/login with "
                                   "method masterUser or xclient"
                                 : "needs /upstream/login with method "
                                   "masterUser");
    }
  }

  void ReadAdmin(JsonReader& root) {
    if (!root.Has("admin")) return;
    JsonReader admin = root.Object("admin");
    const uint16_t port =
        static_cast<uint16_t>(admin.Integer("port", 0, 0, 65535));
    config_.admin = Address(admin, "address", port);
    admin.Finish();
  }

  const ConfigFiles files_;
  const Protocol& protocol_;
  Config config_;
};

}  // namespace

const UserMapConfig* Config::FindUserMap(std::string_view name) const {
  const auto found =
      std::find_if(user_maps.begin(), user_maps.end(),
                   [&](const UserMapConfig& map) { return map.name == name; });
  return found == user_maps.end() ? nullptr : &*found;
}

const LdapConnectorConfig* Config::FindConnector(std::string_view name) const {
  const auto found = std::find_if(
      ldap_connectors.begin(), ldap_connectors.end(),
      [&](const auto& connector) { return connector->name == name; });
  return found == ldap_connectors.end() ? nullptr : found->get();
}

ConfigResult ParseConfig(std::string_view text, const std::string& file,
                         const std::string& folder, const Protocol& protocol) {
  FaultList faults(file);
  const auto json = ParseJson(text, faults);
  if (!json) return {std::nullopt, faults.faults(), {}};
  Config config = ConfigReader(ConfigFiles(file, folder), protocol)
                      .Read(JsonReader(*json, "", faults));
  ConfigResult result;
  result.faults = faults.faults();
  result.warnings = faults.warnings();
  if (result.faults.empty()) result.config = std::move(config);
  return result;
}

ConfigResult ReadConfig(const std::string& file, const Protocol& protocol) {
  const auto text = ReadFile(file);
  if (!text) {
    return {std::nullopt, {file + ": no such file, or not readable"}, {}};
  }
  const size_t slash = file.rfind('/');
  const std::string folder = slash == std::string::npos
                                 ? ""
                                 : file.substr(0, std::max<size_t>(slash, 1));
  return ParseConfig(*text, file, folder, protocol);
}

}  // namespace gatehouse
