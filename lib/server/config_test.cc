#include "lib/server/config.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <string>
#include <vector>

#include "lib/server/local_map_file.h"
#include "lib/testing/toy_protocol.h"

namespace gatehouse {
namespace {

// The toy protocol under the name of a real one, for the example files.
class Named : public Protocol {
 public:
  explicit Named(std::string name) : name_(std::move(name)) {}
  std::string_view name() const override { return name_; }
  uint16_t port() const override { return 143; }
  uint16_t implicit_tls_port() const override { return 993; }
  int least_idle_seconds() const override { return 600; }
  std::unique_ptr<DownstreamMachine> NewDownstream(
      DownstreamOptions options) const override {
    return ToyProtocol().NewDownstream(std::move(options));
  }
  std::unique_ptr<UpstreamMachine> NewUpstream(
      UpstreamOptions options) const override {
    return ToyProtocol().NewUpstream(std::move(options));
  }

 private:
  const std::string name_;
};

const Named& Imap() {
  static const Named imap("imap");
  return imap;
}

constexpr char kFolder[] = "testdata/config";

TEST(ConfigTest, LoadsTheExampleOfEachExecutable) {
  const struct {
    const char* file;
    const char* service;
  } kExamples[] = {
      {"imapproxy.json", "imap"},
      {"imapproxy-local.json", "imap"},
      {"pop3proxy.json", "pop3"},
      {"sieveproxy.json", "sieve"},
  };
  for (const auto& example : kExamples) {
    const ConfigResult result = ReadConfig(
        std::string(kFolder) + "/" + example.file, Named(example.service));
    EXPECT_TRUE(result.config)
        << example.file << " " << testing::PrintToString(result.faults);
  }
}

TEST(ConfigTest, LoadsTheExampleMap) {
  const LocalMapResult result =
      ReadLocalMap(std::string(kFolder) + "/users.json", "imap");
  ASSERT_TRUE(result.map) << testing::PrintToString(result.faults);
  EXPECT_EQ(result.map->Find("ALICE@example.com")->location->host,
            (Endpoint{"127.0.0.1", 10143}));
  EXPECT_EQ(result.map->Find("bob@example.com")->user, "bob");
  EXPECT_TRUE(result.map->Find("somebody@example.org"));
}

// What the smallest configuration that works looks like; the cases of the
// tables below put something in the place of one of its parts.
std::string Small(const std::string& more = "",
                  const std::string& listeners =
                      R"([{"address": "127.0.0.1", "port": 1143}])",
                  const std::string& mapping = R"({"userMap": "m"})") {
  return R"({"listeners": )" + listeners +
         R"(, "userMaps": [{"name": "m", "type": "localFile",
              "localFile": "users.json"}],
             "mapping": )" +
         mapping + more + "}";
}

std::vector<std::string> FaultsOf(const std::string& text) {
  return ParseConfig(text, "c.json", kFolder, Imap()).faults;
}

// What the examples and the documentation promise of a key that is left out.
TEST(ConfigTest, FillsInTheDefaults) {
  const auto config = ParseConfig(Small("", R"([{"address": "127.0.0.1"}])"),
                                  "c.json", kFolder, Imap())
                          .config;
  ASSERT_TRUE(config);
  EXPECT_EQ(config->service, "imap");
  EXPECT_FALSE(config->host_name.empty());
  EXPECT_EQ(config->workers, 0);
  EXPECT_FALSE(config->share_ports);
  ASSERT_EQ(config->listeners.size(), 1u);
  const ListenerConfig& listener = config->listeners.front();
  EXPECT_EQ(listener.address.port(), 143);
  EXPECT_EQ(listener.tls, TlsMode::kNone);
  EXPECT_TRUE(listener.proxy_protocol_from.empty());
  EXPECT_TRUE(config->tls.certificates.empty());
  EXPECT_EQ(config->tls.client_ca_file, "");
  EXPECT_EQ(config->tls.client_identity, "rfc822Name");
  EXPECT_EQ(config->tls.minimum_version, "TLSv1.2");
  EXPECT_EQ(config->allow_plaintext_login, PlaintextLogin::kLoopback);
  EXPECT_EQ(config->userdb_connector_type, UserMapConfig::Type::kLocalFile);
  EXPECT_EQ(config->userdb_connector_name, "");
  EXPECT_TRUE(config->authenticate_on_proxy);
  EXPECT_FALSE(config->mapping_host);
  EXPECT_EQ(config->names.default_domain, "");
  EXPECT_FALSE(config->names.lower_case_local);
  EXPECT_EQ(config->masters.separator, "");
  EXPECT_EQ(config->failure_delay, absl::Seconds(2));
  EXPECT_EQ(config->idle_timeout, absl::Minutes(11));  // the protocol's and one
  EXPECT_EQ(config->drain_timeout, absl::Seconds(30));
  EXPECT_EQ(config->move_hold, absl::Seconds(30));
  EXPECT_EQ(config->capability_interval, absl::Minutes(5));
  EXPECT_TRUE(config->capabilities.empty());
  EXPECT_FALSE(config->token_mechanisms);
  EXPECT_FALSE(config->external_mechanism);
  EXPECT_TRUE(config->log_info);
  EXPECT_FALSE(config->admin);
}

TEST(ConfigTest, FillsInTheDefaultsOfAnUpstream) {
  const auto config = ParseConfig(Small(), "c.json", kFolder, Imap()).config;
  ASSERT_TRUE(config);
  const UpstreamConfig& upstream = config->upstream;
  EXPECT_EQ(upstream.port, 143);
  EXPECT_EQ(upstream.tls, TlsMode::kNone);
  EXPECT_EQ(upstream.ca_file, "");
  EXPECT_TRUE(upstream.verify);
  EXPECT_EQ(upstream.connect_timeout, absl::Seconds(5));
  EXPECT_EQ(upstream.login_timeout, absl::Seconds(30));
  EXPECT_TRUE(upstream.allowed_hosts.empty());
  EXPECT_TRUE(upstream.allowed_ports.empty());
  EXPECT_EQ(upstream.login, UpstreamSettings::Login::kReplay);
  EXPECT_EQ(upstream.forward_client, UpstreamSettings::ForwardClient::kNone);
  EXPECT_TRUE(upstream.hosts.empty());
  EXPECT_TRUE(upstream.source_addresses.empty());

  const auto mapped = ParseConfig(Small(R"(, "userdbConnectorName": "m")",
                                        R"([{"address": "127.0.0.1"}])",
                                        R"({"mappingHost": "store1"})"),
                                  "c.json", kFolder, Imap())
                          .config;
  ASSERT_TRUE(mapped);
  EXPECT_EQ(mapped->mapping_host, (Endpoint{"store1", 143}));
  EXPECT_EQ(mapped->mapping_user_map, "");
}

TEST(ConfigTest, FillsInTheDefaultLimits) {
  const auto config = ParseConfig(Small(), "c.json", kFolder, Imap()).config;
  ASSERT_TRUE(config);
  EXPECT_EQ(config->limits.line_bytes, 8192u);
  EXPECT_EQ(config->limits.literal_bytes, 4096u);
  EXPECT_EQ(config->limits.held_bytes, 65536u);
  EXPECT_EQ(config->limits.commands, 100);
  EXPECT_EQ(config->limits.bad_commands, 10);
  EXPECT_EQ(config->limits.failed_logins, 3);
  EXPECT_EQ(config->login_timeout, absl::Seconds(60));
  EXPECT_EQ(config->connections_per_address, 0);
  EXPECT_EQ(config->failed_logins_per_address, 0);
  EXPECT_EQ(config->connections, 0);
}

TEST(ConfigTest, FillsInTheDefaultsOfAConnector) {
  const auto config = ParseConfig(Small(R"(, "ldapConnectors": [{
                                      "name": "L",
                                      "urls": ["ldap://127.0.0.1"]}])"),
                                  "c.json", kFolder, Imap())
                          .config;
  ASSERT_TRUE(config);
  const LdapConnectorConfig* connector = config->FindConnector("L");
  ASSERT_NE(connector, nullptr);
  const LdapOptions& options = connector->options;
  EXPECT_EQ(options.replica_policy, ReplicaPolicy::kPreferred);
  EXPECT_FALSE(options.retry_binds);
  EXPECT_FALSE(options.start_tls);
  EXPECT_EQ(options.ca_file, "");
  EXPECT_EQ(options.admin_dn, "");
  EXPECT_FALSE(options.sasl_external);
  EXPECT_EQ(options.account_base_dn, "");
  EXPECT_EQ(options.account_filter,
            "(&(objectClass=inetLocalMailRecipient)(mailLocalAddress=%e))");
  EXPECT_FALSE(options.follow);
  EXPECT_EQ(options.hostname_attribute, "mailHost");
  EXPECT_EQ(options.address_attribute, "mailLocalAddress");
  EXPECT_EQ(options.routing_address_attribute, "mailRoutingAddress");
  EXPECT_EQ(options.user_attribute, "");
  EXPECT_EQ(options.status_attribute, "");
  EXPECT_EQ(options.active_statuses, std::vector<std::string>{"active"});
  EXPECT_EQ(options.service_attribute, "");
  EXPECT_EQ(options.moving_attribute, "");
  EXPECT_EQ(options.timeout, absl::Seconds(3));
  EXPECT_EQ(options.max_search_connections, 2u);
  EXPECT_EQ(options.max_bind_connections, 16u);
  EXPECT_EQ(connector->cache.ttl, absl::Minutes(1));
  EXPECT_EQ(connector->cache.negative_ttl, absl::Seconds(10));
  EXPECT_EQ(connector->cache.password_ttl, absl::ZeroDuration());
  EXPECT_EQ(connector->cache.stale_ttl, absl::Hours(24));
  EXPECT_EQ(connector->cache.size_bytes, 67108864u);
}

TEST(ConfigTest, NamesThePlaceAndTheFault) {
  const std::string connector =
      R"(, "ldapConnectors": [{"name": "L", "urls": ["ldap://127.0.0.1"])";
  const struct {
    std::string text;
    const char* fault;
  } kCases[] = {
      {"{", "c.json: line 1, column 2: not JSON: "},
      {"{\n  \"workers\": 1,\n  x\n}", "c.json: line 3, column 3: not JSON: "},
      {"[]", "c.json: /: an array (should be an object)"},
      {Small(R"(, "workers": 1, "workers": 2)"),
       "c.json: /workers: stands here twice"},
      {Small(R"(, "admin": {"port": 1, "address": "::1", "port": 2})"),
       "c.json: /admin/port: stands here twice"},
      {Small("", R"([{"address": "::1", "port": 1, "proxyProtocolFrom": []},
                     {"address": "::1", "port": 2, "port": 3}])"),
       "c.json: /listeners/1/port: stands here twice"},
      {"{}", "c.json: /listeners: none (at least one is needed)"},
      {Small(R"(, "worker": 1)"), "c.json: /worker: unknown key"},
      {Small(connector + R"(, "cache": {"passwordTtl": "2h"}}])"),
       "c.json: /ldapConnectors/0/cache/passwordTtl: more than an hour"},
      {Small(connector + R"(, "cache": {"sizeBytes": 1}}])"),
       "c.json: /ldapConnectors/0/cache/sizeBytes: 1 is out of range "
       "(1048576 to 1099511627776)"},
      {Small(R"(, "workers": "2")"),
       "c.json: /workers: a string (should be a whole number)"},
      {Small(R"(, "workers": -1)"),
       "c.json: /workers: -1 is out of range (0 to 1024)"},
      {Small(R"(, "workers": 1.5)"),
       "c.json: /workers: a number (should be a whole number)"},
      {Small(R"(, "workers": 18446744073709551615)"),
       "c.json: /workers: 18446744073709551615 is out of range (0 to 1024)"},
      {Small(R"(, "service": "pop3")"),
       "c.json: /service: \"pop3\" isn't what this executable serves "
       "(\"imap\")"},
      {Small(R"(, "allowPlaintextLogin": "sometimes")"),
       "c.json: /allowPlaintextLogin: \"sometimes\" is none of never, "
       "loopback, always"},
      {Small(R"(, "allowPlaintextLogin": true)"),
       "c.json: /allowPlaintextLogin: true is none of never, loopback, always"},
      {Small("", "{}"),
       "c.json: /listeners: an object (should be an array of objects)"},
      {Small("", "[1]"),
       "c.json: /listeners/0: a number (should be an object)"},
      {Small("", R"([{"address": "localhost", "port": 1}])"),
       "c.json: /listeners/0/address: \"localhost\" is not an IPv4 or IPv6 "
       "address"},
      {Small("", R"([{"address": "::1", "port": 70000}])"),
       "c.json: /listeners/0/port: 70000 is out of range (0 to 65535)"},
      {Small("", R"([{"address": "::1", "tls": "ssl"}])"),
       "c.json: /listeners/0/tls: \"ssl\" is none of none, startTls, implicit"},
      {Small("", R"([{"address": "::1", "tls": "implicit"}])"),
       "c.json: /listeners/0/tls: needs a certificate in /tls/certificates"},
      {Small("", R"([{"address": "::1", "port": 1},
                     {"address": "::1", "port": 1}])"),
       "c.json: /listeners/1/port: [::1]:1 stands here twice"},
      {Small("", R"([{"address": "127.0.0.1", "port": 0},
                     {"address": "127.0.0.2", "port": 0},
                     {"address": "127.0.0.1", "port": 0}])"),
       "c.json: /listeners/2/port: 127.0.0.1, port 0, stands here twice"},
      {Small("", R"([{"address": "::1", "proxyProtocolFrom": ["ten"]}])"),
       "c.json: /listeners/0/proxyProtocolFrom: \"ten\" is not an address "
       "block (\"10.0.0.0/8\")"},
      {Small("", R"([{"address": "::1", "adress": ""}])"),
       "c.json: /listeners/0/adress: unknown key"},
      {Small(R"(, "tls": {"certificates": [{"certificate": "none.pem"}]})"),
       "c.json: /tls/certificates/0/certificate: testdata/config/none.pem: no "
       "such file"},
      {Small(R"(, "tls": {"certificates": [{"certificate": "imap.pem"}]})"),
       "c.json: /tls/certificates/0/privateKey: missing"},
      {Small(R"(, "tls": {"minimumVersion": "TLSv1"})"),
       "c.json: /tls/minimumVersion: \"TLSv1\" is none of TLSv1.2, TLSv1.3"},
      {Small(R"(, "capabilityInterval": "500ms")"),
       "c.json: /capabilityInterval: neither 0s nor at least 1s"},
      {Small(R"(, "mapping": {"userMap": "n"})"),
       "c.json: /mapping/userMap: \"n\" is not in /userMaps"},
      {Small(R"(, "mapping": {"mappingHost": "a", "mappingPort": 70000})"),
       "c.json: /mapping/mappingPort: 70000 is not a port (1 to 65535)"},
      {Small(R"(, "mapping": {"userMap": "m", "mappingHost": "0x7f.1"})"),
       "c.json: /mapping/mappingHost: \"0x7f.1\" is not a host name or "
       "address"},
      {Small(R"(, "mapping": {})"),
       "c.json: /mapping/userMap: neither a map nor a mappingHost is given"},
      {Small(R"(, "userMaps": [{"name": "m", "type": "localFile",
                                "localFile": "nobody.json"}])"),
       "c.json: /userMaps/0/localFile: testdata/config/nobody.json: no such "
       "file"},
      {Small(R"(, "userMaps": [{"name": "m", "type": "localFile"}])"),
       "c.json: /userMaps/0/localFile: missing"},
      {Small(R"(, "userMaps": [{"name": "m", "type": "ldapBind",
                                "userdbConnectorName": "L"}])"),
       "c.json: /userMaps/0/userdbConnectorName: \"L\" is not in "
       "/ldapConnectors"},
      {Small(R"(, "userMaps": [{"name": "m", "type": "sql"}])"),
       "c.json: /userMaps/0/type: \"sql\" is none of ldapBind, localFile"},
      {Small(R"(, "userdbConnectorType": "ldapBind",
                  "userdbConnectorName": "L")"),
       "c.json: /userdbConnectorName: \"L\" is not in /ldapConnectors"},
      {Small(R"(, "userdbConnectorName": "x")"),
       "c.json: /userdbConnectorName: \"x\" is not a localFile map in "
       "/userMaps"},
      {Small(R"(, "ldapConnectors": [{"name": "L"}])"),
       "c.json: /ldapConnectors/0/urls: none (\"ldap://127.0.0.1:389\")"},
      {Small(R"(, "ldapConnectors": [{"name": "L", "urls": ["http://x"]}])"),
       "c.json: /ldapConnectors/0/urls: \"http://x\" is not an ldap://, "
       "ldaps:// or ldapi:// URL of a server"},
      {Small(R"(, "ldapConnectors": [{"name": "L", "urls": ["LDAP://x"],
                                      "startTls": true}])"),
       "c.json: /ldapConnectors/0/urls: \"LDAP://x\" is not an ldap://, "
       "ldaps:// or ldapi:// URL of a server"},
      {Small(R"(, "ldapConnectors": [{"name": "L", "urls": ["ldap://x"],
                                      "referrals": ["ldapi:///"]}])"),
       "c.json: /ldapConnectors/0/referrals: \"ldapi:///\" is not an ldap:// "
       "or ldaps:// URL of a server"},
      {Small(R"(, "ldapConnectors": [{"name": "L",
                                      "urls": ["ldap://x:99999"]}])"),
       "c.json: /ldapConnectors/0/urls: \"ldap://x:99999\" is not an ldap://, "
       "ldaps:// or ldapi:// URL of a server"},
      {Small(connector + R"(, "hostnameAttribute": "a b"}])"),
       "c.json: /ldapConnectors/0/hostnameAttribute: \"a b\" is not an "
       "attribute's name"},
      {Small(connector + R"(, "movingAttribute": "*"}])"),
       "c.json: /ldapConnectors/0/movingAttribute: \"*\" is not an "
       "attribute's name"},
      {Small(connector + R"(, "accountBaseDn": "garbage"}])"),
       "c.json: /ldapConnectors/0/accountBaseDn: \"garbage\" is not a "
       "distinguished name"},
      {Small(connector + R"(, "adminDn": "admin", "adminPassword": "a"}])"),
       "c.json: /ldapConnectors/0/adminDn: \"admin\" is not a distinguished "
       "name"},
      {Small(connector + R"(, "timeout": "1000000000h"}])"),
       "c.json: /ldapConnectors/0/timeout: \"1000000000h\" is too long (at "
       "most \"8760h\")"},
      {Small(R"(, "capabilities": ["IDLE", "A\r\n* PREAUTH"])"),
       "c.json: /capabilities/1: \"A\\r\\n* PREAUTH\" holds a control "
       "character"},
      {Small(R"(, "hostName": "a\u007f")"),
       "c.json: /hostName: \"a\x7f\" holds a control character"},
      {Small(R"(, "hostName": "a b")"),
       "c.json: /hostName: \"a b\" is not a host name or address"},
      {Small(R"(, "hostName": "a:143")"),
       "c.json: /hostName: \"a:143\" is not a host name or address"},
      {Small("", R"([{"address": "127.0.0.1\u0000x"}])"),
       "c.json: /listeners/0/address: \"127.0.0.1\\u0000x\" holds a control "
       "character"},
      {Small(R"(, "upstream": {"login": {"method": "masterUser",
                                         "user": "x\ny"}})"),
       "c.json: /upstream/login/user: \"x\\ny\" holds a control character"},
      {Small(connector + R"(, "adminDn": "cn=admin"}])"),
       "c.json: /ldapConnectors/0/adminDn: needs adminPasswordFile or "
       "adminPassword"},
      {Small(connector + R"(, "adminPasswordFile": "none"}])"),
       "c.json: /ldapConnectors/0/adminPasswordFile: testdata/config/none: no "
       "such file"},
      {Small(connector + R"(, "adminPassword": "a",
                              "adminPasswordFile": "ldap.secret"}])"),
       "c.json: /ldapConnectors/0/adminPassword: stands beside "
       "adminPasswordFile"},
      {Small(connector + R"(, "timeout": "1ms"}])"),
       "c.json: /ldapConnectors/0/timeout: \"1ms\" is too short (at least "
       "\"100ms\")"},
      {Small(connector + R"(, "accountFilter": "(mail=%e"}])"),
       "c.json: /ldapConnectors/0/accountFilter: "},
      {Small(connector + R"x(, "follow": true,
                              "accountFilter": "(&(mail=%e)(!(uid=%u)))"}])x"),
       "c.json: /ldapConnectors/0/follow: accountFilter: can't follow "
       "(!(uid=%u)): "},
      {Small(R"(, "upstream": {"port": 0})"),
       "c.json: /upstream/port: 0 is not a port (1 to 65535)"},
      {Small(R"(, "upstream": {"port": "143"})"),
       "c.json: /upstream/port: a string (should be a port, 1 to 65535)"},
      {Small(R"(, "upstream": {"connectTimeout": 5})"),
       "c.json: /upstream/connectTimeout: 5 is not a duration (\"250ms\", "
       "\"30s\", \"10m\", \"24h\")"},
      {Small(R"(, "upstream": {"connectTimeout": "-5s"})"),
       "c.json: /upstream/connectTimeout: \"-5s\" is not a duration "
       "(\"250ms\", \"30s\", \"10m\", \"24h\")"},
      {Small(R"(, "upstream": {"verify": "no"})"),
       "c.json: /upstream/verify: a string (should be true or false)"},
      {Small(R"(, "upstream": {"allowedHosts": ["a b"]})"),
       "c.json: /upstream/allowedHosts: \"a b\" is not a name, \".domain\" or "
       "block"},
      {Small(R"(, "upstream": {"allowedHosts": "a"})"),
       "c.json: /upstream/allowedHosts: a string (should be an array of "
       "strings)"},
      {Small(R"(, "upstream": {"allowedHosts": [1]})"),
       "c.json: /upstream/allowedHosts/0: a number (should be a string)"},
      {Small(R"(, "upstream": {"allowedPorts": [143, 0]})"),
       "c.json: /upstream/allowedPorts/1: 0 is not a port (1 to 65535)"},
      {Small(R"(, "upstream": {"forwardClient": "xclient"})"),
       "c.json: /upstream/forwardClient: \"xclient\" is none of none, "
       "protocol, proxyV2"},
      {Small(R"(, "upstream": {"hosts": {"a": {}}})"),
       "c.json: /upstream/hosts: an object (should be an array of objects)"},
      {Small(R"(, "upstream": {"hosts": [{"forwardClient": "none"}]})"),
       "c.json: /upstream/hosts/0/host: \"\" is not a name, \".domain\" or "
       "block"},
      {Small(R"(, "upstream": {"hosts": [{"host": "a:143"}]})"),
       "c.json: /upstream/hosts/0/host: \"a:143\" is not a name, \".domain\" "
       "or block"},
      {Small(R"(, "upstream": {"hosts": [{"host": "a"}]})"),
       "c.json: /upstream/hosts/0/forwardClient: missing"},
      {Small(R"(, "upstream": {"hosts": [{"host": "a",
                                          "forwardClient": "id"}]})"),
       "c.json: /upstream/hosts/0/forwardClient: \"id\" is none of none, "
       "protocol, proxyV2"},
      {Small(R"(, "upstream": {"hosts": [{"host": "a", "tls": "none"}]})"),
       "c.json: /upstream/hosts/0/tls: unknown key"},
      {Small(R"(, "upstream": {"login": {"method": "masterUser"}})"),
       "c.json: /upstream/login/user: missing (the master user's name)"},
      {Small(R"(, "upstream": {"login": {"method": "kerberos"}})"),
       "c.json: /upstream/login/method: \"kerberos\" is none of replay, "
       "masterUser, xclient"},
      {Small(R"(, "upstream": {"login": {"method": "xclient"}})"),
       "c.json: /upstream/login/method: \"xclient\" is for smtp only"},
      {Small(R"(, "authenticateOnProxy": false,
                 "upstream": {"login": {"method": "masterUser", "user": "a"}})"),
       "c.json: /upstream/login/method: needs authenticateOnProxy: the "
       "upstream "
       "never hears the user's password"},
      {Small(R"(, "upstream": {"caFile": "none.pem"})"),
       "c.json: /upstream/caFile: testdata/config/none.pem: no such file"},
      {Small(R"(, "upstream": {"sourceAddresses": ["eth0"]})"),
       "c.json: /upstream/sourceAddresses: \"eth0\" is not an IPv4 or IPv6 "
       "address"},
      {Small(R"(, "idleTimeout": "5m")"),
       "c.json: /idleTimeout: \"5m\" is too short (at least \"10m\")"},
      {Small(R"(, "limits": {"lineBytes": 10})"),
       "c.json: /limits/lineBytes: 10 is out of range (1024 to 1048576)"},
      {Small(R"(, "limits": {"line": 1})"),
       "c.json: /limits/line: unknown key"},
      {Small(R"(, "external": true)"),
       "c.json: /external: needs /tls/clientCaFile"},
      {Small(R"(, "admin": {"address": "x", "port": 1})"),
       "c.json: /admin/address: \"x\" is not an IPv4 or IPv6 address"},
      {Small(R"(, "names": {"defaultDomain": "a b"})"),
       "c.json: /names/defaultDomain: \"a b\" is not a domain"},
      {Small(R"(, "names": {"masterSeparator": "*"})"),
       "c.json: /names/masterUsers: go with a masterSeparator, and only with "
       "it"},
      {Small(R"(, "names": {"masterSeparator": "a"})"),
       "c.json: /names/masterSeparator: "},
      {Small(R"(, "names": {"masterSeparator": "*", "masterUsers": ["a*b"]})"),
       "c.json: /names/masterUsers: \"a*b\" is not a login name"},
      {Small(R"(, "log": {"level": "debug"})"),
       "c.json: /log/level: \"debug\" is none of info, warning"},
  };
  for (const auto& c : kCases) {
    const std::vector<std::string> faults = FaultsOf(c.text);
    const bool found =
        std::any_of(faults.begin(), faults.end(), [&](const std::string& line) {
          return line == c.fault ||
                 (std::string_view(c.fault).ends_with(": ") &&
                  line.starts_with(c.fault));
        });
    EXPECT_TRUE(found) << c.text << "\n wanted " << c.fault << "\n got "
                       << testing::PrintToString(faults);
  }
}

TEST(ConfigTest, FindsAllFaultsAtOnce) {
  EXPECT_EQ(FaultsOf(Small(R"(, "a": 1, "b": 2, "workers": -1)")).size(), 3u);
}

TEST(ConfigTest, SaysAConnectorsFaultOnce) {
  EXPECT_EQ(FaultsOf(Small(R"(, "ldapConnectors": [{"name": "L",
                                "urls": ["http://x"], "adminDn": "cn=a"}])")),
            (std::vector<std::string>{
                "c.json: /ldapConnectors/0/urls: \"http://x\" is not an "
                "ldap://, ldaps:// or ldapi:// URL of a server",
                "c.json: /ldapConnectors/0/adminDn: needs adminPasswordFile or "
                "adminPassword"}));
}

// What is wrong is no reason to complain of its being missing, too.
TEST(ConfigTest, SaysOnlyTheFirstFaultOfAKey) {
  const std::string connector =
      R"(, "ldapConnectors": [{"name": "L", "adminDn": "cn=admin")";
  const struct {
    std::string text;
    const char* fault;
  } kCases[] = {
      {Small("", "[5]"),
       "c.json: /listeners/0: a number (should be an object)"},
      {Small("", R"([{"address": 5}])"),
       "c.json: /listeners/0/address: a number (should be a string)"},
      {Small(connector + R"(, "urls": ["ldap://127.0.0.1"],
                              "adminPasswordFile": "none"}])"),
       "c.json: /ldapConnectors/0/adminPasswordFile: testdata/config/none: no "
       "such file"},
      {Small(connector + R"(, "adminPassword": "a\tb", "urls": [5]}])"),
       "c.json: /ldapConnectors/0/urls/0: a number (should be a string)"},
      {Small(R"(, "upstream": {"login": {"method": "masterUser", "user": 5,
                                         "passwordFile": "ldap.secret"}})"),
       "c.json: /upstream/login/user: a number (should be a string)"},
  };
  for (const auto& c : kCases) {
    EXPECT_EQ(FaultsOf(c.text), std::vector<std::string>{c.fault}) << c.text;
  }
}

TEST(ConfigTest, HandsAConnectorOn) {
  const auto config =
      ReadConfig(std::string(kFolder) + "/imapproxy.json", Imap()).config;
  ASSERT_TRUE(config);
  const LdapConnectorConfig* connector = config->FindConnector("LDAP_Master");
  ASSERT_NE(connector, nullptr);
  EXPECT_EQ(connector->options.urls,
            std::vector<std::string>{"ldap://127.0.0.1:3890"});
  EXPECT_EQ(connector->options.hostname_attribute, "mailHost");
  EXPECT_EQ(connector->options.service, "imap");
  EXPECT_FALSE(connector->options.admin_password.empty());
}

TEST(ConfigTest, ReadsWhichHostsAreToldOfTheClientInAnotherWay) {
  using ForwardClient = UpstreamSettings::ForwardClient;
  const auto config = ParseConfig(Small(R"(, "upstream": {
      "forwardClient": "protocol",
      "hosts": [{"host": ".example.com", "forwardClient": "proxyV2"},
                {"host": "10.0.0.0/8", "forwardClient": "none"}]})"),
                                  "c.json", kFolder, Imap())
                          .config;
  ASSERT_TRUE(config);
  EXPECT_EQ(config->upstream.forward_client, ForwardClient::kProtocol);
  const auto& hosts = config->upstream.hosts;
  ASSERT_EQ(hosts.size(), 2u);
  EXPECT_TRUE(hosts[0].host.Matches("store1.example.com"));
  EXPECT_EQ(hosts[0].forward_client, ForwardClient::kProxyV2);
  EXPECT_TRUE(hosts[1].host.Matches("10.0.0.1"));
  EXPECT_EQ(hosts[1].forward_client, ForwardClient::kNone);
}

TEST(ConfigTest, WarnsOfSecretsThatOthersCanRead) {
  const std::string file = testing::TempDir() + "/readable.json";
  const std::string text = Small(
      R"(, "ldapConnectors": [{"name": "L", "urls": ["ldap://127.0.0.1"],
           "adminDn": "cn=a", "adminPassword": "s"}])");
  std::ofstream(file) << text;
  const auto warned = [&] {
    const auto warnings = ParseConfig(text, file, kFolder, Imap()).warnings;
    return std::find(warnings.begin(), warnings.end(),
                     file + ": /ldapConnectors/0/adminPassword: " + file +
                         ": others can read this secret (chmod o-r)") !=
           warnings.end();
  };
  ASSERT_EQ(chmod(file.c_str(), 0644), 0);
  EXPECT_TRUE(warned());
  ASSERT_EQ(chmod(file.c_str(), 0640), 0);
  EXPECT_FALSE(warned());
}

TEST(ConfigTest, WarnsOfAMasterPasswordThatAnybodyCouldGet) {
  const auto warned = [](const std::string& upstream,
                         const std::string& mapping = R"({"userMap": "m"})") {
    const ConfigResult result =
        ParseConfig(Small(R"(, "userdbConnectorName": "m",
                 "upstream": {"login": {"method": "masterUser", "user": "m",
                                        "passwordFile": "ldap.secret"})" +
                              upstream + "}",
                          R"([{"address": "127.0.0.1"}])", mapping),
                    "c.json", kFolder, Imap());
    EXPECT_TRUE(result.config) << testing::PrintToString(result.faults);
    return std::any_of(
        result.warnings.begin(), result.warnings.end(),
        [](const std::string& line) {
          return line.starts_with(
              "c.json: /upstream/login: the master user's password is sent ");
        });
  };
  EXPECT_TRUE(warned(""));
  EXPECT_TRUE(warned(R"(, "tls": "startTls", "verify": false)"));
  EXPECT_TRUE(warned(R"(, "allowedHosts": ["127.0.0.0/8", "10.0.0.0/8"])"));
  EXPECT_TRUE(warned("", R"({"mappingHost": "store1"})"));
  EXPECT_TRUE(warned("", R"({"userMap": "m", "mappingHost": "::1"})"));

  EXPECT_FALSE(warned(R"(, "tls": "startTls")"));
  EXPECT_FALSE(warned(R"(, "tls": "implicit")"));
  EXPECT_FALSE(warned(R"(, "allowedHosts": ["127.0.0.0/8", "localhost"])"));
  EXPECT_FALSE(warned("", R"({"mappingHost": "::1"})"));
}

TEST(ConfigTest, SaysWhatIsMissingOfAFile) {
  const ConfigResult result = ReadConfig("no/such.json", Imap());
  EXPECT_EQ(result.faults, std::vector<std::string>{
                               "no/such.json: no such file, or not readable"});
}

}  // namespace
}  // namespace gatehouse
