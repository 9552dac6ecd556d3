#ifndef GATEHOUSE_LIB_PROTOCOL_MACHINE_H_
#define GATEHOUSE_LIB_PROTOCOL_MACHINE_H_

#include <strings.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/answer_progress.h"
#include "lib/base/endpoint.h"
#include "lib/base/secret.h"
#include "lib/protocol/events.h"

namespace gatehouse {

// The contract of every protocol machine: bytes in, events and bytes out; no
// clock, no socket, no log, no thread.
//
//   machine.Feed(bytes);             // any chopping gives the same
//   for (;;) {
//     event = machine.Next();        // one step
//     write(machine.TakeOutput());   // after each step, before acting
//     if (event is NeedData or Paused) break;
//     act on the event;
//   }
//
// When a login has succeeded both machines are emptied with TakeTrailing() and
// are then handed over: any further call but the destructor is a CHECK failure.
class Machine {
 public:
  virtual ~Machine() = default;

  // Takes what the peer sent. The bytes are copied as far as needed. A machine
  // holds at most its input limit; see `input_wanted()`.
  virtual void Feed(std::string_view bytes) = 0;

  // The peer will send nothing more.
  virtual void FeedEof() = 0;

  // False while the machine holds as many unread bytes as it may (a client
  // pipelining behind a login under way): stop reading from the peer until it
  // is true again. Feeding all the same is allowed for bytes already read.
  virtual bool input_wanted() const = 0;

  // What is to be written to the peer now; wiped by the caller when written.
  virtual std::string TakeOutput() = 0;

  // The bytes behind the last command or reply that this machine read. They
  // belong to the other side of the splice. The machine is handed over.
  virtual std::string TakeTrailing() = 0;

  // What the machine waits for: "AwaitCommand", "AwaitLiteral" …
  virtual std::string_view StateName() const = 0;
};

// --- Downstream --------------------------------------------------------------

// Each limit has a reason; the defaults suit a public port.
struct DownstreamLimits {
  size_t line_bytes = 8192;     // a SASL initial response must fit (RFC 4959)
  size_t literal_bytes = 4096;  // LITERAL- (RFC 7888 §5); no password is longer
  size_t held_bytes = 65536;    // pipelined behind a login under way
  int commands = 100;           // before login: slow-loris by NOOP
  int bad_commands = 10;        // syntax errors before the connection ends
  int failed_logins = 3;
};

// What is known of a TLS session that has just been established.
struct TlsFacts {
  std::string version;      // "TLSv1.3"
  std::string cipher;       // IANA name
  std::string server_name;  // SNI; peer text
  bool client_certificate_verified = false;
  // The identity that EXTERNAL may claim, from the client's certificate.
  std::string client_identity;
};

struct DownstreamOptions {
  std::string host_name;           // named in greetings that must name a host
  bool start_tls_offered = false;  // the listener has it and TLS isn't on yet
  bool tls_active = false;         // implicit TLS
  TlsFacts tls;                    // where tls_active
  bool plaintext_login_allowed = false;  // LOGIN without TLS
  bool token_mechanisms = false;         // OAUTHBEARER, XOAUTH2 can work
  bool external_mechanism = false;  // EXTERNAL can work, given a certificate
  // What the upstreams offer before login, in the protocol's own units (see
  // UpstreamReady): the machine announces of it what it can keep itself. Null:
  // not known; only what the machine does by itself is announced.
  std::shared_ptr<const std::vector<std::string>> upstream_capabilities;
  // The SASL mechanisms in that list, which the machine finds in it by itself:
  // none while it isn't known. Nothing where no upstream sees the login.
  std::optional<std::vector<std::string>> upstream_mechanisms;
  DownstreamLimits limits;
};

// Talks to a mail client until it has logged in. The greeting is in the first
// TakeOutput() after construction.
class DownstreamMachine : public Machine {
 public:
  virtual DownstreamEvent Next() = 0;

  // After StartTls: the handshake is done. All knowledge from before is gone.
  virtual void TlsEstablished(const TlsFacts& facts) = 0;

  // The verdict on the last LoginAttempt. After LoginAccepted() TakeOutput()
  // holds the success reply, and the machine is ready for TakeTrailing().
  virtual void LoginAccepted(const UpstreamReady& upstream) = 0;
  virtual void LoginRefused(const LoginRefusal& refusal) = 0;

  // Ends the conversation in the protocol's own words (BYE, -ERR, 421); Next()
  // gives Closed afterwards. Allowed in every state before the hand-over.
  enum class ShutdownReason { kDraining, kTimeout, kTooManyConnections };
  virtual void Shutdown(ShutdownReason reason) = 0;
};

// --- Upstream ----------------------------------------------------------------

// How to log in to the upstream.
struct UpstreamLogin {
  enum class Method {
    kProbe,       // don't log in: learn the capabilities, say good-bye
    kPassword,    // replay `user` and `secret`
    kMasterUser,  // SASL PLAIN: authzid `user`, authcid `master_user`, `secret`
    kToken,       // SASL `token_mechanism` with `secret` as initial response
    // SMTP only:
    kNone,     // ready without a login, to hand in mail
    kXclient,  // `user` by XCLIENT LOGIN=, without a password
  };
  Method method = Method::kPassword;
  bool has_secret() const {
    return method == Method::kPassword || method == Method::kMasterUser ||
           method == Method::kToken;
  }
  std::string user;  // the canonical name, never the client's spelling
  std::string master_user;
  std::string token_mechanism;
  Secret secret;
  bool utf8 = false;  // as in LoginAttempt
};

// Who the client is, for upstreams that are told so.
struct ClientFacts {
  SocketAddress client;    // where the client connected from
  SocketAddress proxy;     // the address of ours that it connected to
  std::string session_id;  // letters and digits
  bool tls_active = false;
  TlsFacts tls;
  std::string helo;   // SMTP: what the client called itself
  bool esmtp = true;  // SMTP: by EHLO, not HELO
};

struct UpstreamOptions {
  bool start_tls = false;   // must be upgraded before any credential is sent
  bool tls_active = false;  // implicit TLS has been established already
  UpstreamLogin login;
  std::string host_name;  // ours, where a protocol asks for it (EHLO)
  // Tell the upstream who the client is, in the protocol's way (IMAP ID,
  // POP3/ManageSieve/SMTP XCLIENT), where the upstream offers it.
  bool forward_client = false;
  ClientFacts client;
  // Where forward_client: how many front ends the login may still come through,
  // the upstream counted if it is one (IMAP ID x-proxy-ttl, Dovecot's TTL).
  int proxy_ttl = kMostProxyHops;
  size_t line_bytes = 65536;     // one reply line: stores send long CAPABILITYs
  size_t unasked_bytes = 65536;  // what comes beside the answers until the login
  // What the upstreams have in common as they were last heard (see
  // DownstreamOptions); null: not known. It may save a question, never a check:
  // where this upstream refuses what was expected of it, it is asked itself.
  std::shared_ptr<const std::vector<std::string>> expected_capabilities;
};

// Logs in to a mail store. It doesn't speak before the greeting was fed.
class UpstreamMachine : public Machine {
 public:
  virtual UpstreamEvent Next() = 0;
  virtual void TlsEstablished() = 0;
};

// --- A protocol as the session sees it ---------------------------------------

// One stateless object per protocol, e.g. ImapProtocol().
class Protocol {
 public:
  virtual ~Protocol() = default;
  virtual std::string_view name() const = 0;  // "imap": in logs
  virtual std::string_view alpn() const { return name(); }
  virtual uint16_t port() const = 0;               // IANA: 143
  virtual uint16_t implicit_tls_port() const = 0;  // 993
  // The least idle limit after login that the protocol's RFC allows, seconds.
  virtual int least_idle_seconds() const = 0;
  // Whether an upstream may be told who has logged in without a credential
  // (Method::kXclient).
  virtual bool logs_in_by_name() const { return false; }
  // What a client hears after its login when the proxy must end the session
  // ("* BYE …\r\n"); empty where nothing may be said unasked.
  virtual std::string_view last_words() const { return {}; }
  // Joined: how far a store is that has said nothing yet to the client's last
  // line, and how far it is behind a line of its own. Lines come without CRLF.
  virtual AnswerProgress AfterCommand(std::string_view line) const {
    return AnswerProgress::kBetween;
  }
  virtual AnswerProgress AfterAnswer(AnswerProgress before,
                                     std::string_view line) const {
    return AnswerProgress::kBetween;
  }
  // What both of two lists of UpstreamReady::capabilities promise: by default
  // the entries that stand in both, in whatever case.
  virtual std::vector<std::string> CommonCapabilities(
      const std::vector<std::string>& a,
      const std::vector<std::string>& b) const {
    std::vector<std::string> common;
    for (const std::string& entry : a) {
      const auto is_entry = [&](const std::string& other) {
        return strcasecmp(entry.c_str(), other.c_str()) == 0;
      };
      if (std::any_of(b.begin(), b.end(), is_entry)) common.push_back(entry);
    }
    return common;
  }
  virtual std::unique_ptr<DownstreamMachine> NewDownstream(
      DownstreamOptions options) const = 0;
  virtual std::unique_ptr<UpstreamMachine> NewUpstream(
      UpstreamOptions options) const = 0;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_PROTOCOL_MACHINE_H_
