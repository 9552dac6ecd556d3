// A gateway of one's own: Gatehouse's library with a directory that isn't LDAP.
//
// Listens on 127.0.0.1 (port 1143, or the first argument) and sends everybody
// whose name begins with a..m to one store, and the rest to another; the stores
// check the passwords. Three things make a gateway: a Directory, the settings
// that sessions share, and an owner that keeps the sessions.

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>

#include "lib/base/log.h"
#include "lib/directory/directory.h"
#include "lib/net/uv_network.h"
#include "lib/protocol/imap/imap_protocol.h"
#include "lib/session/session.h"

namespace {

using namespace gatehouse;

class AlphabetDirectory : public Directory {
 public:
  AlphabetDirectory(Network& network, Endpoint first, Endpoint second)
      : network_(network),
        first_(std::move(first)),
        second_(std::move(second)) {}

  // Never asked: authenticate_on_proxy is off.
  std::unique_ptr<Operation> Authenticate(std::string_view, const Secret&,
                                          AuthenticateCallback done) override {
    return network_.Defer(
        [done = std::move(done)]() mutable { done(Denial::kNotFound); });
  }

  // Answers never come inside the call: hence Defer().
  std::unique_ptr<Operation> Locate(std::string_view name,
                                    LocateCallback done) override {
    auto location = std::make_shared<Location>();
    location->user = std::string(name);
    location->host = name < "n" ? first_ : second_;
    return network_.Defer([location, done = std::move(done)]() mutable {
      done(std::move(location));
    });
  }

 private:
  Network& network_;
  const Endpoint first_;
  const Endpoint second_;
};

class StdoutLog : public LogSink {
 public:
  void Write(const LogRecord& record) override {
    std::printf("%s\n", record.event().c_str());
    std::fflush(stdout);
  }
};

class Gateway : public SessionOwner {
 public:
  Gateway(Network& network, LogSink& log,
          std::shared_ptr<const SessionSettings> settings)
      : network_(network), log_(log), settings_(std::move(settings)) {
    auto listener = std::make_shared<ListenerSettings>();
    listener->name = "example";
    listener_ = std::move(listener);
  }

  void Accept(std::unique_ptr<Stream> stream) {
    auto session = std::make_unique<Session>(
        network_, log_, settings_, listener_, std::move(stream), *this);
    Session& begun = *session;
    sessions_.emplace(&begun, std::move(session));
    begun.Start();
  }

  void OnEnded(ClientSession& session) override { sessions_.erase(&session); }

 private:
  Network& network_;
  LogSink& log_;
  const std::shared_ptr<const SessionSettings> settings_;
  std::shared_ptr<const ListenerSettings> listener_;
  std::unordered_map<ClientSession*, std::unique_ptr<ClientSession>> sessions_;
};

}  // namespace

int main(int argc, char** argv) {
  const uint16_t port = argc > 1 ? std::atoi(argv[1]) : 1143;
  const auto first = Endpoint::Parse(argc > 2 ? argv[2] : "127.0.0.1:10143");
  const auto second = Endpoint::Parse(argc > 3 ? argv[3] : "127.0.0.1:10144");
  if (!first || !second) return std::fprintf(stderr, "no such host\n"), 2;

  const auto network = UvNetwork::Create();
  auto settings = std::make_shared<SessionSettings>();
  settings->protocol = &ImapProtocol();
  settings->host_name = "gateway.example.com";
  settings->directory =
      std::make_shared<AlphabetDirectory>(*network, *first, *second);
  settings->authenticate_on_proxy = false;
  settings->upstream.port = 143;

  StdoutLog log;
  Gateway gateway(*network, log, std::move(settings));
  const auto listener =
      network->Listen(*SocketAddress::Parse("127.0.0.1", port), ListenOptions{},
                      [&gateway](std::unique_ptr<Stream> stream) {
                        gateway.Accept(std::move(stream));
                      });
  if (!listener.ok()) {
    return std::fprintf(stderr, "%s\n", listener.status().ToString().c_str()),
           1;
  }
  std::printf("listening on %s\n", (*listener)->local().ToString().c_str());
  std::fflush(stdout);
  network->Run();
}
