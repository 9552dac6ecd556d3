#ifndef GATEHOUSE_LIB_PROTOCOL_SMTP_SMTP_COMMAND_H_
#define GATEHOUSE_LIB_PROTOCOL_SMTP_SMTP_COMMAND_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "lib/protocol/smtp/smtp_envelope.h"
#include "lib/protocol/smtp/smtp_keywords.h"
#include "lib/protocol/smtp/smtp_reply.h"

namespace gatehouse {

// The syntax of a client's commands. `arguments` is what follows the verb and
// one space. Where a command is refused, the reply says why.

// "FROM:<path> parameters". `offered`: parameters of other extensions are
// refused (555 5.5.4), and a SIZE beyond the one offered (552 5.3.4).
std::variant<SmtpMail, SmtpReply> ParseSmtpMail(std::string_view arguments,
                                                const SmtpExtensions& offered);

// "TO:<path> parameters". `utf8`: SMTPUTF8 was said in MAIL. Local parts that
// servers read as a further route ("%", "!", "@") are refused.
std::variant<SmtpRcpt, SmtpReply> ParseSmtpRcpt(std::string_view arguments,
                                                const SmtpExtensions& offered,
                                                bool utf8);

// "n" or "n LAST" of BDAT (RFC 3030 §2). Nothing where it isn't known how many
// octets follow: no command can be found behind them.
struct SmtpChunkHeader {
  uint64_t octets = 0;
  bool last = false;
};
std::optional<SmtpChunkHeader> ParseSmtpBdat(std::string_view arguments);

// What a client may call itself in EHLO: a name or an address literal.
bool IsSmtpHelo(std::string_view name);

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_PROTOCOL_SMTP_SMTP_COMMAND_H_
