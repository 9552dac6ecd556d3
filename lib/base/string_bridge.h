#ifndef GATEHOUSE_LIB_BASE_STRING_BRIDGE_H_
#define GATEHOUSE_LIB_BASE_STRING_BRIDGE_H_

#include <string_view>

#include "absl/strings/string_view.h"

namespace gatehouse {

// Debian builds abseil with a string_view type of its own. Gatehouse speaks
// std::string_view everywhere; these two lines are the one boundary.
inline absl::string_view ToAbsl(std::string_view text) {
  return absl::string_view(text.data(), text.size());
}
inline std::string_view FromAbsl(absl::string_view text) {
  return std::string_view(text.data(), text.size());
}

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_BASE_STRING_BRIDGE_H_
