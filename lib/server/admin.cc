#include "lib/server/admin.h"

#include <utility>

namespace gatehouse {
namespace {

// A scraper asks once in a while; more at once is somebody's mistake.
constexpr size_t kMostRequests = 32;
constexpr size_t kLongestRequestBytes = 8192;
constexpr absl::Duration kRequestTimeout = absl::Seconds(5);

std::string Response(std::string_view status, std::string_view body) {
  std::string text = "HTTP/1.0 ";
  text.append(status).append("\r\nContent-Type: text/plain; version=0.0.4\r\n");
  text.append("Content-Length: ").append(std::to_string(body.size()));
  return text.append("\r\nConnection: close\r\n\r\n").append(body);
}

}  // namespace

// One connection: gathers the request's head, answers, and goes.
class Admin::Request : private StreamHandler {
 public:
  Request(Admin& admin, std::unique_ptr<Stream> stream)
      : admin_(admin), stream_(std::move(stream)) {
    stream_->set_handler(this);
    timeout_ = admin_.network_.StartTimer(kRequestTimeout,
                                          [this] { admin_.Forget(this); });
    stream_->ResumeReading();
  }

 private:
  void OnData(std::string_view bytes) override {
    head_ += bytes;
    const bool complete = head_.find("\r\n\r\n") != std::string::npos ||
                          head_.find("\n\n") != std::string::npos;
    if (!complete && head_.size() <= kLongestRequestBytes) return;
    const std::string_view head = head_;
    stream_->Write(admin_.Answer(head.substr(0, head.find_first_of("\r\n"))));
    Stream::CloseAfterFlush(std::move(stream_));
    admin_.Forget(this);
  }
  void OnEof() override { admin_.Forget(this); }
  void OnFailure(const Failure& failure) override { admin_.Forget(this); }

  Admin& admin_;
  std::unique_ptr<Stream> stream_;
  std::unique_ptr<Operation> timeout_;
  std::string head_;
};

Admin::Admin(Network& network, std::string_view service,
             std::vector<std::shared_ptr<WorkerStats>> stats)
    : network_(network), service_(service), stats_(std::move(stats)) {}

Admin::~Admin() = default;

void Admin::set_live_maps(LiveMaps maps) {
  std::lock_guard<std::mutex> lock(live_maps_mutex_);
  live_maps_ = std::move(maps);
}

void Admin::Forget(Request* request) { requests_.erase(request); }

absl::StatusOr<std::unique_ptr<Admin>> Admin::Open(
    Network& network, const SocketAddress& address, std::string_view service,
    std::vector<std::shared_ptr<WorkerStats>> stats) {
  std::unique_ptr<Admin> admin(new Admin(network, service, std::move(stats)));
  auto listener =
      network.Listen(address, ListenOptions{},
                     [raw = admin.get()](std::unique_ptr<Stream> stream) {
                       raw->OnAccept(std::move(stream));
                     });
  if (!listener.ok()) return listener.status();
  admin->listener_ = std::move(*listener);
  return admin;
}

void Admin::OnAccept(std::unique_ptr<Stream> stream) {
  if (requests_.size() >= kMostRequests) return;  // and so closes it
  auto request = std::make_unique<Request>(*this, std::move(stream));
  requests_.emplace(request.get(), std::move(request));
}

std::string Admin::Answer(std::string_view request_line) const {
  if (request_line.starts_with("GET /metrics ")) {
    std::lock_guard<std::mutex> lock(live_maps_mutex_);
    return Response("200 OK",
                    ToMetrics(stats_, service_) +
                        ToMetrics(live_maps_, service_, network_.Now()));
  }
  if (request_line.starts_with("GET /healthz ")) {
    return draining_ ? Response("503 Service Unavailable", "draining\n")
                     : Response("200 OK", "ok\n");
  }
  return Response("404 Not Found", "no such page\n");
}

}  // namespace gatehouse
