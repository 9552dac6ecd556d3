#include "lib/protocol/smtp/smtp_envelope.h"

namespace gatehouse {

std::string FormatSmtpMail(const SmtpMail& mail,
                           const SmtpExtensions& offered) {
  std::string command = "MAIL FROM:<";
  if (mail.sender) command += mail.sender->ToString();
  command += '>';
  if (mail.size && offered.size) {
    command += " SIZE=" + std::to_string(*mail.size);
  }
  if (mail.body_8bit && offered.eight_bit_mime) command += " BODY=8BITMIME";
  if (mail.utf8 && offered.utf8) command += " SMTPUTF8";
  if (offered.dsn && !mail.ret.empty()) command += " RET=" + mail.ret;
  if (offered.dsn && !mail.envid.empty()) command += " ENVID=" + mail.envid;
  return command;
}

std::string FormatSmtpRcpt(const SmtpRcpt& rcpt,
                           const SmtpExtensions& offered) {
  std::string command = "RCPT TO:<" + rcpt.recipient.ToString() + '>';
  if (offered.dsn && !rcpt.notify.empty()) command += " NOTIFY=" + rcpt.notify;
  if (offered.dsn && !rcpt.orcpt.empty()) command += " ORCPT=" + rcpt.orcpt;
  return command;
}

}  // namespace gatehouse
