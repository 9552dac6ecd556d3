#ifndef GATEHOUSE_LIB_DIRECTORY_LIVE_MAP_TABLE_H_
#define GATEHOUSE_LIB_DIRECTORY_LIVE_MAP_TABLE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "lib/directory/live_map_memory.h"

namespace gatehouse {

// Which records have a key: by 32 bits of the key's hash, so that whoever finds
// one must look whether it is the right one. Open addressing; a slot is one
// atomic word, the record's place and, with `kKeepsHash`, the hash: that is
// twice the memory, and spares looking at records of other hashes. Several
// records may have one hash.
//
// One thread writes while others read: a record that is replaced is seen as it
// was or as it is, and what stays is always seen. The table doesn't grow; the
// writer makes another one by Copy().
template <bool kKeepsHash>
class LiveMapTable {
 public:
  explicit LiveMapTable(size_t capacity)
      : capacity_(capacity),
        slots_(MakeHugeArray<std::atomic<Slot>>(capacity)) {}

  // Calls `take(offset)` for each record that may have the hash, until it gives
  // true.
  template <typename Take>
  void Find(uint32_t hash, Take take) const {
    for (size_t i = FirstSlot(hash);; i = Next(i)) {
      const Slot slot = slots_[i].load(std::memory_order_acquire);
      if (slot == kEmpty) return;
      if (slot != SlotFor(hash, OffsetOf(slot))) continue;
      if (OffsetOf(slot) != kGone && take(OffsetOf(slot))) return;
    }
  }

  // For `more` of Add(), without making readers walk far.
  bool HasRoomFor(size_t more) const {
    return (used_ + more) * 100 <= capacity_ * kMostPercent;
  }
  // With room for so many more, and for some. `hash_of(offset)` is only asked
  // where the hash isn't kept.
  template <typename HashOf>
  LiveMapTable Copy(size_t more, HashOf hash_of) const {
    LiveMapTable copy((size_ + more) * 100 / kLeastPercent + kLeastCapacity);
    for (size_t i = 0; i < capacity_; ++i) {
      const Slot slot = slots_[i].load(std::memory_order_relaxed);
      if (OffsetOf(slot) <= kGone) continue;
      if constexpr (kKeepsHash) {
        copy.Add(static_cast<uint32_t>(slot >> 32), OffsetOf(slot));
      } else {
        copy.Add(hash_of(OffsetOf(slot)), OffsetOf(slot));
      }
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
    Set(Place(hash, offset), hash, with);
  }
  void Remove(uint32_t hash, uint32_t offset) {
    Set(Place(hash, offset), hash, kGone);
    --size_;
  }

  // The writer's walk over all; `visit` changes nothing.
  template <typename Visit>
  void ForEach(Visit visit) const {
    for (size_t i = 0; i < capacity_; ++i) {
      const Slot slot = slots_[i].load(std::memory_order_relaxed);
      if (OffsetOf(slot) > kGone) visit(OffsetOf(slot));
    }
  }

  // The same for a reader, until `take(offset)` gives true.
  template <typename Take>
  void Scan(Take take) const {
    for (size_t i = 0; i < capacity_; ++i) {
      const Slot slot = slots_[i].load(std::memory_order_acquire);
      if (OffsetOf(slot) > kGone && take(OffsetOf(slot))) return;
    }
  }

  size_t size() const { return size_; }
  size_t bytes() const { return capacity_ * sizeof(Slot); }

 private:
  using Slot = std::conditional_t<kKeepsHash, uint64_t, uint32_t>;
  // To look at a record costs far more than to look at a slot.
  static constexpr size_t kMostPercent = kKeepsHash ? 90 : 75;
  static constexpr size_t kLeastPercent = kKeepsHash ? 82 : 62;
  static constexpr size_t kLeastCapacity = 64;
  static constexpr Slot kEmpty = 0;
  static constexpr uint32_t kGone = 1;  // no record's place

  static uint32_t OffsetOf(Slot slot) { return static_cast<uint32_t>(slot); }
  static Slot SlotFor(uint32_t hash, uint32_t offset) {
    if constexpr (kKeepsHash) return Slot{hash} << 32 | offset;
    return offset;
  }
  size_t FirstSlot(uint32_t hash) const { return hash * capacity_ >> 32; }
  size_t Next(size_t i) const { return i + 1 == capacity_ ? 0 : i + 1; }

  size_t Place(uint32_t hash, uint32_t offset) const {
    const Slot wanted = SlotFor(hash, offset);
    size_t i = FirstSlot(hash);
    while (slots_[i].load(std::memory_order_relaxed) != wanted) i = Next(i);
    return i;
  }
  void Set(size_t i, uint32_t hash, uint32_t offset) {
    slots_[i].store(SlotFor(hash, offset), std::memory_order_release);
  }

  size_t capacity_;
  HugeArray<std::atomic<Slot>> slots_;
  // The writer's own.
  size_t used_ = 0;  // with what is gone
  size_t size_ = 0;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_DIRECTORY_LIVE_MAP_TABLE_H_
