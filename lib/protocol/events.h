#ifndef GATEHOUSE_LIB_PROTOCOL_EVENTS_H_
#define GATEHOUSE_LIB_PROTOCOL_EVENTS_H_

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "lib/base/failure.h"
#include "lib/base/secret.h"

namespace gatehouse {

// --- What both kinds of machine may answer to Next() ------------------------

// Nothing to do before more bytes (or EOF) are fed.
struct NeedData {};

// The machine waits for its owner's verdict (LoginAccepted, LoginRefused,
// TlsEstablished). Bytes may still be fed; they stay inside, unread.
struct Paused {};

// Write TakeOutput(), start the TLS handshake, then call TlsEstablished().
// Plaintext that came after the command has been dropped already, and nothing
// may be fed before the handshake is done.
struct StartTls {};

// The conversation is over: write TakeOutput() and close.
struct Closed {
  enum class Reason {
    kLogout,  // the peer said good-bye
    kEof,     // the peer went away
    kTooManyErrors,
    kTooManyFailedLogins,
    kLimit,      // a line, literal or command count beyond its limit
    kViolation,  // something no honest peer sends (HTTP on an IMAP port)
    kShutdown,   // Shutdown() was called
  };
  Reason reason = Reason::kLogout;
  std::string text;  // for the log
};

// --- Downstream --------------------------------------------------------------

// Front ends that one login may come through before it is taken for a loop, as
// Dovecot has it.
inline constexpr int kMostProxyHops = 5;

// How the client wants to prove who it is.
enum class Credentials {
  kPassword,  // LOGIN, USER/PASS, SASL PLAIN or LOGIN
  kToken,     // SASL OAUTHBEARER or XOAUTH2: handed through to the upstream
  kExternal,  // SASL EXTERNAL: the TLS client certificate speaks
};

// A client asks to log in. The machine is Paused until the verdict.
struct LoginAttempt {
  Credentials credentials = Credentials::kPassword;
  std::string mechanism;  // for the log: "LOGIN", "PLAIN", "USER", "XOAUTH2" …
  // The client's own spelling: never given to an upstream. Free of control
  // characters and of invalid UTF-8 (the machine refuses those itself).
  std::string user;
  // SASL authorization identity, where the client gave one that differs.
  std::string authorization_id;
  // The password, or for kToken the decoded initial client response.
  Secret secret;
  // POP3: the client has said UTF8 (RFC 6856), the upstream must hear it too.
  bool utf8 = false;
  // SMTP: what the client called itself (ClientFacts::helo).
  std::string helo;
  // How many front ends it may still come through, this one counted.
  int proxy_ttl = kMostProxyHops;
};

// Why a login was refused, in the protocols' common terms; each downstream
// machine words it in its own codes (RFC 5530, RFC 3206, RFC 3463/4954).
struct LoginRefusal {
  enum class Kind {
    kCredentials,    // wrong user or wrong password: never told apart
    kAuthorization,  // the authorization identity isn't granted
    kUnavailable,    // directory or upstream out of reach: try again later
    kContactAdmin,   // only an operator can mend it
    kExpired,        // the password has expired
    kInUse,          // POP3 [IN-USE], IMAP [INUSE]: the upstream's mailbox lock
    kLoginDelay,     // POP3 [LOGIN-DELAY]
    kOverQuota,
    kLimit,  // too many connections, or failed logins, of this user or address
  };
  Kind kind = Kind::kUnavailable;
  // For kToken: the upstream's JSON challenge (RFC 7628 §3.2.2), already
  // decoded; empty where there was none.
  std::string sasl_challenge;
};

// Whether the client gave what is refused: then it may be guessing, and is
// counted and slowed. Whoever meets an outage is neither.
constexpr bool BlamesClient(LoginRefusal::Kind kind) {
  return kind == LoginRefusal::Kind::kCredentials ||
         kind == LoginRefusal::Kind::kAuthorization ||
         kind == LoginRefusal::Kind::kExpired;
}

// --- Upstream ----------------------------------------------------------------

// The upstream has let us in (or, for a probe, told what it offers).
struct UpstreamReady {
  // In the protocol's own units: IMAP capability tokens, POP3 CAPA lines,
  // ManageSieve capability lines, EHLO keyword lines. Empty where unknown or
  // not asked.
  std::vector<std::string> capabilities;
};

// The upstream has not let us in. `refusal` is what the client may hear;
// `failure` is what the operator reads.
struct UpstreamFailed {
  LoginRefusal refusal;
  Failure failure;
};

using DownstreamEvent =
    std::variant<NeedData, Paused, StartTls, LoginAttempt, Closed>;
using UpstreamEvent =
    std::variant<NeedData, StartTls, UpstreamReady, UpstreamFailed>;

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_PROTOCOL_EVENTS_H_
