// What a question costs that the cache answers.

#include <benchmark/benchmark.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "lib/directory/cached_directory.h"
#include "lib/net/uv_network.h"
#include "lib/testing/fake_directory.h"
#include "lib/testing/recording_log.h"

namespace gatehouse {
namespace {

constexpr int kNames = 100'000;
constexpr int kStep = 7919;  // so that questions lie far from each other

std::string NameOf(int number) {
  return "firstname.lastname" + std::to_string(number) + "@example.com";
}

SharedLocation LocationOf(int number) {
  auto location = std::make_shared<Location>();
  location->user = NameOf(number);
  location->host =
      Endpoint{"store" + std::to_string(number % 40) + ".example.com", 143};
  location->addresses = {location->user};
  return location;
}

std::shared_ptr<DirectoryCache> FullCache(absl::Time now) {
  DirectoryCacheOptions options;
  options.ttl = absl::Hours(24);
  options.size_bytes = size_t{512} << 20;  // all of them
  auto cache = std::make_shared<DirectoryCache>(options);
  for (int i = 0; i < kNames; ++i) {
    cache->PutLocation(NameOf(i), LocationOf(i), now);
  }
  return cache;
}

// In an order in which neighbours lie far from each other.
std::vector<std::string> Names() {
  std::vector<std::string> names;
  for (int i = 0; i < kNames; ++i) {
    names.push_back(NameOf(static_cast<int>(int64_t{i} * kStep % kNames)));
  }
  return names;
}

// The cache alone, by several workers at once.
void BM_FindLocation(benchmark::State& state) {
  static const auto cache = FullCache(absl::Now());
  static const auto names = Names();
  int number = 7 * state.thread_index();
  for (auto _ : state) {
    benchmark::DoNotOptimize(cache->FindLocation(names[number]));
    number = (number + 1) % kNames;
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_FindLocation)->Threads(1)->Threads(2)->UseRealTime();

// As a session asks: the name is normalised, and who is known is found at once.
void BM_LocateNow(benchmark::State& state) {
  auto network = UvNetwork::Create();
  RecordingLog log;
  CachedDirectory directory(*network, log, {},
                            std::make_unique<FakeDirectory>(*network),
                            FullCache(network->Now()));
  const auto names = Names();
  int number = 0;
  for (auto _ : state) {
    const auto known = directory.LocateNow(names[number]);
    if (!known || !std::holds_alternative<SharedLocation>(*known)) {
      state.SkipWithError("not found");
    }
    number = (number + 1) % kNames;
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_LocateNow);

// With the answer from the loop, 64 questions a turn of it.
void BM_Locate(benchmark::State& state) {
  constexpr int kAtOnce = 64;
  auto network = UvNetwork::Create();
  RecordingLog log;
  CachedDirectory directory(*network, log, {},
                            std::make_unique<FakeDirectory>(*network),
                            FullCache(network->Now()));
  std::unique_ptr<Operation> operations[kAtOnce];
  const auto names = Names();
  int number = 0;
  for (auto _ : state) {
    int answers = 0;
    for (auto& operation : operations) {
      operation = directory.Locate(names[number], [&](LocateResult result) {
        if (!std::holds_alternative<SharedLocation>(result)) {
          state.SkipWithError("not found");
        }
        if (++answers == kAtOnce) network->Stop();
      });
      number = (number + 1) % kNames;
    }
    network->Run();
  }
  state.SetItemsProcessed(state.iterations() * kAtOnce);
}
BENCHMARK(BM_Locate);

}  // namespace
}  // namespace gatehouse

BENCHMARK_MAIN();
