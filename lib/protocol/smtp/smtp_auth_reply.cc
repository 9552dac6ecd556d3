#include "lib/protocol/smtp/smtp_auth_reply.h"

namespace gatehouse {

SmtpReply SmtpReplyFor(LoginRefusal::Kind kind) {
  switch (kind) {
    case LoginRefusal::Kind::kCredentials:
      return MakeSmtpReply(535, "5.7.8", "Authentication failed.");
    case LoginRefusal::Kind::kAuthorization:
      return MakeSmtpReply(535, "5.7.8", "Authorization refused.");
    case LoginRefusal::Kind::kExpired:
      return MakeSmtpReply(535, "5.7.8", "The password has expired.");
    case LoginRefusal::Kind::kContactAdmin:
      return MakeSmtpReply(454, "4.3.5",
                           "Ask your mail administrator for help.");
    case LoginRefusal::Kind::kOverQuota:
      return MakeSmtpReply(454, "4.2.2", "The mailbox is over its quota.");
    case LoginRefusal::Kind::kLimit:
      return MakeSmtpReply(454, "4.7.0",
                           "Too many connections or failed logins.");
    case LoginRefusal::Kind::kUnavailable:
    case LoginRefusal::Kind::kInUse:
    case LoginRefusal::Kind::kLoginDelay:
      break;
  }
  return MakeSmtpReply(454, "4.7.0",
                       "Temporarily unavailable, try again later.");
}

SmtpReply SmtpReplyFor(SaslError error) {
  switch (error) {
    case SaslError::kUnknownMechanism:
      return MakeSmtpReply(504, "5.5.4", "This mechanism isn't offered.");
    case SaslError::kEncryptionNeeded:
      return MakeSmtpReply(538, "5.7.11", "Use STARTTLS first.");
    case SaslError::kCancelled:
      return MakeSmtpReply(501, "5.7.0", "Cancelled.");
    case SaslError::kMalformed:
      return MakeSmtpReply(501, "5.5.2",
                           "Not base64, or not a message of the mechanism.");
    case SaslError::kRefusedCredentials:
      break;
  }
  return SmtpReplyFor(LoginRefusal::Kind::kCredentials);
}

}  // namespace gatehouse
