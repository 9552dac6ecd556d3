// Rules: RFC 4422 §3 (exchanges), RFC 4616 (PLAIN), draft-murchison-sasl-login
// (LOGIN), RFC 7628 (OAUTHBEARER), RFC 5801 §4 (its gs2 header), Google's
// XOAUTH2, RFC 4422 appendix A (EXTERNAL), RFC 4648 (base64).

#include "lib/protocol/sasl.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/match.h"
#include "lib/base/string_bridge.h"

namespace gatehouse {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr uint8_t kNoDigit = 0xff;
constexpr std::string_view kUsernamePrompt = "VXNlcm5hbWU6";  // "Username:"
constexpr std::string_view kPasswordPrompt = "UGFzc3dvcmQ6";  // "Password:"
constexpr char kTokenSeparator = '\x01';

constexpr std::array<uint8_t, 256> MakeDigits() {
  std::array<uint8_t, 256> digits{};
  for (uint8_t& digit : digits) digit = kNoDigit;
  for (size_t i = 0; i < kAlphabet.size(); ++i) {
    digits[static_cast<uint8_t>(kAlphabet[i])] = static_cast<uint8_t>(i);
  }
  return digits;
}
constexpr std::array<uint8_t, 256> kDigits = MakeDigits();

bool EqualsIgnoringCase(std::string_view a, std::string_view b) {
  return absl::EqualsIgnoreCase(ToAbsl(a), ToAbsl(b));
}

// The length of the well-formed UTF-8 sequence at the front (RFC 3629 §4), and
// its code point; 0 where there is none.
size_t TakeCodePoint(std::string_view text, uint32_t& code_point) {
  const auto octet = [text](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = octet(0);
  if (lead < 0x80) {
    code_point = lead;
    return 1;
  }
  const size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  constexpr uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  if (lead < 0xc2 || lead > 0xf4 || text.size() < length) return 0;
  code_point = lead & (0x7f >> length);
  for (size_t i = 1; i < length; ++i) {
    if ((octet(i) & 0xc0) != 0x80) return 0;
    code_point = code_point << 6 | (octet(i) & 0x3f);
  }
  const bool surrogate = code_point >= 0xd800 && code_point <= 0xdfff;
  if (surrogate || code_point < kLeast[length] || code_point > 0x10ffff) {
    return 0;
  }
  return length;
}

bool IsControl(uint32_t code_point) {
  return code_point < 0x20 || (code_point >= 0x7f && code_point < 0xa0);
}

// A name inside a gs2 header: ',' and '=' are written =2C and =3D.
std::optional<std::string> DecodeSaslName(std::string_view text) {
  std::string name;
  while (!text.empty()) {
    if (text.starts_with("=2C") || text.starts_with("=3D")) {
      name += text[1] == '2' ? ',' : '=';
      text.remove_prefix(3);
    } else if (text.front() == '=') {
      return std::nullopt;
    } else {
      name += text.front();
      text.remove_prefix(1);
    }
  }
  return name;
}

// Takes the text before the next `separator` from the front, and the separator.
std::optional<std::string_view> TakeUntil(std::string_view& text,
                                          char separator) {
  const size_t at = text.find(separator);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view part = text.substr(0, at);
  text.remove_prefix(at + 1);
  return part;
}

// The pairs of a token's message, "key=value" each ended by ^A, and a last ^A.
// Nothing where the form is broken or no `auth` is among them.
struct TokenPairs {
  std::string_view user;
};
std::optional<TokenPairs> ParseTokenPairs(std::string_view text) {
  TokenPairs pairs;
  bool has_auth = false;
  while (!text.empty() && text.front() != kTokenSeparator) {
    const auto pair = TakeUntil(text, kTokenSeparator);
    if (!pair) return std::nullopt;
    const size_t equals = pair->find('=');
    if (equals == std::string_view::npos || equals == 0) return std::nullopt;
    const std::string_view key = pair->substr(0, equals);
    const std::string_view value = pair->substr(equals + 1);
    if (key == "user") pairs.user = value;
    if (key == "auth") has_auth = !value.empty();
  }
  if (text.size() != 1 || !has_auth) return std::nullopt;
  return pairs;
}

// RFC 7628 §3.1: gs2 header "n,a=user,", ^A, pairs. Channel binding ("p=") is
// not for this mechanism.
std::optional<std::string> OauthBearerUser(std::string_view message) {
  const auto binding = TakeUntil(message, ',');
  if (!binding || (*binding != "n" && *binding != "y")) return std::nullopt;
  const auto authzid = TakeUntil(message, ',');
  if (!authzid || !message.starts_with(kTokenSeparator)) return std::nullopt;
  if (!ParseTokenPairs(message.substr(1))) return std::nullopt;
  if (authzid->empty()) return std::string();
  if (!authzid->starts_with("a=")) return std::nullopt;
  return DecodeSaslName(authzid->substr(2));
}

std::optional<std::string> Xoauth2User(std::string_view message) {
  const auto pairs = ParseTokenPairs(message);
  if (!pairs) return std::nullopt;
  return std::string(pairs->user);
}

SaslStep PasswordAttempt(SaslMechanism mechanism, std::string_view user,
                         std::string_view authzid, std::string_view password) {
  const bool authzid_ok = authzid.empty() || IsLoginName(authzid);
  if (!IsLoginName(user) || !IsPassword(password) || !authzid_ok) {
    return SaslError::kRefusedCredentials;
  }
  LoginAttempt attempt;
  attempt.mechanism = SaslMechanismName(mechanism);
  attempt.user = user;
  if (authzid != user) attempt.authorization_id = authzid;
  attempt.secret = Secret(password);
  return attempt;
}

// RFC 4616 §2: [authzid] NUL authcid NUL passwd.
SaslStep OnPlainMessage(std::string_view message) {
  const auto authzid = TakeUntil(message, '\0');
  const auto authcid = TakeUntil(message, '\0');
  if (!authzid || !authcid || message.find('\0') != std::string_view::npos) {
    return SaslError::kMalformed;
  }
  return PasswordAttempt(SaslMechanism::kPlain, *authcid, *authzid, message);
}

SaslStep OnTokenMessage(SaslMechanism mechanism, std::string_view message) {
  auto user = mechanism == SaslMechanism::kXoauth2 ? Xoauth2User(message)
                                                   : OauthBearerUser(message);
  if (!user) return SaslError::kMalformed;
  // Without a name there is no mailbox to find: RFC 7628 leaves it optional,
  // since other servers ask the token's issuer.
  if (!IsLoginName(*user)) return SaslError::kRefusedCredentials;
  LoginAttempt attempt;
  attempt.credentials = Credentials::kToken;
  attempt.mechanism = SaslMechanismName(mechanism);
  attempt.user = *std::move(user);
  attempt.secret = Secret(message);
  return attempt;
}

SaslStep OnExternalMessage(std::string&& identity, std::string_view message) {
  if (!message.empty() && !IsLoginName(message))
    return SaslError::kRefusedCredentials;
  if (!IsLoginName(identity)) return SaslError::kRefusedCredentials;
  LoginAttempt attempt;
  attempt.credentials = Credentials::kExternal;
  attempt.mechanism = SaslMechanismName(SaslMechanism::kExternal);
  if (message != identity) attempt.authorization_id = message;
  attempt.user = std::move(identity);
  return attempt;
}

std::optional<SaslMechanism> FindMechanism(std::string_view name) {
  for (SaslMechanism mechanism : kSaslMechanisms) {
    if (EqualsIgnoringCase(SaslMechanismName(mechanism), name)) {
      return mechanism;
    }
  }
  return std::nullopt;
}

bool UpstreamsHave(SaslMechanism mechanism, const DownstreamOptions& options) {
  if (!options.upstream_mechanisms) return true;
  const auto& known = *options.upstream_mechanisms;
  return std::any_of(
      known.begin(), known.end(), [mechanism](const std::string& name) {
        return EqualsIgnoringCase(name, SaslMechanismName(mechanism));
      });
}

bool IsToken(SaslMechanism mechanism) {
  return mechanism == SaslMechanism::kOauthBearer ||
         mechanism == SaslMechanism::kXoauth2;
}

// The error for a mechanism that isn't offered.
SaslError WhyNot(SaslMechanism mechanism, const DownstreamOptions& options) {
  if (mechanism == SaslMechanism::kExternal)
    return SaslError::kUnknownMechanism;
  if (IsToken(mechanism) &&
      (!options.token_mechanisms || !UpstreamsHave(mechanism, options))) {
    return SaslError::kUnknownMechanism;
  }
  return SaslError::kEncryptionNeeded;
}

}  // namespace

// --- Base64 ------------------------------------------------------------------

std::string EncodeBase64(std::string_view bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  while (!bytes.empty()) {
    const size_t taken = std::min<size_t>(bytes.size(), 3);
    uint32_t group = 0;
    for (size_t i = 0; i < 3; ++i) {
      group = group << 8 | (i < taken ? static_cast<uint8_t>(bytes[i]) : 0);
    }
    for (size_t i = 0; i < 4; ++i) {
      text += i <= taken ? kAlphabet[group >> (18 - 6 * i) & 0x3f] : '=';
    }
    bytes.remove_prefix(taken);
  }
  return text;
}

Secret EncodeBase64(const Secret& bytes) {
  std::string text = EncodeBase64(bytes.Reveal());
  Secret encoded(text);
  WipeString(text);
  return encoded;
}

std::optional<std::string> DecodeBase64(std::string_view text) {
  // Built in place: a short string that is moved would leave a copy behind.
  std::optional<std::string> bytes(std::in_place);
  const size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  if (text.size() % 4 != 0) {
    bytes.reset();
    return bytes;
  }
  text.remove_suffix(padding);
  bytes->reserve(text.size() / 4 * 3 + 3);
  uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const uint8_t digit = kDigits[static_cast<uint8_t>(c)];
    if (digit == kNoDigit) {
      WipeString(*bytes);
      bytes.reset();
      return bytes;
    }
    bits = bits << 6 | digit;
    count += 6;
    if (count < 8) continue;
    count -= 8;
    *bytes += static_cast<char>(bits >> count);
    bits &= (1u << count) - 1;
  }
  if (bits != 0) {
    WipeString(*bytes);
    bytes.reset();
  }
  return bytes;
}

std::optional<Secret> DecodeBase64Secret(std::string_view text) {
  auto bytes = DecodeBase64(text);
  if (!bytes) return std::nullopt;
  Secret secret(*bytes);
  WipeString(*bytes);
  return secret;
}

// --- Names and passwords -----------------------------------------------------

bool IsLoginName(std::string_view name) {
  if (name.empty() || name.size() > kLongestNameBytes) return false;
  while (!name.empty()) {
    uint32_t code_point = 0;
    const size_t length = TakeCodePoint(name, code_point);
    if (length == 0 || IsControl(code_point)) return false;
    name.remove_prefix(length);
  }
  return true;
}

bool IsPassword(std::string_view password) {
  if (password.empty() || password.size() > kLongestPasswordBytes) return false;
  return std::none_of(password.begin(), password.end(), [](char c) {
    return static_cast<uint8_t>(c) < 0x20 || c == 0x7f;
  });
}

// --- Which mechanisms --------------------------------------------------------

std::string_view SaslMechanismName(SaslMechanism mechanism) {
  switch (mechanism) {
    case SaslMechanism::kPlain:
      return "PLAIN";
    case SaslMechanism::kLogin:
      return "LOGIN";
    case SaslMechanism::kOauthBearer:
      return "OAUTHBEARER";
    case SaslMechanism::kXoauth2:
      return "XOAUTH2";
    case SaslMechanism::kExternal:
      return "EXTERNAL";
  }
  return "";
}

bool MaySendCredentials(const DownstreamOptions& options) {
  return options.tls_active || options.plaintext_login_allowed;
}

bool IsOffered(SaslMechanism mechanism, const DownstreamOptions& options) {
  if (mechanism == SaslMechanism::kExternal) {
    return options.external_mechanism && options.tls_active &&
           options.tls.client_certificate_verified &&
           !options.tls.client_identity.empty() &&
           UpstreamsHave(SaslMechanism::kPlain, options);
  }
  return MaySendCredentials(options) &&
         (!IsToken(mechanism) ||
          (options.token_mechanisms && UpstreamsHave(mechanism, options)));
}

// --- The server's side -------------------------------------------------------

SaslStep SaslExchange::Start(std::string_view mechanism,
                             std::optional<std::string_view> initial,
                             const DownstreamOptions& options) {
  login_user_.reset();
  const auto found = FindMechanism(mechanism);
  if (!found) return SaslError::kUnknownMechanism;
  if (!IsOffered(*found, options)) return WhyNot(*found, options);
  mechanism_ = *found;
  if (mechanism_ == SaslMechanism::kExternal) {
    client_identity_ = options.tls.client_identity;
  }
  if (initial) {
    if (*initial == "=") return OnMessage("");
    return initial->starts_with('*') ? SaslStep(SaslError::kMalformed)
                                     : Respond(*initial);
  }
  return SaslChallenge{mechanism_ == SaslMechanism::kLogin ? kUsernamePrompt
                                                           : ""};
}

SaslStep SaslExchange::Respond(std::string_view base64) {
  if (base64 == "*") {
    login_user_.reset();
    return SaslError::kCancelled;
  }
  const auto message = DecodeBase64Secret(base64);
  if (!message) return SaslError::kMalformed;
  return OnMessage(message->Reveal());
}

SaslStep SaslExchange::OnMessage(std::string_view message) {
  switch (mechanism_) {
    case SaslMechanism::kPlain:
      return OnPlainMessage(message);
    case SaslMechanism::kLogin:
      return OnLoginMessage(message);
    case SaslMechanism::kOauthBearer:
    case SaslMechanism::kXoauth2:
      return OnTokenMessage(mechanism_, message);
    case SaslMechanism::kExternal:
      return OnExternalMessage(std::move(client_identity_), message);
  }
  return SaslError::kMalformed;
}

// Two answers: the name, then the password. An initial response is the name, as
// old clients have it.
SaslStep SaslExchange::OnLoginMessage(std::string_view message) {
  if (!login_user_) {
    login_user_ = std::string(message);
    return SaslChallenge{kPasswordPrompt};
  }
  const std::string user = *std::exchange(login_user_, std::nullopt);
  return PasswordAttempt(SaslMechanism::kLogin, user, "", message);
}

std::string TokenRefusalChallenge(Credentials credentials,
                                  const LoginRefusal& refusal) {
  if (credentials != Credentials::kToken) return "";
  return EncodeBase64(refusal.sasl_challenge);
}

// --- The client's side -------------------------------------------------------

std::string_view UpstreamMechanism(const UpstreamLogin& login) {
  if (login.method == UpstreamLogin::Method::kToken) {
    return login.token_mechanism;
  }
  return "PLAIN";
}

Secret UpstreamMessage(const UpstreamLogin& login) {
  if (login.method == UpstreamLogin::Method::kToken) {
    return login.secret.Clone();
  }
  const bool master = login.method == UpstreamLogin::Method::kMasterUser;
  std::string_view authzid;
  if (master) authzid = login.user;
  const std::string_view authcid(master ? login.master_user : login.user);
  std::string message;
  message.reserve(authzid.size() + authcid.size() + 2 +
                  login.secret.Reveal().size());
  message.append(authzid).push_back('\0');
  message.append(authcid).push_back('\0');
  message.append(login.secret.Reveal());
  Secret encoded(message);
  WipeString(message);
  return encoded;
}

bool RepeatsSecret(std::string_view words, const UpstreamLogin& login) {
  if (login.secret.empty()) return false;
  const auto holds = [&](const Secret& said) {
    return words.find(said.Reveal()) != std::string_view::npos;
  };
  return holds(login.secret) || holds(EncodeBase64(login.secret)) ||
         holds(EncodeBase64(UpstreamMessage(login)));
}

std::string_view TokenErrorResponse(std::string_view mechanism) {
  return EqualsIgnoringCase(mechanism, "OAUTHBEARER") ? "AQ==" : "";
}

}  // namespace gatehouse
