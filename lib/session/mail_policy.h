#ifndef GATEHOUSE_LIB_SESSION_MAIL_POLICY_H_
#define GATEHOUSE_LIB_SESSION_MAIL_POLICY_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/protocol/smtp/smtp_address.h"
#include "lib/protocol/smtp/smtp_reply.h"
#include "lib/session/mail_settings.h"

namespace gatehouse {

// Who may send what to whom: no I/O, no state, one table.

// Who hands in a message.
struct MailParty {
  MailRole role = MailRole::kInbound;
  bool authenticated = false;
  // Of the account that has logged in: what it may send as. "@example.com"
  // stands for a whole domain.
  std::vector<std::string> addresses;
};

enum class MailVerdict {
  kLocal,           // ours: the directory says where
  kRelay,           // for MailSettings::relay_host
  kLoginFirst,      // submission before AUTH
  kSenderNotOwned,  // somebody else's sender address
  kRelayDenied,
};

// The null sender is nothing. A recipient without a domain is <Postmaster>,
// which every server takes (RFC 5321 §4.5.1).
//
// A recipient of ours whose local part could be read as a way on by the next
// server ("user%elsewhere@ours", "elsewhere!user@ours",
// `"user@elsewhere"@ours`) is denied: that server trusts us, and would relay.
MailVerdict JudgeMail(const MailSettings& settings, const MailParty& party,
                      const std::optional<SmtpAddress>& sender,
                      const SmtpAddress& recipient);

// The part of JudgeMail() that MAIL can be answered by.
bool MaySendAs(const MailSettings& settings, const MailParty& party,
               const std::optional<SmtpAddress>& sender);

// What the client hears; not for kLocal and kRelay.
SmtpReply ReplyTo(MailVerdict verdict);

// In A-labels, as configured domains and those of the directory are; a client
// that speaks SMTPUTF8 may write U-labels. Empty where it can't be a domain.
std::string ToAsciiDomain(std::string_view domain);

// As the directory is asked for it: its domain in A-labels, and one spelling of
// its local part, where it has several (ParseLoginName()).
SmtpAddress Normalised(const SmtpAddress& address);

bool IsLocalDomain(const MailSettings& settings, std::string_view domain);

// Where mail for <Postmaster> goes: the first of our domains that is one and
// not all below it. At least one is configured.
std::string PostmasterDomain(const MailSettings& settings);

// The local part without its detail; nothing where it has none.
std::optional<std::string> WithoutDetail(std::string_view local_part,
                                         std::string_view delimiter);

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_SESSION_MAIL_POLICY_H_
