#include "lib/directory/move_feed.h"

#include <utility>

namespace gatehouse {

int MoveFeed::Subscribe(Observer observer) {
  std::lock_guard<std::mutex> lock(mutex_);
  observers_.emplace(next_subscription_, std::move(observer));
  return next_subscription_++;
}

void MoveFeed::Unsubscribe(int subscription) {
  std::lock_guard<std::mutex> lock(mutex_);
  observers_.erase(subscription);
}

void MoveFeed::Tell(std::vector<Move> moves) {
  if (moves.empty()) return;
  const auto shared =
      std::make_shared<const std::vector<Move>>(std::move(moves));
  std::lock_guard<std::mutex> lock(mutex_);
  for (const auto& [subscription, observer] : observers_) observer(shared);
}

MoveListener::MoveListener(Network& network, MoveFeed& feed)
    : feed_(feed),
      subscription_(feed.Subscribe(
          [&network, weak = std::weak_ptr(self_)](const Moves& moves) {
            network.Post([weak, moves] {
              for (const Move& move : *moves) {
                const auto self = weak.lock();
                if (self == nullptr) return;
                (*self)->Tell(move.user, move.host);
              }
            });
          })) {}

MoveListener::~MoveListener() { feed_.Unsubscribe(subscription_); }

void MoveListener::set_observer(Directory::MoveObserver observer) {
  observer_ = std::move(observer);
}

void MoveListener::Tell(std::string_view user,
                        const std::optional<Endpoint>& host) {
  if (observer_) observer_(user, host);
}

}  // namespace gatehouse
