#ifndef GATEHOUSE_LIB_PROTOCOL_SMTP_SMTP_REPLY_H_
#define GATEHOUSE_LIB_PROTOCOL_SMTP_SMTP_REPLY_H_

#include <string>
#include <string_view>
#include <vector>

namespace gatehouse {

// One reply of an SMTP or LMTP server (RFC 5321 §4.2, RFC 2034).
struct SmtpReply {
  int code = 0;                    // 200 to 599
  std::string enhanced;            // "5.1.1"; empty where there is none
  std::vector<std::string> lines;  // texts, without codes; at least one

  bool positive() const { return code >= 200 && code < 300; }
  bool temporary() const { return code >= 400 && code < 500; }
  bool permanent() const { return code >= 500; }
};

// A reply of ours: one line, e.g. {550, "5.1.1", "No such user"}.
SmtpReply MakeSmtpReply(int code, std::string_view enhanced,
                        std::string_view text);

// As it goes over the wire, each line with its code, the enhanced code and
// CRLF. Whatever isn't printable ASCII in texts becomes '?', also what a client
// that said SMTPUTF8 could read: a server's words are no more trusted for that.
// Lines are cut at 512 octets.
std::string FormatSmtpReply(const SmtpReply& reply);

// For logs: "550 5.1.1 No such user", the first line only.
std::string Summary(const SmtpReply& reply);

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_PROTOCOL_SMTP_SMTP_REPLY_H_
