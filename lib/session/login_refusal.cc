#include "lib/session/login_refusal.h"

#include <algorithm>
#include <utility>

namespace gatehouse {
namespace {

// With the default delay 16 seconds: mail clients wait longer than that, and
// three of them fit into the default login timeout.
constexpr int kMostDelays = 8;

}  // namespace

LoginRefusal::Kind NoteDenial(Denial denial, std::string_view name,
                              SessionRecord& record) {
  if (denial != Denial::kNotFound) record.user = name;
  return denial == Denial::kExpired ? LoginRefusal::Kind::kExpired
                                    : LoginRefusal::Kind::kCredentials;
}

bool HasFailedTooOften(const SessionSettings& settings,
                       const SessionRecord& record, absl::Time now) {
  return settings.failed_logins != nullptr &&
         settings.failed_logins_per_address > 0 &&
         settings.failed_logins->OfAddress(record.peer, now) >=
             settings.failed_logins_per_address;
}

std::unique_ptr<Operation> AnswerRefusal(
    Network& network, const SessionSettings& settings, SessionRecord& record,
    LoginRefusal::Kind kind, std::string_view name, absl::Time began,
    absl::AnyInvocable<void()> answer) {
  if (!BlamesClient(kind)) return network.Defer(std::move(answer));
  int failures = ++record.failed_logins;
  if (settings.failed_logins != nullptr) {
    const absl::Time now = network.Now();
    failures = std::max(failures,
                        settings.failed_logins->Note(record.peer, name, now));
  }
  const absl::Time due =
      began + settings.failure_delay * std::min(failures, kMostDelays);
  const absl::Duration delay = due - network.Now();
  return delay <= absl::ZeroDuration()
             ? network.Defer(std::move(answer))
             : network.StartTimer(delay, std::move(answer));
}

}  // namespace gatehouse
