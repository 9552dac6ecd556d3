#include "lib/session/upstream_pool.h"

#include <algorithm>
#include <utility>

namespace gatehouse {

class UpstreamPool::Idle : private MailConnection::User {
 public:
  Idle(UpstreamPool& pool, std::string_view name,
       std::unique_ptr<MailConnection> connection)
      : pool_(pool), name_(name), connection_(std::move(connection)) {
    connection_->set_user(*this);
    timer_ = pool.network_.StartTimer(pool.limits_.idle, [this] {
      MailConnection::Close(std::move(connection_));
      pool_.Remove(this);
    });
  }

  const std::string& name() const { return name_; }
  // The answer to its RSET has come.
  bool fit() const { return connection_->sender().idle(); }
  std::unique_ptr<MailConnection> TakeConnection() {
    return std::move(connection_);
  }

 private:
  void OnAnswer(const SmtpSender::Answered& answered) override {
    const bool to_reset = answered.to == SmtpSender::Answered::To::kReset;
    if (to_reset && !answered.reply.positive()) pool_.Remove(this);
  }
  void OnLost(const Failure& failure) override { pool_.Remove(this); }

  UpstreamPool& pool_;
  const std::string name_;
  std::unique_ptr<MailConnection> connection_;
  std::unique_ptr<Operation> timer_;
};

UpstreamPool::UpstreamPool(Network& network, const UpstreamPoolLimits& limits)
    : network_(network), limits_(limits) {}

UpstreamPool::~UpstreamPool() = default;

std::string UpstreamPool::Name(std::string_view scope, std::string_view host) {
  return std::string(scope) + " " + std::string(host);
}

std::unique_ptr<MailConnection> UpstreamPool::Take(std::string_view name) {
  const auto found = std::find_if(
      idle_.rbegin(), idle_.rend(),
      [&](const auto& idle) { return idle->name() == name && idle->fit(); });
  if (found == idle_.rend()) return nullptr;
  auto connection = (*found)->TakeConnection();
  idle_.erase(std::next(found).base());
  return connection;
}

void UpstreamPool::Keep(std::string_view name,
                        std::unique_ptr<MailConnection> connection) {
  const auto kept =
      std::count_if(idle_.begin(), idle_.end(),
                    [&](const auto& idle) { return idle->name() == name; });
  if (connection->messages() >= limits_.messages ||
      idle_.size() >= limits_.connections ||
      static_cast<size_t>(kept) >= limits_.per_upstream) {
    return MailConnection::Close(std::move(connection));
  }
  if (!connection->sender().idle()) {
    connection->sender().Reset();
    connection->Flush();
  }
  idle_.push_back(std::make_unique<Idle>(*this, name, std::move(connection)));
}

void UpstreamPool::CloseScope(std::string_view scope) {
  const std::string beginning = Name(scope, "");
  std::erase_if(idle_, [&](const auto& idle) {
    if (!idle->name().starts_with(beginning)) return false;
    MailConnection::Close(idle->TakeConnection());
    return true;
  });
}

void UpstreamPool::Remove(const Idle* idle) {
  std::erase_if(idle_, [&](const auto& kept) { return kept.get() == idle; });
}

}  // namespace gatehouse
