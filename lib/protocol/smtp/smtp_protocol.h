#ifndef GATEHOUSE_LIB_PROTOCOL_SMTP_SMTP_PROTOCOL_H_
#define GATEHOUSE_LIB_PROTOCOL_SMTP_SMTP_PROTOCOL_H_

#include "lib/protocol/machine.h"

namespace gatehouse {

// SMTP as the session sees it. The downstream machine is that of submission in
// the home mode (RFC 6409): EHLO, STARTTLS and AUTH until a LoginAttempt; the
// session is then joined to the account's own host. The upstream machine
// greets, upgrades, sends XCLIENT where asked to, and logs in; with
// UpstreamLogin::Method::kNone it is ready without a login, for SmtpSender.
const Protocol& SmtpProtocol();

// The same to LMTP servers (RFC 2033): LHLO.
const Protocol& LmtpProtocol();

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_PROTOCOL_SMTP_SMTP_PROTOCOL_H_
