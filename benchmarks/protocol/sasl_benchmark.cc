// What SASL PLAIN costs on either side.

#include <benchmark/benchmark.h>

#include <variant>

#include "lib/protocol/sasl.h"

namespace gatehouse {
namespace {

UpstreamLogin Login() {
  UpstreamLogin login;
  login.user = "user@example.com";
  login.secret = Secret("correct horse battery staple");
  return login;
}

void BM_EncodePlain(benchmark::State& state) {
  const UpstreamLogin login = Login();
  for (auto _ : state) {
    benchmark::DoNotOptimize(EncodeBase64(UpstreamMessage(login)));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_EncodePlain);

void BM_DecodePlain(benchmark::State& state) {
  DownstreamOptions options;
  options.plaintext_login_allowed = true;
  const Secret message = EncodeBase64(UpstreamMessage(Login()));
  SaslExchange exchange;
  for (auto _ : state) {
    const SaslStep step = exchange.Start("PLAIN", message.Reveal(), options);
    if (!std::holds_alternative<LoginAttempt>(step)) {
      state.SkipWithError("not taken for PLAIN");
      break;
    }
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_DecodePlain);

}  // namespace
}  // namespace gatehouse

BENCHMARK_MAIN();
