#ifndef GATEHOUSE_LIB_PROTOCOL_EVENT_NAMES_H_
#define GATEHOUSE_LIB_PROTOCOL_EVENT_NAMES_H_

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

#include "lib/protocol/events.h"

namespace gatehouse {

// What events tell, in the words of logs, metrics and transcripts.

// By LoginRefusal::Kind.
inline constexpr std::array<std::string_view, 9> kLoginRefusalNames = {
    "credentials", "authorization", "unavailable", "contact_admin", "expired",
    "in_use",      "login_delay",   "over_quota",  "limit"};
static_assert(static_cast<size_t>(LoginRefusal::Kind::kLimit) + 1 ==
              kLoginRefusalNames.size());

constexpr std::string_view NameOf(LoginRefusal::Kind kind) {
  return kLoginRefusalNames[static_cast<size_t>(kind)];
}

std::optional<LoginRefusal::Kind> LoginRefusalNamed(std::string_view name);

std::string_view NameOf(Closed::Reason reason);

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_PROTOCOL_EVENT_NAMES_H_
