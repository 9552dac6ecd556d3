// A localFile table of half a million lines: reading it, and asking it.

#include <benchmark/benchmark.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <string>

#include "lib/server/local_map_file.h"

namespace gatehouse {
namespace {

constexpr int kLines = 500'000;

std::string NameOf(int number) {
  return "firstname.lastname" + std::to_string(number) + "@example.com";
}

// A file of `kLines` lines, with hashes where `hashes`; gone with the object.
class TableFile {
 public:
  explicit TableFile(bool hashes) {
    close(mkstemp(path_));
    std::ofstream out(path_);
    for (int i = 0; i < kLines; ++i) {
      out << NameOf(i) << " store" << i % 40 << ".example.com:143";
      if (hashes) out << " $6$saltsaltsalt$" << std::string(86, 'x');
      out << "\n";
    }
  }
  ~TableFile() { unlink(path_); }
  std::string path() const { return path_; }

 private:
  char path_[32] = "/tmp/local_map.XXXXXX";
};

void BM_ReadTable(benchmark::State& state) {
  const TableFile file(state.range(0) != 0);
  for (auto _ : state) {
    const LocalMapResult result = ReadLocalMap(file.path(), "imap");
    if (result.map == nullptr || result.map->size() != kLines) {
      state.SkipWithError("not read");
      break;
    }
  }
  state.SetItemsProcessed(state.iterations() * kLines);
}
BENCHMARK(BM_ReadTable)
    ->ArgName("hashes")
    ->Arg(0)
    ->Arg(1)
    ->Unit(benchmark::kMillisecond);

void BM_Find(benchmark::State& state) {
  const TableFile file(/*hashes=*/false);
  const auto map = ReadLocalMap(file.path(), "imap").map;
  int number = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(map->Find(NameOf(number)));
    number = (number + 7919) % kLines;
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_Find);

}  // namespace
}  // namespace gatehouse

BENCHMARK_MAIN();
