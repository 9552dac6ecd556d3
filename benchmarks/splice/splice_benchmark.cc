// Bytes from a store through a Splice to a client, over four sockets of one
// loop. What the two ends spend is counted too: look at differences.

#include <benchmark/benchmark.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "lib/net/uv_network.h"
#include "lib/splice/splice.h"

namespace gatehouse {
namespace {

// An end that counts what it gets and stops the loop when that is enough.
class End : public StreamHandler {
 public:
  explicit End(UvNetwork& network) : network_(network) {}

  void Take(std::unique_ptr<Stream> stream) {
    stream_ = std::move(stream);
    stream_->set_handler(this);
  }
  Stream& stream() { return *stream_; }
  std::unique_ptr<Stream> Release() { return std::move(stream_); }
  bool taken() const { return stream_ != nullptr; }

  // False where the connection ends before.
  bool Await(size_t bytes) {
    awaited_ = bytes;
    while (!failed_ && received_ < awaited_) network_.Run();
    received_ -= awaited_;
    return !failed_;
  }

 private:
  void OnData(std::string_view bytes) override {
    received_ += bytes.size();
    if (received_ >= awaited_) network_.Stop();
  }
  void OnEof() override { Fail(); }
  void OnFailure(const Failure& failure) override { Fail(); }
  void Fail() {
    failed_ = true;
    network_.Stop();
  }

  UvNetwork& network_;
  std::unique_ptr<Stream> stream_;
  size_t awaited_ = 0;
  size_t received_ = 0;
  bool failed_ = false;
};

void Join(UvNetwork& network, End& accepted, End& connected) {
  const auto stop_when_joined = [&] {
    if (accepted.taken() && connected.taken()) network.Stop();
  };
  auto listener = network.Listen(*SocketAddress::Parse("127.0.0.1", 0), {},
                                 [&](std::unique_ptr<Stream> stream) {
                                   accepted.Take(std::move(stream));
                                   stop_when_joined();
                                 });
  auto connect = network.Connect(
      (*listener)->local(), {}, [&](Network::ConnectResult result) {
        connected.Take(std::move(std::get<std::unique_ptr<Stream>>(result)));
        stop_when_joined();
      });
  network.Run();
}

class NoOwner : public SpliceOwner {
  std::string_view LastWords() const override { return {}; }
  void OnSpliceEnd(const SpliceResult& result) override {}
};

// Bursts of so many bytes. Those of 16 KiB are read and written; in those of
// 4 MiB the kernel moves all but what is at hand first and last.
void BM_FromStore(benchmark::State& state) {
  const std::string burst(state.range(0), 'x');
  auto network = UvNetwork::Create();
  End client(*network), downstream(*network), upstream(*network),
      store(*network);
  Join(*network, downstream, client);
  Join(*network, upstream, store);
  const SpliceOptions options;
  NoOwner owner;
  Splice splice(*network, downstream.Release(), upstream.Release(), options,
                owner);
  splice.Start("", "");
  client.stream().ResumeReading();
  for (auto _ : state) {
    store.stream().Write(burst);
    if (!client.Await(burst.size())) {
      state.SkipWithError("the connection has ended");
      break;
    }
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_FromStore)->ArgName("burst")->Arg(16 << 10)->Arg(4 << 20);

}  // namespace
}  // namespace gatehouse

BENCHMARK_MAIN();
