#ifndef GATEHOUSE_LIB_SESSION_MAIL_ROUTE_H_
#define GATEHOUSE_LIB_SESSION_MAIL_ROUTE_H_

#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "absl/functional/any_invocable.h"
#include "lib/base/failure.h"
#include "lib/net/network.h"
#include "lib/protocol/smtp/smtp_envelope.h"
#include "lib/protocol/smtp/smtp_reply.h"
#include "lib/session/mail_settings.h"
#include "lib/session/session_settings.h"
#include "lib/session/upstream_session.h"

namespace gatehouse {

// A server that mail is handed on to. What is pointed to lives as long as the
// settings that it was made from.
struct MailHost {
  const Protocol* protocol = nullptr;
  const UpstreamSettings* upstream = nullptr;
  UpstreamTarget target;
  const MailRelay* relay = nullptr;  // null: a store
  bool lmtp = false;

  // Alike for two that one transaction may go to.
  std::string Name() const;
};

MailHost HostOf(const MailRelay& relay);

// Where one recipient's mail goes, and by which name it is known there.
struct MailRoute {
  MailHost host;
  SmtpRcpt rcpt;
};

struct MailUnroutable {
  SmtpReply reply;
  // Where somebody is at fault whom the operator should hear of.
  std::optional<Failure> failure;
};

using MailRouteResult = std::variant<MailRoute, MailUnroutable>;

// Finds the store of a recipient of ours: asks the directory for the address,
// then without its detail, then for "@domain"; where it knows none, the default
// upstream is taken. mailRoutingAddress replaces the recipient, and the detail
// is put to it again; the former address goes along as ORCPT (RFC 3461 §4.2).
//
// The settings outlive the operation. Where the directory knows all from memory
// that is the answer, and `done` isn't called; else it is, once, later.
using MailRouting = std::variant<MailRouteResult, std::unique_ptr<Operation>>;
MailRouting LocateRecipient(const SessionSettings& settings,
                            const MailSettings& mail, const SmtpRcpt& rcpt,
                            absl::AnyInvocable<void(MailRouteResult)> done);

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_SESSION_MAIL_ROUTE_H_
