#include "lib/base/byte_queue.h"

#include <string.h>

#include <algorithm>
#include <utility>

namespace gatehouse {
namespace {
constexpr size_t kSmallestAllocation = 256;
}  // namespace

ByteQueue::ByteQueue(ByteQueue&& other) noexcept
    : data_(std::move(other.data_)),
      capacity_(std::exchange(other.capacity_, 0)),
      begin_(std::exchange(other.begin_, 0)),
      end_(std::exchange(other.end_, 0)) {}

ByteQueue& ByteQueue::operator=(ByteQueue&& other) noexcept {
  if (this != &other) {
    Clear();
    data_ = std::move(other.data_);
    capacity_ = std::exchange(other.capacity_, 0);
    begin_ = std::exchange(other.begin_, 0);
    end_ = std::exchange(other.end_, 0);
  }
  return *this;
}

ByteQueue::~ByteQueue() { Clear(); }

void ByteQueue::Append(std::string_view bytes) {
  if (bytes.empty()) return;
  Reserve(bytes.size());
  memcpy(data_.get() + end_, bytes.data(), bytes.size());
  end_ += bytes.size();
}

void ByteQueue::Consume(size_t count) {
  begin_ += std::min(count, size());
  if (begin_ == end_) Clear();
}

void ByteQueue::Clear() {
  if (data_ != nullptr) explicit_bzero(data_.get(), end_);
  data_.reset();
  capacity_ = begin_ = end_ = 0;
}

void ByteQueue::Reserve(size_t additional) {
  if (capacity_ - end_ >= additional) return;
  const size_t held = size();
  const size_t needed = held + additional;
  if (needed <= capacity_ && begin_ >= capacity_ / 2) {
    memmove(data_.get(), data_.get() + begin_, held);
  } else {
    const size_t grown =
        std::max({kSmallestAllocation, needed, std::min(2 * held, needed * 2)});
    std::unique_ptr<char[]> data(new char[grown]);
    if (held > 0) memcpy(data.get(), data_.get() + begin_, held);
    if (data_ != nullptr) explicit_bzero(data_.get(), end_);
    data_ = std::move(data);
    capacity_ = grown;
  }
  begin_ = 0;
  end_ = held;
}

}  // namespace gatehouse
