#include "lib/protocol/event_names.h"

namespace gatehouse {

std::optional<LoginRefusal::Kind> LoginRefusalNamed(std::string_view name) {
  for (size_t i = 0; i < kLoginRefusalNames.size(); ++i) {
    if (kLoginRefusalNames[i] == name) {
      return static_cast<LoginRefusal::Kind>(i);
    }
  }
  return std::nullopt;
}

std::string_view NameOf(Closed::Reason reason) {
  switch (reason) {
    case Closed::Reason::kLogout:
      return "logout";
    case Closed::Reason::kEof:
      return "eof";
    case Closed::Reason::kTooManyErrors:
      return "too_many_errors";
    case Closed::Reason::kTooManyFailedLogins:
      return "too_many_failed_logins";
    case Closed::Reason::kLimit:
      return "limit";
    case Closed::Reason::kViolation:
      return "violation";
    case Closed::Reason::kShutdown:
      return "shutdown";
  }
  return "unknown";
}

}  // namespace gatehouse
