#ifndef GATEHOUSE_LIB_DIRECTORY_MOVE_FEED_H_
#define GATEHOUSE_LIB_DIRECTORY_MOVE_FEED_H_

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/endpoint.h"
#include "lib/directory/directory.h"
#include "lib/net/network.h"

namespace gatehouse {

// An account that is seen at another host than before.
struct Move {
  std::string user;              // canonical
  std::optional<Endpoint> host;  // nothing: at the default upstream
};
using Moves = std::shared_ptr<const std::vector<Move>>;

// Tells directories of all workers what one thread has seen. Every call from
// any thread.
class MoveFeed {
 public:
  // Runs on the thread that tells and under a lock: it may do no more than
  // Network::Post. Never again after Unsubscribe() has returned.
  using Observer = std::function<void(const Moves&)>;
  int Subscribe(Observer observer);
  void Unsubscribe(int subscription);

  void Tell(std::vector<Move> moves);

 private:
  std::mutex mutex_;
  std::map<int, Observer> observers_;
  int next_subscription_ = 0;
};

// A directory's end of a feed: its observer hears of the moves on the network's
// thread, as long as this object lives.
class MoveListener {
 public:
  // Both must outlive it.
  MoveListener(Network& network, MoveFeed& feed);
  MoveListener(const MoveListener&) = delete;
  MoveListener& operator=(const MoveListener&) = delete;
  ~MoveListener();

  void set_observer(Directory::MoveObserver observer);
  void Tell(std::string_view user, const std::optional<Endpoint>& host);

 private:
  MoveFeed& feed_;
  Directory::MoveObserver observer_;
  // Expires with the listener: a move may be on its way from another thread.
  const std::shared_ptr<MoveListener*> self_ =
      std::make_shared<MoveListener*>(this);
  const int subscription_;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_DIRECTORY_MOVE_FEED_H_
