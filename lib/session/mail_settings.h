#ifndef GATEHOUSE_LIB_SESSION_MAIL_SETTINGS_H_
#define GATEHOUSE_LIB_SESSION_MAIL_SETTINGS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "lib/base/endpoint.h"
#include "lib/base/secret.h"
#include "lib/protocol/machine.h"
#include "lib/session/session_settings.h"

namespace gatehouse {

class UpstreamPool;

// What becomes of a message whose recipients live at several hosts.
enum class RecipientFanOut {
  // The first recipient's route is taken; recipients of another one hear
  // 452 4.5.3, and are tried again by the client.
  kDefer,
  // All are taken, the message goes to all hosts at once. What only some of
  // them have accepted is for the fallback relay to finish, so one is needed.
  kStream,
};

// Which senders an authenticated client may name in MAIL (RFC 6409 §6.1). The
// null sender is open to everybody: receipts have it.
enum class SenderCheck {
  kOff,
  kOwnAddresses,  // those of Location::addresses; else 553 5.7.1
};

// A mail server that takes what isn't for one of our stores.
struct MailRelay {
  const Protocol* protocol = nullptr;  // SmtpProtocol()
  Endpoint endpoint;                   // port set
  // TLS, limits and rules; forward_client, master_user and port aren't used.
  UpstreamSettings upstream;
  // AUTH (RFC 4954); empty: none.
  std::string user;
  Secret password;
  // What it offers; null: isn't learned.
  std::shared_ptr<CapabilitiesView> capabilities;
};

// How long a connection to an upstream is kept for later transactions.
struct UpstreamPoolLimits {
  size_t connections = 32;  // idle ones of a worker; 0: none is kept
  size_t per_upstream = 4;
  // Below what servers allow (RFC 5321 §4.5.3.2.7: five minutes).
  absl::Duration idle = absl::Seconds(30);
  int messages = 100;  // then it is closed, so that load spreads anew
};

// What sessions wait for an upstream. A client waits five minutes for the
// answer to a command, three for more of its message to be read, and ten for
// the answer to its final dot (RFC 5321 §4.5.3.2): ours must come before.
struct MailTimeouts {
  absl::Duration command = absl::Minutes(2);  // of MAIL, RCPT, DATA, RSET
  absl::Duration body = absl::Minutes(2);     // without any progress
  // From the client's end of the message to the last upstream's answer, and
  // then for the fallback relay.
  absl::Duration commit = absl::Minutes(7);
  absl::Duration fallback = absl::Minutes(2);
  // A client that says nothing, or sends no more of its message (RFC 5321
  // §4.5.3.2.7).
  absl::Duration client = absl::Minutes(5);
};

// All that mail routing needs besides SessionSettings: shared by the sessions
// of one configuration on one worker, and as immutable.
//
// Of SessionSettings are used: host_name, tls_context, plaintext_login,
// directory, default_upstream, limits, failure_delay, capabilities,
// upstreams_met; `protocol` and `upstream` say how the stores are spoken to.
// login_timeout is the client's time for TLS and, in submission, AUTH.
struct MailSettings {
  // The stores speak LMTP: SessionSettings::protocol is LmtpProtocol().
  bool lmtp = false;

  // The domains whose mail is ours, in lower case and as A-labels;
  // ".example.com" stands for all below it. Mail for others is taken from
  // authenticated clients only, for `relay_host`.
  std::vector<std::string> local_domains;
  // What begins a detail, "+" in alice+lists@; empty: nothing does.
  std::string recipient_delimiter;

  RecipientFanOut fan_out = RecipientFanOut::kDefer;
  std::shared_ptr<const MailRelay> fallback_relay;  // null: none
  std::shared_ptr<const MailRelay> relay_host;      // null: none

  SenderCheck sender_check = SenderCheck::kOwnAddresses;

  uint64_t message_bytes = 64 << 20;
  size_t recipients = 100;     // of a message
  size_t transactions = 1000;  // of a client's connection
  int hops = 30;               // Received: lines that a message may have
  bool prdr = true;            // PRDR is offered
  // How long an inbound client, which must wait for the greeting (RFC 5321
  // §3.1), is kept waiting: one that speaks before it is sent away with 554.
  // Zero: the greeting comes at once, and what came before it is answered in
  // its turn.
  absl::Duration greeting_delay;

  // Where messages wait for the fallback relay when they have outgrown memory;
  // no file in it has a name.
  std::string spool_folder = "/var/tmp";

  MailTimeouts timeouts;
  std::shared_ptr<UpstreamPool> pool;  // the worker's; never null
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_SESSION_MAIL_SETTINGS_H_
