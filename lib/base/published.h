#ifndef GATEHOUSE_LIB_BASE_PUBLISHED_H_
#define GATEHOUSE_LIB_BASE_PUBLISHED_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>

namespace gatehouse {

// A value that somebody replaces from time to time, and that all threads read
// all the time. Every call from any thread.
template <typename T>
class Published {
 public:
  using Value = std::shared_ptr<const T>;

  explicit Published(Value value = nullptr) : value_(std::move(value)) {}

  Value Load() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return value_;
  }
  // Returns what was there before.
  Value Exchange(Value value) {
    const std::lock_guard<std::mutex> lock(mutex_);
    value_.swap(value);
    version_.fetch_add(1, std::memory_order_release);
    return value;
  }
  // Of the value, or of one before it.
  uint64_t version() const { return version_.load(std::memory_order_acquire); }

 private:
  // Not a std::atomic<std::shared_ptr>, which is a lock, too, and in libstdc++
  // 12 one that a load gives up without ordering itself before the next store.
  mutable std::mutex mutex_;
  Value value_;
  std::atomic<uint64_t> version_ = 0;
};

// One thread's view: takes the lock only where the value has been replaced, so
// that threads that read don't wait for each other. What it has seen last it
// holds until it looks again.
template <typename T>
class PublishedView {
 public:
  explicit PublishedView(std::shared_ptr<Published<T>> source)
      : source_(std::move(source)),
        version_(source_->version()),
        value_(source_->Load()) {}

  const typename Published<T>::Value& Get() {
    const uint64_t version = source_->version();
    if (version != version_) {
      value_ = source_->Load();
      version_ = version;
    }
    return value_;
  }
  Published<T>& source() { return *source_; }

 private:
  const std::shared_ptr<Published<T>> source_;
  uint64_t version_;
  typename Published<T>::Value value_;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_BASE_PUBLISHED_H_
