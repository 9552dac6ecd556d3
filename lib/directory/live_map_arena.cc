#include "lib/directory/live_map_arena.h"

#include <cstring>

#include "lib/base/check.h"
#include "lib/base/string_bridge.h"

namespace gatehouse {

uint32_t LiveMapArena::Append(std::string_view bytes) {
  GATEHOUSE_CHECK(bytes.size() <= kMaxPieceBytes, "a piece is too large");
  const bool fits = end_ < chunk_count_ * kChunkBytes &&
                    end_ % kChunkBytes + bytes.size() <= kChunkBytes;
  if (!fits) {
    if (chunk_count_ == kMaxChunks) return 0;
    end_ = chunk_count_ == 0 ? kFirstOffset : chunk_count_ * kChunkBytes;
    chunks_[chunk_count_++] = MakeHugeArray<char>(kChunkBytes);
  }
  const auto offset = static_cast<uint32_t>(end_);
  if (!bytes.empty()) {
    std::memcpy(Writable(offset), bytes.data(), bytes.size());
  }
  end_ += bytes.size();
  return offset;
}

uint32_t LiveMapArena::Intern(std::string_view word) {
  if (word.empty()) return 0;
  const auto found = word_numbers_.find(ToAbsl(word));
  if (found != word_numbers_.end()) return found->second;
  if (word_count_ == kMaxWords) return kNoWord;
  const uint32_t offset = Append(word);
  if (offset == 0) return kNoWord;
  const uint32_t number = static_cast<uint32_t>(word_count_++);
  auto& block = words_[number / kWordsInBlock];
  if (block == nullptr) block = std::make_unique<WordPlace[]>(kWordsInBlock);
  block[number % kWordsInBlock] = {offset, static_cast<uint32_t>(word.size())};
  word_numbers_.emplace(absl::string_view(At(offset), word.size()), number);
  return number;
}

std::string_view LiveMapArena::Word(uint32_t number) const {
  if (number == 0) return {};
  const WordPlace& place =
      words_[number / kWordsInBlock][number % kWordsInBlock];
  return std::string_view(At(place.offset), place.length);
}

size_t LiveMapArena::bytes() const {
  constexpr size_t kBlockBytes = kWordsInBlock * sizeof(WordPlace);
  constexpr size_t kSlotBytes = sizeof(absl::string_view) + 8 + 1;
  return sizeof(*this) + chunk_count_ * kChunkBytes +
         (word_count_ + kWordsInBlock - 1) / kWordsInBlock * kBlockBytes +
         word_numbers_.capacity() * kSlotBytes;
}

}  // namespace gatehouse
