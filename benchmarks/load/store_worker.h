#ifndef GATEHOUSE_BENCHMARKS_LOAD_STORE_WORKER_H_
#define GATEHOUSE_BENCHMARKS_LOAD_STORE_WORKER_H_

#include <functional>
#include <memory>
#include <vector>

#include "benchmarks/load/poller.h"
#include "benchmarks/load/store_protocol.h"

namespace gatehouse::load {

// One thread of the store: accepts on its own sockets and serves what it
// accepted, for as long as the process lives.
class StoreWorker {
 public:
  using MakeProtocol = std::function<std::unique_ptr<StoreProtocol>()>;

  explicit StoreWorker(StoreCounts& counts);
  ~StoreWorker();

  // Before Run(). Takes over the descriptor.
  void Serve(int listener, MakeProtocol make_protocol);

  [[noreturn]] void Run();

 private:
  class Acceptor;
  class Connection;

  StoreCounts& counts_;
  Poller poller_;
  std::vector<char> read_buffer_;
  std::vector<std::unique_ptr<Acceptor>> acceptors_;
};

}  // namespace gatehouse::load

#endif  // GATEHOUSE_BENCHMARKS_LOAD_STORE_WORKER_H_
