#ifndef GATEHOUSE_LIB_SERVER_LOCAL_MAP_WATCH_H_
#define GATEHOUSE_LIB_SERVER_LOCAL_MAP_WATCH_H_

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "lib/base/log.h"
#include "lib/server/local_map_file.h"

namespace gatehouse {

// Reads localFile maps again when their files have changed. A new file that
// has faults, or is missing, leaves the old map in place, and the log says
// where the fault is. Used by one thread.
class LocalMapReloader {
 public:
  // `log` must outlive this object.
  LocalMapReloader(std::vector<std::shared_ptr<LocalMapFile>> files,
                   LogSink& log);

  // Looks at every file. One that has changed is read at the second look that
  // finds it so, for its writer may still be at it.
  void Look();

 private:
  struct Watched {
    std::shared_ptr<LocalMapFile> file;
    std::optional<FileVersion> read;  // what the map, or the last fault, is of
    std::optional<FileVersion> seen;
  };

  void Reload(Watched& watched);

  LogSink& log_;
  std::vector<Watched> watched_;
};

// The thread that looks, twice a second: stat(2) also sees what inotify(7)
// doesn't, files on NFS and behind a symbolic link that is put elsewhere.
class LocalMapWatch {
 public:
  LocalMapWatch(std::vector<std::shared_ptr<LocalMapFile>> files, LogSink& log);
  LocalMapWatch(const LocalMapWatch&) = delete;
  LocalMapWatch& operator=(const LocalMapWatch&) = delete;
  // Returns when the thread has ended.
  ~LocalMapWatch();

 private:
  void Run();

  LocalMapReloader reloader_;
  std::mutex mutex_;
  std::condition_variable stop_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_SERVER_LOCAL_MAP_WATCH_H_
