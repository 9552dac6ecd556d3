#ifndef GATEHOUSE_LIB_DIRECTORY_LIVE_MAP_MEMORY_H_
#define GATEHOUSE_LIB_DIRECTORY_LIVE_MAP_MEMORY_H_

#include <cstddef>
#include <cstdlib>
#include <memory>

namespace gatehouse {

// The memory of a live map is asked at places that no cache foresees. In pages
// of 4 KiB nearly every look waits twice: for what is there, and for where it
// is (the TLB). So it lies in huge pages, where it fills one and the kernel has
// them.
inline constexpr size_t kHugePageBytes = size_t{2} << 20;

void* AllocateInHugePages(size_t bytes);  // never null

struct FreeHugePages {
  void operator()(void* memory) const { std::free(memory); }
};
// Of what needs no destructor.
template <typename T>
using HugeArray = std::unique_ptr<T[], FreeHugePages>;

// All zero.
template <typename T>
HugeArray<T> MakeHugeArray(size_t count) {
  auto* memory = static_cast<T*>(AllocateInHugePages(count * sizeof(T)));
  std::uninitialized_value_construct_n(memory, count);
  return HugeArray<T>(memory);
}

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_DIRECTORY_LIVE_MAP_MEMORY_H_
