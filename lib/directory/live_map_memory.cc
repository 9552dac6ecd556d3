#include "lib/directory/live_map_memory.h"

#include <sys/mman.h>

#include "lib/base/check.h"

namespace gatehouse {
namespace {

constexpr size_t kCacheLineBytes = 64;

}  // namespace

void* AllocateInHugePages(size_t bytes) {
  const bool fills_one = bytes >= kHugePageBytes;
  void* memory = nullptr;
  const int error = posix_memalign(
      &memory, fills_one ? kHugePageBytes : kCacheLineBytes, bytes);
  GATEHOUSE_CHECK(error == 0, "out of memory");
  // Advice only: a kernel without them is but slower.
  if (fills_one) madvise(memory, bytes, MADV_HUGEPAGE);
  return memory;
}

}  // namespace gatehouse
