#ifndef GATEHOUSE_LIB_TESTING_TRANSCRIPT_H_
#define GATEHOUSE_LIB_TESTING_TRANSCRIPT_H_

#include <string>
#include <string_view>

#include "lib/protocol/machine.h"

namespace gatehouse {

// Plays conversations written as text against a protocol's machines.
//
//   % downstream                       whose machine: downstream or upstream
//   % start_tls_offered                its options, see below
//   S: * OK ready                      a server's line; CRLF is added
//   C: a LOGIN bob "p\\"q"             a client's line
//   C- a LOGIN {3}                     the same without CRLF
//   = LoginAttempt LOGIN user=bob secret=p"q
//   ! accept IMAP4rev1 | IDLE
//   S: a OK [CAPABILITY IMAP4rev1 IDLE] Logged in
//
// What the machine's own side says is expected, octet for octet; what the other
// side says is fed. Neighbouring lines of one side are one piece. `#` begins a
// comment line; empty lines count nothing. In every line \r \n \t \0 \\ \xHH
// stand for octets, and $b64(…) for the base64 of what is between, which ends
// at the first `)`.
//
// `=` expects, in order with the machine's lines:
//   NeedData | Paused             how Next() ended, now
//   state NAME                    StateName(), now
//   input_wanted yes|no           now
//   StartTls
//   LoginAttempt MECHANISM user=U secret=S
//                                 and [ authzid=A][ token|external][ utf8]
//                                 [ proxy_ttl=N]
//   Closed REASON                 logout eof too_many_errors
//                                 too_many_failed_logins limit violation
//                                 shutdown
//   Ready CAPABILITY | …
//   Failed REFUSAL KIND           [ challenge=TEXT]; KIND as KindName() has it
//
// `!` acts as the session does:
//   tls                           the handshake is done
//   accept CAPABILITY | …         LoginAccepted()
//   refuse REFUSAL[ CHALLENGE]    credentials authorization unavailable
//                                 contact_admin expired in_use login_delay
//                                 over_quota limit
//   eof
//   shutdown draining|timeout|connections
//   trailing TEXT                 what TakeTrailing() must give, at the end
//
// `%` sets an option; a bool without value is set:
//   downstream: host_name, start_tls_offered, tls_active,
//     plaintext_login_allowed, token_mechanisms, external_mechanism,
//     client_identity NAME (a verified certificate), upstream_capabilities
//     A | B, line_bytes N, literal_bytes N, held_bytes N, commands N,
//     bad_commands N, failed_logins N
//   upstream: host_name, start_tls, tls_active, forward_client,
//     client ADDRESS PORT, proxy ADDRESS PORT, session_id X, helo NAME,
//     client_tls VERSION, proxy_ttl N, line_bytes N, unasked_bytes N,
//     expected_capabilities A | B,
//     login probe | password USER SECRET | master USER MASTER SECRET
//           | token MECHANISM USER SECRET | none | xclient USER
//   whole_only                    what it shows depends on the chopping

enum class Chopping {
  kWhole,       // each piece in one Feed()
  kByteByByte,  // an octet a Feed(), and Next() after each
  kTrailing,    // whole, with octets behind the last piece before the
                // hand-over that must come out of TakeTrailing()
};

// Plays `text` and says what first went otherwise ("12: expected …"), or
// nothing. A transcript without hand-over plays kTrailing as kWhole.
std::string PlayTranscript(const Protocol& protocol, std::string_view text,
                           Chopping chopping);

// Plays every *.transcript of `folder`, a path below the workspace, in the
// three ways, and fails the test for each that goes otherwise and for a folder
// without transcripts.
void PlayTranscripts(const Protocol& protocol, const std::string& folder);

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_TESTING_TRANSCRIPT_H_
