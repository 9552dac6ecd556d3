// What a million accounts in the live map take, and a question to them costs.

#include <benchmark/benchmark.h>

#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "lib/directory/ldap_directory.h"
#include "lib/directory/live_map_follower.h"
#include "lib/net/uv_network.h"
#include "lib/testing/real_slapd.h"
#include "lib/testing/recording_log.h"

namespace gatehouse {
namespace {

constexpr int kAccounts = 1'000'000;
constexpr int kStep = 7919;  // so that questions lie far from each other

std::string UidOf(int number) {
  return "firstname.lastname" + std::to_string(number);
}
std::string HostOf(int number) {
  return "store" + std::to_string(number % 40) + ".example.com";
}

std::shared_ptr<LdapOptions> Options(const std::string& filter) {
  auto options = std::make_shared<LdapOptions>();
  options->urls = {"ldap://127.0.0.1:1"};
  options->account_base_dn = "dc=example,dc=com";
  options->account_filter = filter;
  return options;
}

constexpr char kByAddress[] =
    "(&(objectClass=inetLocalMailRecipient)(mailLocalAddress=%e))";
constexpr char kByAnyName[] =
    "(&(objectClass=inetLocalMailRecipient)"
    "(|(mailLocalAddress=%e)(mail=%e)(uid=%u)))";

std::shared_ptr<LiveMap> EmptyMap(const char* filter) {
  return *LiveMap::Create(Options(filter), {});
}

// An account with one address, or with two more and its uid to be found by.
LdapSyncEntry EntryOf(int number, bool by_any_name) {
  LdapSyncEntry event;
  event.sync.state = LdapSyncState::State::kAdd;
  // As slapd makes them: version 1, alike but for the time.
  std::memcpy(event.sync.uuid.data(), &number, sizeof(number));
  std::memcpy(event.sync.uuid.data() + 4, "\x5c\x9a\x10\x3e\x8f\x2b", 6);
  const std::string uid = UidOf(number);
  const std::string address = uid + "@example.com";
  event.entry = LdapEntry("uid=" + uid + ",ou=people,dc=example,dc=com");
  event.entry.Add("mailhost", {HostOf(number)});
  event.entry.Add("maillocaladdress", {address});
  if (by_any_name) {
    event.entry.AddValue("f" + std::to_string(number), "@example.com");
    event.entry.Add("mail", {address});
    event.entry.Add("uid", {uid});
  }
  return event;
}

void Fill(LiveMap& map, bool by_any_name) {
  map.BeginRefresh();
  for (int i = 0; i < kAccounts; ++i) map.OnEntry(EntryOf(i, by_any_name));
  map.OnInfo(LdapSyncPhaseEnd{});
}

void BM_Fill(benchmark::State& state, const char* filter, bool by_any_name) {
  for (auto _ : state) {
    const auto map = EmptyMap(filter);
    Fill(*map, by_any_name);
    state.counters["bytesAnEntry"] =
        static_cast<double>(map->bytes()) / static_cast<double>(kAccounts);
  }
  state.SetItemsProcessed(state.iterations() * kAccounts);
}
BENCHMARK_CAPTURE(BM_Fill, oneAddress, kByAddress, false)
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(BM_Fill, threeKeys, kByAnyName, true)
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond);

const std::shared_ptr<LiveMap>& FullMap() {
  static const auto map = [] {
    auto made = EmptyMap(kByAddress);
    Fill(*made, false);
    return made;
  }();
  return map;
}

// The map alone, by several workers at once.
void BM_Find(benchmark::State& state) {
  const LiveMap::Reader reader(*FullMap());
  int number = 7 * state.thread_index();
  for (auto _ : state) {
    const auto found = reader.Find({UidOf(number), "example.com"}, absl::Now);
    if (!found || found->entries.empty()) state.SkipWithError("not found");
    number = (number + kStep) % kAccounts;
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_Find)->Threads(1)->Threads(2)->UseRealTime();

void BM_FindNobody(benchmark::State& state) {
  const LiveMap::Reader reader(*FullMap());
  int number = 0;
  for (auto _ : state) {
    const auto found = reader.Find({UidOf(number), "example.org"}, absl::Now);
    if (!found || !found->entries.empty()) state.SkipWithError("found");
    number = (number + kStep) % kAccounts;
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_FindNobody);

// As a session asks: the name is normalised, and the entry read by the
// connector's rules.
void BM_LocateNow(benchmark::State& state) {
  auto network = UvNetwork::Create();
  auto directory =
      *CreateLdapDirectory(*network, Options(kByAddress), FullMap());
  int number = 0;
  for (auto _ : state) {
    const auto known = directory->LocateNow(UidOf(number) + "@example.com");
    if (!known || !std::holds_alternative<SharedLocation>(*known)) {
      state.SkipWithError("not found");
    }
    number = (number + kStep) % kAccounts;
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_LocateNow);

// With the answer from the loop, 64 questions a turn of it.
void BM_Locate(benchmark::State& state) {
  constexpr int kAtOnce = 64;
  auto network = UvNetwork::Create();
  auto directory =
      *CreateLdapDirectory(*network, Options(kByAddress), FullMap());
  std::unique_ptr<Operation> operations[kAtOnce];
  int number = 0;
  for (auto _ : state) {
    int answers = 0;
    for (auto& operation : operations) {
      operation = directory->Locate(
          UidOf(number) + "@example.com", [&](LocateResult result) {
            if (!std::holds_alternative<SharedLocation>(result)) {
              state.SkipWithError("not found");
            }
            if (++answers == kAtOnce) network->Stop();
          });
      number = (number + kStep) % kAccounts;
    }
    network->Run();
  }
  state.SetItemsProcessed(state.iterations() * kAtOnce);
}
BENCHMARK(BM_Locate);

// The same accounts from a slapd with its syncprov overlay.
void BM_LoadFromSlapd(benchmark::State& state) {
  RealSlapd::Options slapd_options;
  slapd_options.log = false;
  slapd_options.database_config =
      "maxsize 8589934592\n"
      "overlay syncprov\n";
  for (int i = 0; i < state.range(0); ++i) {
    slapd_options.ldif += MailEntry(UidOf(i), UidOf(i) + "@example.com",
                                    "secret", "mailHost: " + HostOf(i) + "\n");
  }
  const RealSlapd slapd(slapd_options);
  auto options = Options(kByAddress);
  options->urls = {slapd.url()};
  options->admin_dn = RealSlapd::kAdminDn;
  options->admin_password = Secret(RealSlapd::kAdminPassword);
  for (auto _ : state) {
    auto network = UvNetwork::Create();
    RecordingLog log;
    const auto map = *LiveMap::Create(options, {});
    LiveMapFollower follower(*network, log, "Benchmark", options, map);
    std::unique_ptr<Operation> look;
    std::function<void()> check = [&] {
      if (map->state() == LiveMap::State::kLive) return network->Stop();
      look = network->StartTimer(absl::Milliseconds(10), check);
    };
    check();
    network->Run();
    if (map->entries() != static_cast<size_t>(state.range(0))) {
      state.SkipWithError("not all were loaded");
    }
    state.counters["bytesAnEntry"] =
        static_cast<double>(map->bytes()) / static_cast<double>(map->entries());
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_LoadFromSlapd)
    ->Arg(kAccounts / 10)
    ->Arg(kAccounts)
    ->Iterations(1)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace gatehouse

BENCHMARK_MAIN();
