#ifndef GATEHOUSE_LIB_BASE_BYTE_QUEUE_H_
#define GATEHOUSE_LIB_BASE_BYTE_QUEUE_H_

#include <cstddef>
#include <memory>
#include <string_view>

namespace gatehouse {

// Bytes appended at the back and consumed at the front, held in one piece.
//
// An empty queue owns no memory: what waits in a session costs nothing between
// bursts. Memory that is given back is wiped first, because a queue may have
// held a password. Not safe for several threads.
class ByteQueue {
 public:
  ByteQueue() = default;
  ByteQueue(ByteQueue&& other) noexcept;
  ByteQueue& operator=(ByteQueue&& other) noexcept;
  ~ByteQueue();

  void Append(std::string_view bytes);

  // Drops `count` bytes (at most size()) from the front.
  void Consume(size_t count);

  // Drops everything and gives the memory back.
  void Clear();

  // All that is held. Valid until the next non-const call.
  std::string_view bytes() const {
    return std::string_view(data_.get() + begin_, end_ - begin_);
  }
  size_t size() const { return end_ - begin_; }
  bool empty() const { return begin_ == end_; }

 private:
  void Reserve(size_t additional);

  std::unique_ptr<char[]> data_;
  size_t capacity_ = 0;
  size_t begin_ = 0;
  size_t end_ = 0;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_BASE_BYTE_QUEUE_H_
