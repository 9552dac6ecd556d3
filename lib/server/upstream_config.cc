#include "lib/server/upstream_config.h"

#include <optional>

namespace gatehouse {
namespace {

using ForwardClient = UpstreamSettings::ForwardClient;

// `text` stands at `key`.
std::optional<HostPattern> ReadHost(JsonReader& reader, std::string_view key,
                                    const std::string& text) {
  auto host = HostPattern::Parse(text);
  if (!host) {
    reader.Fault(key, "\"" + text + "\" is not a name, \".domain\" or block");
  }
  return host;
}

ForwardClient ReadForwardClient(JsonReader& reader,
                                std::string_view in_protocol,
                                ForwardClient otherwise) {
  return reader.Choice("forwardClient", otherwise,
                       {{"none", ForwardClient::kNone},
                        {in_protocol, ForwardClient::kProtocol},
                        {"proxyV2", ForwardClient::kProxyV2}});
}

}  // namespace

TlsMode ReadTlsMode(JsonReader& reader) {
  return reader.Choice("tls", TlsMode::kNone,
                       {{"none", TlsMode::kNone},
                        {"startTls", TlsMode::kStartTls},
                        {"implicit", TlsMode::kImplicit}});
}

UpstreamConfig ReadConnection(JsonReader& reader, const ConfigFiles& files,
                              uint16_t port, uint16_t implicit_tls_port) {
  UpstreamConfig config;
  config.tls = ReadTlsMode(reader);
  config.port = reader.Port(
      "port", config.tls == TlsMode::kImplicit ? implicit_tls_port : port);
  config.ca_file = files.File(reader, "caFile");
  config.verify = reader.Bool("verify", true);
  config.connect_timeout = reader.Duration("connectTimeout", absl::Seconds(5),
                                           absl::Milliseconds(10));
  config.login_timeout = reader.Duration("loginTimeout", absl::Seconds(30),
                                         absl::Milliseconds(10));
  for (const std::string& text : reader.Strings("sourceAddresses")) {
    const auto address = SocketAddress::Parse(text, 0);
    if (address) {
      config.source_addresses.push_back(*address);
    } else {
      reader.Fault("sourceAddresses",
                   "\"" + text + "\" is not an IPv4 or IPv6 address");
    }
  }
  return config;
}

void ReadUpstreamRules(JsonReader& reader, std::string_view in_protocol,
                       UpstreamConfig& config) {
  for (const std::string& text : reader.Strings("allowedHosts")) {
    const auto host = ReadHost(reader, "allowedHosts", text);
    if (host) config.allowed_hosts.push_back(*host);
  }
  config.allowed_ports = reader.Ports("allowedPorts");
  config.forward_client =
      ReadForwardClient(reader, in_protocol, ForwardClient::kNone);
  for (JsonReader& entry : reader.Objects("hosts")) {
    const auto host = ReadHost(entry, "host", entry.String("host"));
    const ForwardClient forward_client =
        ReadForwardClient(entry, in_protocol, config.forward_client);
    if (!entry.Has("forwardClient")) entry.Fault("forwardClient", "missing");
    if (host) config.hosts.push_back({*host, forward_client});
    entry.Finish();
  }
}

void ReadUpstreamLogin(JsonReader& reader, const ConfigFiles& files,
                       const Protocol& protocol, bool authenticate_on_proxy,
                       UpstreamConfig& config) {
  JsonReader login = reader.Object("login");
  using Login = UpstreamSettings::Login;
  config.login = login.Choice("method", Login::kReplay,
                              {{"replay", Login::kReplay},
                               {"masterUser", Login::kMasterUser},
                               {"xclient", Login::kXclient}});
  if (config.login == Login::kXclient && !protocol.logs_in_by_name()) {
    login.Fault("method", "\"xclient\" is for smtp only");
  }
  if (config.login != Login::kReplay && !authenticate_on_proxy) {
    login.Fault("method",
                "needs authenticateOnProxy: the upstream never hears the "
                "user's password");
  }
  const std::string user = login.String("user");
  const std::string password = files.Secret(login, "passwordFile");
  if (config.login == Login::kMasterUser) {
    if (user.empty()) login.Fault("user", "missing (the master user's name)");
    if (password.empty() && !login.Has("passwordFile")) {
      login.Fault("passwordFile", "missing");
    }
    config.master_user = user;
    config.master_password = password;
  }
  login.Finish();
}

}  // namespace gatehouse
