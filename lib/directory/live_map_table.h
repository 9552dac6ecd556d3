#ifndef GATEHOUSE_LIB_DIRECTORY_LIVE_MAP_TABLE_H_
#define GATEHOUSE_LIB_DIRECTORY_LIVE_MAP_TABLE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace gatehouse {

// Which records have a key: by 32 bits of the key's hash, so that whoever finds
// one must look whether it is the right one. Open addressing; a slot is one
// atomic word, the hash and the record's place. Several records may have one
// hash.
//
// One thread writes while others read: a record that is replaced is seen as it
// was or as it is, and what stays is always seen. The table doesn't grow; the
// writer makes another one by Copy().
class LiveMapTable {
 public:
  explicit LiveMapTable(size_t capacity)
      : capacity_(capacity),
        slots_(std::make_unique<std::atomic<uint64_t>[]>(capacity)) {}

  // Calls `take(offset)` for each record with the hash, until it gives true.
  template <typename Take>
  void Find(uint32_t hash, Take take) const {
    for (size_t i = FirstSlot(hash);; i = Next(i)) {
      const uint64_t slot = slots_[i].load(std::memory_order_acquire);
      if (slot == kEmpty) return;
      if (HashOf(slot) != hash || OffsetOf(slot) == kGone) continue;
      if (take(OffsetOf(slot))) return;
    }
  }

  // For `more` of Add(), without making readers walk far.
  bool HasRoomFor(size_t more) const {
    return (used_ + more) * 5 <= capacity_ * 4;
  }
  // With room for so many more; a quarter more than is needed, so that few
  // slots are wasted.
  LiveMapTable Copy(size_t more) const {
    LiveMapTable copy((size_ + more) * 25 / 16 + kLeastCapacity);
    for (size_t i = 0; i < capacity_; ++i) {
      const uint64_t slot = slots_[i].load(std::memory_order_relaxed);
      if (OffsetOf(slot) > kGone) copy.Add(HashOf(slot), OffsetOf(slot));
    }
    return copy;
  }

  // Where HasRoomFor() has said so.
  void Add(uint32_t hash, uint32_t offset) {
    size_t i = FirstSlot(hash);
    while (slots_[i].load(std::memory_order_relaxed) != kEmpty) i = Next(i);
    Set(i, hash, offset);
    ++used_;
    ++size_;
  }
  void Replace(uint32_t hash, uint32_t offset, uint32_t with) {
    Set(SlotOf(hash, offset), hash, with);
  }
  void Remove(uint32_t hash, uint32_t offset) {
    Set(SlotOf(hash, offset), hash, kGone);
    --size_;
  }

  // The writer's walk over all; `visit` changes nothing.
  template <typename Visit>
  void ForEach(Visit visit) const {
    for (size_t i = 0; i < capacity_; ++i) {
      const uint64_t slot = slots_[i].load(std::memory_order_relaxed);
      if (OffsetOf(slot) > kGone) visit(OffsetOf(slot));
    }
  }

  size_t size() const { return size_; }
  size_t bytes() const { return capacity_ * sizeof(uint64_t); }

 private:
  static constexpr size_t kLeastCapacity = 64;
  static constexpr uint64_t kEmpty = 0;
  static constexpr uint32_t kGone = 1;  // no record's place

  static uint32_t HashOf(uint64_t slot) {
    return static_cast<uint32_t>(slot >> 32);
  }
  static uint32_t OffsetOf(uint64_t slot) {
    return static_cast<uint32_t>(slot);
  }
  size_t FirstSlot(uint32_t hash) const { return hash * capacity_ >> 32; }
  size_t Next(size_t i) const { return i + 1 == capacity_ ? 0 : i + 1; }

  size_t SlotOf(uint32_t hash, uint32_t offset) const {
    const uint64_t wanted = uint64_t{hash} << 32 | offset;
    size_t i = FirstSlot(hash);
    while (slots_[i].load(std::memory_order_relaxed) != wanted) i = Next(i);
    return i;
  }
  void Set(size_t i, uint32_t hash, uint32_t offset) {
    slots_[i].store(uint64_t{hash} << 32 | offset, std::memory_order_release);
  }

  size_t capacity_;
  std::unique_ptr<std::atomic<uint64_t>[]> slots_;
  // The writer's own.
  size_t used_ = 0;  // with what is gone
  size_t size_ = 0;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_DIRECTORY_LIVE_MAP_TABLE_H_
