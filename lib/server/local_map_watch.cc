#include "lib/server/local_map_watch.h"

#include <chrono>
#include <utility>

namespace gatehouse {
namespace {

constexpr std::chrono::milliseconds kLook(500);

}  // namespace

LocalMapReloader::LocalMapReloader(
    std::vector<std::shared_ptr<LocalMapFile>> files, LogSink& log)
    : log_(log) {
  for (auto& file : files) {
    const FileVersion version = file->version;
    watched_.push_back({std::move(file), version, version});
  }
}

void LocalMapReloader::Look() {
  for (Watched& watched : watched_) {
    const auto version = FileVersion::Of(watched.file->file);
    const bool still = version == watched.seen;
    watched.seen = version;
    if (still && version != watched.read) Reload(watched);
  }
}

void LocalMapReloader::Reload(Watched& watched) {
  watched.read = watched.seen;
  LocalMapResult result =
      ReadLocalMap(watched.file->file, watched.file->service);
  for (const std::string& fault : result.faults) {
    log_.Write(LogRecord("local_map_refused", LogRecord::Level::kError)
                   .Text("detail", fault));
  }
  if (result.map == nullptr) return;
  watched.read = result.version;
  const size_t entries = result.map->size();
  watched.file->map.Store(std::move(result.map));
  log_.Write(LogRecord("local_map_reloaded")
                 .Text("file", watched.file->file)
                 .Number("entries", static_cast<int64_t>(entries)));
}

LocalMapWatch::LocalMapWatch(std::vector<std::shared_ptr<LocalMapFile>> files,
                             LogSink& log)
    : reloader_(std::move(files), log), thread_([this] { Run(); }) {}

LocalMapWatch::~LocalMapWatch() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  stop_.notify_one();
  thread_.join();
}

void LocalMapWatch::Run() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (!stop_.wait_for(lock, kLook, [this] { return stopping_; })) {
    lock.unlock();
    reloader_.Look();
    lock.lock();
  }
}

}  // namespace gatehouse
