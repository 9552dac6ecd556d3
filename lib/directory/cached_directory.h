#ifndef GATEHOUSE_LIB_DIRECTORY_CACHED_DIRECTORY_H_
#define GATEHOUSE_LIB_DIRECTORY_CACHED_DIRECTORY_H_

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "lib/base/log.h"
#include "lib/directory/directory.h"
#include "lib/directory/directory_cache.h"
#include "lib/directory/login_name.h"
#include "lib/directory/move_feed.h"
#include "lib/net/network.h"

namespace gatehouse {

// A directory that remembers what the one behind it has said.
//
//  - Locate() gives a known location, or a denial, without asking while it is
//    young, and what the directory says otherwise.
//  - Authenticate() asks the directory each time, unless `password_ttl` is set:
//    then a password that it has lately found right is right without asking,
//    until the directory, or the upstream, refuses that name a password once.
//  - While the directory is out of reach (any Failure but kConfiguration, which
//    is an answer: entries that contradict each other), a known location, and a
//    known password, are good for `stale_ttl`. So known users go on, and others
//    get the Failure. The log says so ("directory_stale", once a minute).
//  - A location whose mailbox is being moved isn't remembered; without
//    `keep_locations` none is.
//
// The move observer hears of every account that any of the directories on one
// cache has seen at another host than before.
//
// One per worker, on its network's thread. Not to be destroyed from one of its
// callbacks.
class CachedDirectory : public Directory {
 public:
  // `network` and `log` must outlive it. `rules` are those of `behind`: names
  // that are the same to it share an entry.
  CachedDirectory(Network& network, LogSink& log, LoginNameRules rules,
                  std::unique_ptr<Directory> behind,
                  std::shared_ptr<DirectoryCache> cache);

  std::unique_ptr<Operation> Authenticate(std::string_view name,
                                          const Secret& secret,
                                          AuthenticateCallback done) override;
  std::unique_ptr<Operation> Locate(std::string_view name,
                                    LocateCallback done) override;
  std::optional<LocateResult> LocateNow(std::string_view name) override;
  std::vector<Location> SampleLocations(size_t most) override {
    return behind_->SampleLocations(most);
  }
  void ForgetPassword(std::string_view name) override;
  void set_move_observer(MoveObserver observer) override;

 private:
  class Login;

  bool IsYoung(absl::Time since, absl::Duration limit) {
    return network_.Now() - since < limit;
  }
  std::optional<LocateResult> Remembered(std::string_view key);
  LocateResult Learn(const std::string& key, LocateResult result);
  void Remember(const std::string& key, const SharedLocation& location);
  void RememberPassword(const std::string& key, const Account& account,
                        const Secret& secret);
  void LogStale(const std::string& key, const Failure& failure);

  Network& network_;
  LogSink& log_;
  const LoginNameRules rules_;
  const std::unique_ptr<Directory> behind_;
  const std::shared_ptr<DirectoryCache> cache_;
  const DirectoryCacheOptions& options_ = cache_->options();
  MoveListener moves_{network_, cache_->moves()};
  absl::Time next_stale_log_ = absl::InfinitePast();
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_DIRECTORY_CACHED_DIRECTORY_H_
