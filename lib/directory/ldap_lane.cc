#include "lib/directory/ldap_lane.h"

#include <algorithm>
#include <iterator>
#include <utility>
#include <variant>

namespace gatehouse {

LdapLane::LdapLane(Network& network, std::shared_ptr<const LdapOptions> options,
                   std::string url, LdapConnection::Role role, Limits limits,
                   Owner& owner)
    : network_(network),
      options_(std::move(options)),
      url_(std::move(url)),
      role_(role),
      limits_(limits),
      owner_(owner) {}

void LdapLane::Submit(LdapRequestPtr request) {
  request->connection = nullptr;
  waiting_.push_back(std::move(request));
  Pump();
}

void LdapLane::Pump() {
  while (!waiting_.empty()) {
    LdapConnection* connection = Choose();
    if (connection == nullptr) break;
    const LdapRequestPtr request = waiting_.front();
    if (!Send(*connection, request)) continue;
  }
  while (waiting_.size() > openings_.size() &&
         connections_.size() + openings_.size() < limits_.max_connections) {
    OpenOne();
  }
}

LdapConnection* LdapLane::Choose() {
  LdapConnection* best = nullptr;
  for (const auto& connection : connections_) {
    if (connection->lost() || connection->pending() >= limits_.max_pending) {
      continue;
    }
    if (best == nullptr || connection->pending() < best->pending()) {
      best = connection.get();
    }
  }
  return best;
}

// False where the connection was found lost, and the request still waits.
bool LdapLane::Send(LdapConnection& connection, const LdapRequestPtr& request) {
  auto on_reply = [this, request](LdapReply reply) {
    OnReply(request, std::move(reply));
  };
  LdapConnection::SendResult result =
      request->is_bind()
          ? connection.Bind(request->dn, request->secret, std::move(on_reply))
          : connection.Search(request->search, options_->timeout,
                              std::move(on_reply));
  Failure* failure = std::get_if<Failure>(&result);
  if (failure != nullptr && connection.lost()) return false;
  waiting_.pop_front();
  if (failure != nullptr) {
    owner_.OnReply(request, std::move(*failure));
    return true;
  }
  request->connection = &connection;
  request->id = std::get<int>(result);
  request->sent_at = network_.Now();
  ++request->sends;
  sent_.push_back(request);
  return true;
}

void LdapLane::OnReply(const LdapRequestPtr& request, LdapReply reply) {
  std::erase(sent_, request);
  request->connection = nullptr;
  const Failure* failure = std::get_if<Failure>(&reply);
  if (failure != nullptr && failure->kind == Failure::Kind::kReset) CloseIdle();
  owner_.OnReply(request, std::move(reply));
  Pump();
}

void LdapLane::OpenOne() {
  const auto opening = openings_.emplace(openings_.end());
  *opening =
      LdapConnection::Open(network_, options_, url_, role_,
                           [this, opening](LdapConnection::OpenResult result) {
                             OnOpenResult(opening, std::move(result));
                           });
}

void LdapLane::OnOpenResult(
    std::list<std::unique_ptr<Operation>>::iterator opening,
    LdapConnection::OpenResult result) {
  const std::unique_ptr<Operation> finished = std::move(*opening);
  openings_.erase(opening);
  if (auto* failure = std::get_if<Failure>(&result)) {
    return owner_.OnOpenFailed(*failure);
  }
  connections_.push_back(
      std::move(std::get<std::unique_ptr<LdapConnection>>(result)));
  LdapConnection* connection = connections_.back().get();
  connection->set_on_lost([this, connection] {
    Close(connection);
    Pump();
    owner_.OnConnectionLost();
  });
  owner_.OnOpened();
  Pump();
}

void LdapLane::Close(LdapConnection* connection) {
  std::erase_if(connections_, [connection](const auto& candidate) {
    return candidate.get() == connection;
  });
}

void LdapLane::Remove(const LdapRequestPtr& request) {
  if (request->connection == nullptr) {
    std::erase(waiting_, request);
    return;
  }
  std::erase(sent_, request);
  LdapConnection* connection = std::exchange(request->connection, nullptr);
  if (request->is_bind()) {
    Close(connection);
  } else {
    connection->Abandon(request->id);
  }
  Pump();
}

std::vector<LdapRequestPtr> LdapLane::TakeWaiting() {
  openings_.clear();
  std::vector<LdapRequestPtr> taken(waiting_.begin(), waiting_.end());
  waiting_.clear();
  return taken;
}

std::vector<LdapRequestPtr> LdapLane::TakeAll() {
  openings_.clear();
  connections_.clear();
  std::vector<LdapRequestPtr> taken = std::exchange(sent_, {});
  for (const LdapRequestPtr& request : taken) request->connection = nullptr;
  std::move(waiting_.begin(), waiting_.end(), std::back_inserter(taken));
  waiting_.clear();
  return taken;
}

void LdapLane::CloseIdle() {
  std::erase_if(connections_, [](const auto& connection) {
    return !connection->lost() && connection->pending() == 0;
  });
}

}  // namespace gatehouse
