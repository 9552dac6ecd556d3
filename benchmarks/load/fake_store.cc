// A mail store that is only fast: IMAP, POP3, SMTP and LMTP for any user, the
// helper that nginx's mail proxy asks, and a port that tells what was counted.
// Prints its ports as one line of JSON and serves until it is killed.

#include <csignal>
#include <cstdio>
#include <map>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "benchmarks/load/flags.h"
#include "benchmarks/load/imap_store.h"
#include "benchmarks/load/line_stores.h"
#include "benchmarks/load/sockets.h"
#include "benchmarks/load/store_worker.h"

namespace gatehouse::load {
namespace {

// A store on every address of --addresses, at the same ports.
class FakeStore {
 public:
  FakeStore(std::string address, const Flags& flags)
      : address_(std::move(address)), flags_(flags) {}

  void AddTo(StoreWorker& worker) {
    worker.Serve(Listen("imap"),
                 [this] { return std::make_unique<ImapStore>(counts_); });
    worker.Serve(Listen("pop3"),
                 [this] { return std::make_unique<Pop3Store>(counts_); });
    worker.Serve(Listen("smtp"),
                 [this] { return std::make_unique<SmtpStore>(counts_); });
    ports_for_nginx_ = {ports_["imap"], ports_["pop3"], ports_["smtp"]};
    worker.Serve(Listen("nginx_auth"), [this] {
      return std::make_unique<NginxAuthHelper>(ports_for_nginx_);
    });
    worker.Serve(Listen("counts"),
                 [this] { return std::make_unique<CountsTeller>(counts_); });
  }

  std::string PortsToJson() const {
    std::string json;
    for (const auto& [name, port] : ports_) {
      json += json.empty() ? "{" : ",";
      json += "\"" + name + "\":" + std::to_string(port);
    }
    return json + "}";
  }

  StoreCounts& counts() { return counts_; }

 private:
  // The first thread's port is whatever the kernel chose; the others share it.
  int Listen(const std::string& name) {
    auto [entry, is_first] = ports_.try_emplace(name, 0);
    if (is_first) entry->second = flags_.Number(name + "_port");
    int listener = ListenOn(address_, entry->second);
    entry->second = LocalPort(listener);
    return listener;
  }

  const std::string address_;
  const Flags& flags_;
  StoreCounts counts_;
  std::map<std::string, uint16_t> ports_;
  NginxAuthHelper::Ports ports_for_nginx_;
};

int Main(int argc, char** argv) {
  Flags flags(argc, argv,
              {{"address", "127.0.0.1"},
               {"threads", "2"},
               {"imap_port", "0"},
               {"pop3_port", "0"},
               {"smtp_port", "0"},
               {"nginx_auth_port", "0"},
               {"counts_port", "0"}});
  std::signal(SIGPIPE, SIG_IGN);
  FakeStore store(flags.Text("address"), flags);
  std::vector<std::unique_ptr<StoreWorker>> workers;
  for (uint64_t i = 0; i < flags.Number("threads"); ++i) {
    workers.push_back(std::make_unique<StoreWorker>(store.counts()));
    store.AddTo(*workers.back());
  }
  std::printf("%s\n", store.PortsToJson().c_str());
  std::fflush(stdout);
  std::vector<std::thread> threads;
  for (auto& worker : workers) {
    threads.emplace_back([&worker] { worker->Run(); });
  }
  for (std::thread& thread : threads) thread.join();
  return 0;
}

}  // namespace
}  // namespace gatehouse::load

int main(int argc, char** argv) { return gatehouse::load::Main(argc, argv); }
