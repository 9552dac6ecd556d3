// Logins a second against one slapd: by LdapDirectory, and what slapd itself
// can do, seen by plain loops over as many connections.

#include <benchmark/benchmark.h>
#include <ldap.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "lib/directory/ldap_directory.h"
#include "lib/directory/live_map.h"
#include "lib/directory/live_map_follower.h"
#include "lib/net/uv_network.h"
#include "lib/testing/real_slapd.h"
#include "lib/testing/recording_log.h"

namespace gatehouse {
namespace {

constexpr int kAccounts = 200;
constexpr char kPassword[] = "secret";
constexpr int kLogins = 2000;  // of one iteration

enum Hash : int { kPlain, kSha512Crypt };

std::string Uid(int number) { return "user" + std::to_string(number); }

std::string Dn(int number) {
  return "uid=" + Uid(number) + ",ou=people,dc=example,dc=com";
}

// `hash`: how slapd keeps the passwords, and so what a bind costs it.
RealSlapd::Options SlapdWith(int hash) {
  // SHA-512 crypt with the usual 5,000 rounds, of kPassword.
  static const char* const kStored[] = {
      kPassword,
      "{CRYPT}$6$gatehouse$"
      "GSnONsjQJOzU/Dx8WEiyzHZECCHKRxsU.Z71c1.HBSQ0iD80SKAMj2sNfiDDu/flZ/"
      "4AEuSEJonK9bkKidZpH0"};
  RealSlapd::Options options;
  options.log = false;
  options.database_config = "overlay syncprov\n";
  for (int i = 0; i < kAccounts; ++i) {
    options.ldif += MailEntry(Uid(i), Uid(i) + "@example.com", kStored[hash],
                              "mailHost: store.example.com\n");
  }
  return options;
}

// One connection of the plain loop.
class PlainClient {
 public:
  explicit PlainClient(const std::string& url) {
    const int version = LDAP_VERSION3;
    ldap_initialize(&handle_, url.c_str());
    ldap_set_option(handle_, LDAP_OPT_PROTOCOL_VERSION, &version);
  }
  PlainClient(const PlainClient&) = delete;
  PlainClient& operator=(const PlainClient&) = delete;
  ~PlainClient() { ldap_unbind_ext_s(handle_, nullptr, nullptr); }

  bool Bind(const std::string& dn, std::string password) {
    berval credentials = {password.size(), password.data()};
    return ldap_sasl_bind_s(handle_, dn.c_str(), LDAP_SASL_SIMPLE, &credentials,
                            nullptr, nullptr, nullptr) == LDAP_SUCCESS;
  }

 private:
  LDAP* handle_ = nullptr;
};

// A thread a connection, each binding again and again.
void BM_PlainBinds(benchmark::State& state) {
  const RealSlapd slapd(SlapdWith(static_cast<int>(state.range(0))));
  const int connections = static_cast<int>(state.range(1));
  std::vector<std::unique_ptr<PlainClient>> clients;
  for (int i = 0; i < connections; ++i) {
    clients.push_back(std::make_unique<PlainClient>(slapd.url()));
  }
  std::atomic<int> failures = 0;
  for (auto _ : state) {
    std::atomic<int> next = 0;
    std::vector<std::thread> threads;
    for (const auto& client : clients) {
      threads.emplace_back([&] {
        for (int i = next++; i < kLogins; i = next++) {
          failures += !client->Bind(Dn(i % kAccounts), kPassword);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  if (failures != 0) state.SkipWithError("a bind failed");
  state.SetItemsProcessed(state.iterations() * kLogins);
}

// Runs the network's loop until the map is whole.
void AwaitLive(UvNetwork& network, const LiveMap& map) {
  std::unique_ptr<Operation> look;
  std::function<void()> check = [&] {
    if (map.state() == LiveMap::State::kLive) return network.Stop();
    look = network.StartTimer(absl::Milliseconds(10), check);
  };
  look = network.Defer(check);
  network.Run();
}

// As the proxy logs in: a bind as the account, which a search has found or,
// where the directory is followed, a map in memory.
void LogIn(benchmark::State& state, bool follow) {
  const RealSlapd slapd(SlapdWith(static_cast<int>(state.range(0))));
  auto options = std::make_shared<LdapOptions>();
  options->urls = {slapd.url()};
  options->admin_dn = RealSlapd::kAdminDn;
  options->admin_password = Secret(RealSlapd::kAdminPassword);
  options->account_base_dn = "dc=example,dc=com";
  options->max_bind_connections = static_cast<size_t>(state.range(1));
  options->timeout = absl::Seconds(30);
  auto network = UvNetwork::Create();
  RecordingLog log;
  std::shared_ptr<LiveMap> map;
  std::unique_ptr<LiveMapFollower> follower;
  if (follow) {
    map = *LiveMap::Create(options, {});
    follower =
        std::make_unique<LiveMapFollower>(*network, log, "slapd", options, map);
    AwaitLive(*network, *map);
  }
  auto directory = *CreateLdapDirectory(*network, options, map);
  // As many clients as keep the connections busy, with some to spare.
  const int clients = 2 * static_cast<int>(state.range(1));
  std::vector<std::unique_ptr<Operation>> operations(clients);
  int begun = 0;
  int ended = 0;
  int failures = 0;
  std::function<void(int)> begin = [&](int client) {
    if (begun == kLogins) return;
    operations[client] = directory->Authenticate(
        Uid(begun++ % kAccounts) + "@example.com", Secret(kPassword),
        [&, client](AuthenticateResult result) {
          failures += !std::holds_alternative<Account>(result);
          if (++ended == kLogins) return network->Stop();
          begin(client);
        });
  };
  for (auto _ : state) {
    begun = ended = 0;
    for (int client = 0; client < clients; ++client) begin(client);
    network->Run();
  }
  if (failures != 0) state.SkipWithError("a login failed");
  state.SetItemsProcessed(state.iterations() * kLogins);
}

void BM_DirectoryLogins(benchmark::State& state) { LogIn(state, false); }
void BM_FollowedLogins(benchmark::State& state) { LogIn(state, true); }

void Sizes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"hash", "connections"})
      ->ArgsProduct({{kPlain, kSha512Crypt}, {4, 16}})
      ->UseRealTime()
      ->Unit(benchmark::kMillisecond);
}
BENCHMARK(BM_PlainBinds)->Apply(Sizes);
BENCHMARK(BM_DirectoryLogins)->Apply(Sizes);
BENCHMARK(BM_FollowedLogins)->Apply(Sizes);

}  // namespace
}  // namespace gatehouse

BENCHMARK_MAIN();
