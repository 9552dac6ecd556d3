#include "lib/net/loop_test_kit.h"

#include <filesystem>
#include <iterator>

namespace gatehouse {

int OpenDescriptors() {
  const std::filesystem::directory_iterator open("/proc/self/fd");
  return std::distance(begin(open), end(open));
}

}  // namespace gatehouse
