#ifndef GATEHOUSE_LIB_SERVER_LIVE_MAP_THREADS_H_
#define GATEHOUSE_LIB_SERVER_LIVE_MAP_THREADS_H_

#include <map>
#include <memory>
#include <string>

#include "lib/base/log.h"
#include "lib/server/runtime.h"

namespace gatehouse {

// Keeps the live maps of a configuration as their directories are: for each map
// a thread with a loop of its own, so that no flood of changes is in the way of
// logins.
class LiveMapThreads {
 public:
  // `log` must outlive it.
  explicit LiveMapThreads(LogSink& log);
  ~LiveMapThreads();

  // Follows the maps of `runtime` from now on. One that was followed goes on.
  void Use(const Runtime& runtime);

 private:
  class Thread;

  LogSink& log_;
  std::map<std::shared_ptr<LiveMap>, std::unique_ptr<Thread>> threads_;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_SERVER_LIVE_MAP_THREADS_H_
