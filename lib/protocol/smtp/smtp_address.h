#ifndef GATEHOUSE_LIB_PROTOCOL_SMTP_SMTP_ADDRESS_H_
#define GATEHOUSE_LIB_PROTOCOL_SMTP_SMTP_ADDRESS_H_

#include <optional>
#include <string>
#include <string_view>

namespace gatehouse {

// A mailbox of an SMTP envelope (RFC 5321 §4.1.2, with RFC 6531's UTF-8): one
// reading of it, by which it is routed and with which it is handed on, so that
// no upstream can read another address in the same octets.
struct SmtpAddress {
  // Unquoted: `"a b"@x` has the local part `a b`.
  std::string local_part;
  // Lower case, as it was written otherwise; an address literal with its
  // brackets. Empty only for <Postmaster>.
  std::string domain;

  bool empty() const { return local_part.empty() && domain.empty(); }
  bool is_ascii() const;
  // "local@domain", quoted again only where it must be; for logs, the
  // directory and the wire ("<" and ">" not included).
  std::string ToString() const;
};

// A mailbox, or "postmaster". An empty local part, whatever isn't quite the
// RFC's syntax and everything beyond its sizes (64, 255, 254 octets) is
// refused.
std::optional<SmtpAddress> ParseSmtpAddress(std::string_view text);

// What stands between "<" and ">", the null path excluded: an address, or a
// source route and a mailbox ("@a,@b:user@c"). The route is read and forgotten
// (RFC 5321 §3.6.1, appendix C): the mailbox alone says where mail goes, and
// whether it may; what is handed on has no route.
std::optional<SmtpAddress> ParseSmtpPath(std::string_view text);

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_PROTOCOL_SMTP_SMTP_ADDRESS_H_
