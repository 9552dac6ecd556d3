#ifndef GATEHOUSE_LIB_PROTOCOL_SMTP_SMTP_ENVELOPE_H_
#define GATEHOUSE_LIB_PROTOCOL_SMTP_SMTP_ENVELOPE_H_

#include <cstdint>
#include <optional>
#include <string>

#include "lib/protocol/smtp/smtp_address.h"
#include "lib/protocol/smtp/smtp_keywords.h"

namespace gatehouse {

// The two envelope commands, read from a client and written to upstreams.
// Parameters that a client may not set for others (AUTH=, RFC 4954 §5) are
// read, checked and forgotten.

struct SmtpMail {
  std::optional<SmtpAddress> sender;  // nothing: the null path <>
  std::optional<uint64_t> size;       // SIZE= (RFC 1870)
  bool body_8bit = false;             // BODY=8BITMIME (RFC 6152)
  bool utf8 = false;                  // SMTPUTF8 (RFC 6531)
  bool prdr = false;                  // PRDR
  // DSN (RFC 3461), checked, as they were written; empty where not given.
  std::string ret;
  std::string envid;
};

struct SmtpRcpt {
  SmtpAddress recipient;
  std::string notify;  // DSN, as above
  std::string orcpt;
};

// The commands without CRLF, for a server that offers `offered`: what it
// doesn't offer isn't said.
std::string FormatSmtpMail(const SmtpMail& mail, const SmtpExtensions& offered);
std::string FormatSmtpRcpt(const SmtpRcpt& rcpt, const SmtpExtensions& offered);

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_PROTOCOL_SMTP_SMTP_ENVELOPE_H_
