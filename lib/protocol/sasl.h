#ifndef GATEHOUSE_LIB_PROTOCOL_SASL_H_
#define GATEHOUSE_LIB_PROTOCOL_SASL_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "lib/base/secret.h"
#include "lib/protocol/events.h"
#include "lib/protocol/machine.h"

namespace gatehouse {

// SASL (RFC 4422) as mail protocols use it, with no protocol's framing: both
// sides speak in base64 text. Pure functions and one small class; any thread.

// --- Base64 (RFC 4648 §4) ----------------------------------------------------

std::string EncodeBase64(std::string_view bytes);
Secret EncodeBase64(const Secret& bytes);

// Strict: no white space, no characters outside the alphabet, padding at the
// end and nowhere else, unused bits zero. Nothing where the text isn't that.
std::optional<std::string> DecodeBase64(std::string_view text);
std::optional<Secret> DecodeBase64Secret(std::string_view text);

// --- Names and passwords -----------------------------------------------------

// RFC 4616 §2 makes us take 255 octets, and no address is longer (RFC 5321
// §4.5.3.1: local part 64, domain 255, but a path of 256 in all).
inline constexpr size_t kLongestNameBytes = 255;
// As long as the longest literal that a client may send before login.
inline constexpr size_t kLongestPasswordBytes = 4096;

// What any login name must be, however it came: 1 to kLongestNameBytes octets
// of well-formed UTF-8 without control characters (C0, DEL, C1). Such a name
// can't break a line, a directory's filter encoding or a log.
bool IsLoginName(std::string_view name);

// 1 to kLongestPasswordBytes octets without ASCII control characters. Other
// octets are taken as they are: passwords are older than UTF-8.
bool IsPassword(std::string_view password);

// --- Which mechanisms --------------------------------------------------------

enum class SaslMechanism : uint8_t {
  kPlain,
  kLogin,
  kOauthBearer,
  kXoauth2,
  kExternal,
};

// In the order in which they are announced.
inline constexpr SaslMechanism kSaslMechanisms[] = {
    SaslMechanism::kPlain, SaslMechanism::kLogin, SaslMechanism::kOauthBearer,
    SaslMechanism::kXoauth2, SaslMechanism::kExternal};

std::string_view SaslMechanismName(SaslMechanism mechanism);

// Whether a client may send a password or token now: under TLS, or where the
// operator allows it without. `options` tell how the connection stands.
bool MaySendCredentials(const DownstreamOptions& options);

// Whether `mechanism` can work on this connection, as it stands now, and is
// known to work at the upstreams: a token is handed through to one, and who
// comes by EXTERNAL is logged in there by the master user's PLAIN. What is
// announced is exactly what is offered.
bool IsOffered(SaslMechanism mechanism, const DownstreamOptions& options);

// --- The server's side of one exchange ---------------------------------------

enum class SaslError : uint8_t {
  kUnknownMechanism,    // not known, or can't work on this connection
  kEncryptionNeeded,    // would work under TLS
  kCancelled,           // the client sent "*"
  kMalformed,           // not base64, or not a message of its mechanism
  kRefusedCredentials,  // a name or password that nobody can have: answer as a
                        // wrong password, and count it as one
};

// One exchange, from the client's command to the attempt:
//
//   step = exchange.Start(mechanism, initial_response, options);
//   while (step is SaslChallenge) { send it; step = exchange.Respond(line); }
//
// After a LoginAttempt or a SaslError the exchange is over and holds nothing
// secret. Start() begins a new one, whatever came before.
struct SaslChallenge {
  std::string_view base64;  // of static life; may be empty
};
using SaslStep = std::variant<SaslChallenge, LoginAttempt, SaslError>;

class SaslExchange {
 public:
  // `mechanism` in any case. `initial` is base64 as it stood in the command;
  // "=" means an empty response (RFC 4959 §3, 4954 §4, 5034 §4).
  // `options` as the connection stands now; used only inside the call, but for
  // the identity of the client's certificate.
  SaslStep Start(std::string_view mechanism,
                 std::optional<std::string_view> initial,
                 const DownstreamOptions& options);

  // The client's answer to the last challenge, without its line's end.
  SaslStep Respond(std::string_view base64);

 private:
  SaslStep OnMessage(std::string_view message);
  SaslStep OnLoginMessage(std::string_view message);

  SaslMechanism mechanism_ = SaslMechanism::kPlain;
  std::optional<std::string> login_user_;  // SASL LOGIN, after the first answer
  std::string client_identity_;            // SASL EXTERNAL
};

// What a refused token's exchange still owes (RFC 7628 §3.2.2 and XOAUTH2): the
// base64 of the upstream's JSON challenge. The client answers it with anything,
// and then hears the refusal. Empty where nothing is owed.
std::string TokenRefusalChallenge(Credentials credentials,
                                  const LoginRefusal& refusal);

// --- The client's side -------------------------------------------------------

// The mechanism by which an upstream is logged in to, and its message, not yet
// base64: a token as it is, else PLAIN (RFC 4616 §2).
std::string_view UpstreamMechanism(const UpstreamLogin& login);
Secret UpstreamMessage(const UpstreamLogin& login);

// Whether an upstream's words hold what it was sent, in one of the forms in
// which it may have been: our log must not.
bool RepeatsSecret(std::string_view words, const UpstreamLogin& login);

// The base64 with which a client answers the challenge that explains why its
// token was refused (RFC 7628 §3.2.3: one ^A; XOAUTH2: nothing).
std::string_view TokenErrorResponse(std::string_view mechanism);

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_PROTOCOL_SASL_H_
