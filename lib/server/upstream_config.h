#ifndef GATEHOUSE_LIB_SERVER_UPSTREAM_CONFIG_H_
#define GATEHOUSE_LIB_SERVER_UPSTREAM_CONFIG_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "lib/base/endpoint.h"
#include "lib/protocol/machine.h"
#include "lib/server/config_files.h"
#include "lib/server/json_reader.h"
#include "lib/session/session_settings.h"

namespace gatehouse {

// How one kind of server behind us is reached: /upstream, and for SMTP also
// /submission/upstream, /relayHost and /fallbackRelay.
struct UpstreamConfig {
  uint16_t port = 0;
  TlsMode tls = TlsMode::kNone;
  std::string ca_file;
  bool verify = true;
  absl::Duration connect_timeout;
  absl::Duration login_timeout;
  std::vector<HostPattern> allowed_hosts;
  std::vector<uint16_t> allowed_ports;
  UpstreamSettings::Login login = UpstreamSettings::Login::kReplay;
  std::string master_user;
  std::string master_password;
  UpstreamSettings::ForwardClient forward_client =
      UpstreamSettings::ForwardClient::kNone;
  std::vector<UpstreamSettings::HostException> hosts;
  std::vector<SocketAddress> source_addresses;
};

TlsMode ReadTlsMode(JsonReader& reader);

// The readers below leave the object to be finished by their caller, who may
// have keys of its own in it.

// The keys of a connection: port, TLS, times, addresses of ours.
UpstreamConfig ReadConnection(JsonReader& reader, const ConfigFiles& files,
                              uint16_t port, uint16_t implicit_tls_port);

// Where a directory may send us, and what the upstream hears of the client;
// `in_protocol` is the word for ForwardClient::kProtocol.
void ReadUpstreamRules(JsonReader& reader, std::string_view in_protocol,
                       UpstreamConfig& config);

// How users are logged in.
void ReadUpstreamLogin(JsonReader& reader, const ConfigFiles& files,
                       const Protocol& protocol, bool authenticate_on_proxy,
                       UpstreamConfig& config);

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_SERVER_UPSTREAM_CONFIG_H_
