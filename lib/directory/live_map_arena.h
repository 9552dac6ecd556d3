#ifndef GATEHOUSE_LIB_DIRECTORY_LIVE_MAP_ARENA_H_
#define GATEHOUSE_LIB_DIRECTORY_LIVE_MAP_ARENA_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "lib/directory/live_map_memory.h"

namespace gatehouse {

// Bytes that are only ever added, and words that many records share (host
// names, domains), each kept once.
//
// One thread writes. Others may read what was there before an atomic store of
// that thread, which they have seen: nothing of it changes or moves any more.
class LiveMapArena {
 public:
  // Together what 32 bits can tell apart. No piece lies in two chunks.
  static constexpr size_t kChunkBytes = kHugePageBytes;
  static constexpr size_t kMaxChunks = 2048;
  // With less than so many words, references to them stay short.
  static constexpr size_t kMaxWords = size_t{1} << 16;

  // Adds a piece, and gives its place, which is never below kFirstOffset; 0
  // where there is no room.
  static constexpr uint32_t kFirstOffset = 16;
  static constexpr size_t kMaxPieceBytes = kChunkBytes - kFirstOffset;
  uint32_t Append(std::string_view bytes);
  const char* At(uint32_t offset) const {
    return chunks_[offset / kChunkBytes].get() + offset % kChunkBytes;
  }
  // From there to the end of its chunk.
  std::string_view From(uint32_t offset) const {
    return {At(offset), kChunkBytes - offset % kChunkBytes};
  }

  // Has the processor bring so many bytes from there at once, while whoever
  // reads them would wait for one line of its cache after another.
  void Prefetch(uint32_t offset, size_t bytes) const {
    constexpr size_t kCacheLineBytes = 64;
    for (size_t i = 0; i < bytes; i += kCacheLineBytes) {
      __builtin_prefetch(At(offset) + i);
    }
  }

  // The number of a word, added if need be: 0 for "", nothing else. Gives
  // kNoWord where there is no room for another one.
  static constexpr uint32_t kNoWord = 0xffffffff;
  uint32_t Intern(std::string_view word);
  std::string_view Word(uint32_t number) const;
  size_t word_count() const { return word_count_; }

  // The writer's: what the arena takes, its own tables included.
  size_t bytes() const;
  size_t appended_bytes() const { return end_; }

  // The writer's: for bytes that readers leave alone.
  char* Writable(uint32_t offset) {
    return chunks_[offset / kChunkBytes].get() + offset % kChunkBytes;
  }

 private:
  struct WordPlace {
    uint32_t offset = 0;
    uint32_t length = 0;
  };
  static constexpr size_t kWordsInBlock = 1024;

  // Fixed, so that no reader sees them move.
  std::array<HugeArray<char>, kMaxChunks> chunks_;
  std::array<std::unique_ptr<WordPlace[]>, kMaxWords / kWordsInBlock> words_;
  // The writer's own.
  size_t chunk_count_ = 0;
  size_t end_ = 0;
  size_t word_count_ = 1;  // number 0 is ""
  absl::flat_hash_map<absl::string_view, uint32_t> word_numbers_;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_DIRECTORY_LIVE_MAP_ARENA_H_
