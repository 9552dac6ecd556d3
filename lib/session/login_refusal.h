#ifndef GATEHOUSE_LIB_SESSION_LOGIN_REFUSAL_H_
#define GATEHOUSE_LIB_SESSION_LOGIN_REFUSAL_H_

#include <memory>
#include <string_view>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "lib/directory/directory.h"
#include "lib/net/network.h"
#include "lib/protocol/events.h"
#include "lib/session/session_record.h"
#include "lib/session/session_settings.h"

namespace gatehouse {

// What every kind of session does alike when it lets nobody in.

// What the client is told when the directory denies `name`. A disabled account
// gets the words of a wrong password: nobody is told that the guessed one was
// right. The record gets the name only if there is somebody of that name.
LoginRefusal::Kind NoteDenial(Denial denial, std::string_view name,
                              SessionRecord& record);

// Whether so many logins of the client's address have failed of late that
// nobody is asked about another one (failed_logins_per_address).
bool HasFailedTooOften(const SessionSettings& settings,
                       const SessionRecord& record, absl::Time now);

// Counts a refusal, and calls `answer` when the client is to hear of it, never
// inside the call. A refusal from which a guesser could learn comes
// `failure_delay` after the attempt `began`, times the failed logins of the
// session, of the address or of the name whose password it was, whichever are
// the most, but never more than eight times: else a client that guesses would
// begin anew with each connection.
std::unique_ptr<Operation> AnswerRefusal(
    Network& network, const SessionSettings& settings, SessionRecord& record,
    LoginRefusal::Kind kind, std::string_view name, absl::Time began,
    absl::AnyInvocable<void()> answer);

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_SESSION_LOGIN_REFUSAL_H_
