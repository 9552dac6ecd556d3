#include "lib/server/ldap_config.h"

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "lib/directory/ldap_url.h"

namespace gatehouse {
namespace {

constexpr int64_t kMostConnections = 1024;

// A password that was changed, or a user who was locked out, is let in for as
// long.
constexpr absl::Duration kLongestPasswordTtl = absl::Hours(1);

void ReadUrls(JsonReader& entry, LdapOptions& options) {
  options.urls = entry.Strings("urls");
  if (options.urls.empty()) {
    entry.Fault("urls", "none (\"ldap://127.0.0.1:389\")");
  }
  for (const std::string& url : options.urls) {
    if (!IsLdapUrl(url)) {
      entry.Fault("urls", "\"" + url +
                              "\" is not an ldap://, ldaps:// or ldapi:// "
                              "URL of a server");
    }
  }
  options.referrals = entry.Strings("referrals");
}

// Who we are to the servers.
void ReadAdministrator(JsonReader& entry, const ConfigFiles& files,
                       LdapOptions& options) {
  options.sasl_external = entry.Bool("saslExternal", false);
  options.admin_dn = entry.String("adminDn");
  if (entry.Has("adminPassword") && entry.Has("adminPasswordFile")) {
    entry.Fault("adminPassword", "stands beside adminPasswordFile");
  }
  const std::string inlined = files.InlineSecret(entry, "adminPassword");
  const std::string from_file = files.Secret(entry, "adminPasswordFile");
  options.admin_password = Secret(from_file.empty() ? inlined : from_file);
  if (!options.sasl_external && !options.admin_dn.empty() &&
      !entry.Has("adminPasswordFile") && options.admin_password.empty()) {
    entry.Fault("adminDn", "needs adminPasswordFile or adminPassword");
  }
}

// How an account is found and read.
void ReadAccounts(JsonReader& entry, LdapOptions& options) {
  const auto text = [&](std::string_view key, std::string& option) {
    option = entry.String(key, option);
  };
  text("accountBaseDn", options.account_base_dn);
  text("accountFilter", options.account_filter);
  options.follow = entry.Bool("follow", false);
  text("hostnameAttribute", options.hostname_attribute);
  text("addressAttribute", options.address_attribute);
  text("routingAddressAttribute", options.routing_address_attribute);
  text("userAttribute", options.user_attribute);
  text("statusAttribute", options.status_attribute);
  text("serviceAttribute", options.service_attribute);
  text("movingAttribute", options.moving_attribute);
  if (entry.Has("activeStatuses")) {
    options.active_statuses = entry.Strings("activeStatuses");
  }
}

void ReadLimits(JsonReader& entry, LdapOptions& options) {
  const auto count = [&](std::string_view key, size_t& option) {
    option = static_cast<size_t>(
        entry.Integer(key, static_cast<int64_t>(option), 1, kMostConnections));
  };
  options.timeout =
      entry.Duration("timeout", options.timeout, absl::Milliseconds(100));
  count("searchConnections", options.max_search_connections);
  count("bindConnections", options.max_bind_connections);
}

void ReadCache(JsonReader cache, DirectoryCacheOptions& options) {
  options.ttl = cache.Duration("ttl", options.ttl);
  options.negative_ttl = cache.Duration("negativeTtl", options.negative_ttl);
  options.stale_ttl = cache.Duration("staleTtl", options.stale_ttl);
  options.password_ttl = cache.Duration("passwordTtl", options.password_ttl);
  if (options.password_ttl > kLongestPasswordTtl) {
    cache.Fault("passwordTtl", "more than an hour");
  }
  options.size_bytes = static_cast<size_t>(
      cache.Integer("sizeBytes", static_cast<int64_t>(options.size_bytes),
                    int64_t{1} << 20, int64_t{1} << 40));
  cache.Finish();
}

// What only the directory can see, in its words: "accountFilter: position 3…"
void Check(JsonReader& entry, const LdapOptions& options) {
  const absl::Status status = CheckLdapOptions(options);
  if (status.ok()) return;
  const std::string message(status.message());
  const size_t colon = message.find(": ");
  if (colon == std::string::npos) return entry.Fault("urls", message);
  entry.Fault(message.substr(0, colon), message.substr(colon + 2));
}

}  // namespace

void ReadLdapConnector(JsonReader& entry, const ConfigFiles& files,
                       LdapOptions& options, DirectoryCacheOptions& cache) {
  const size_t faults_before = entry.fault_count();
  ReadUrls(entry, options);
  options.replica_policy =
      entry.Choice("replicaPolicy", ReplicaPolicy::kPreferred,
                   {{"preferred", ReplicaPolicy::kPreferred},
                    {"leastOutstanding", ReplicaPolicy::kLeastOutstanding}});
  options.retry_binds = entry.Bool("retryBinds", false);
  options.start_tls = entry.Bool("startTls", false);
  options.ca_file = files.File(entry, "caFile");
  ReadAdministrator(entry, files, options);
  ReadAccounts(entry, options);
  ReadLimits(entry, options);
  ReadCache(entry.Object("cache"), cache);
  // The live map knows them, and what it doesn't know mustn't stand before it.
  cache.keep_locations = !options.follow;
  entry.Finish();
  if (entry.fault_count() == faults_before) Check(entry, options);
}

}  // namespace gatehouse
