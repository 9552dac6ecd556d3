// What it costs to make a search's filter for a name.

#include <benchmark/benchmark.h>

#include "lib/directory/ldap_filter.h"
#include "lib/directory/login_name.h"

namespace gatehouse {
namespace {

// An ordinary name, and one of which every octet is quoted.
const LoginName kNames[] = {{"firstname.lastname", "example.com"},
                            {"((((((((((********))", "example.com"}};

void BM_QuoteFilterValue(benchmark::State& state) {
  const std::string value = kNames[state.range(0)].Whole();
  for (auto _ : state) benchmark::DoNotOptimize(QuoteFilterValue(value));
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_QuoteFilterValue)->ArgName("hostile")->Arg(0)->Arg(1);

void BM_FillFilter(benchmark::State& state) {
  const auto filter = FilterTemplate::Create(
      "(&(objectClass=inetLocalMailRecipient)(mailLocalAddress=%e))");
  for (auto _ : state) {
    benchmark::DoNotOptimize(filter->Fill(kNames[state.range(0)]));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_FillFilter)->ArgName("hostile")->Arg(0)->Arg(1);

}  // namespace
}  // namespace gatehouse

BENCHMARK_MAIN();
