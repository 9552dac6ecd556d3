// Rules: RFC 5321 §4.1.2 (Path, A-d-l, Mailbox), §4.1.3 (address literals),
// §4.5.3.1 (sizes); RFC 6531 §3.3 (UTF-8 in atoms, quoted strings and
// U-labels).

#include "lib/protocol/smtp/smtp_address.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "lib/base/endpoint.h"
#include "lib/base/string_bridge.h"
#include "lib/protocol/sasl.h"

namespace gatehouse {
namespace {

constexpr size_t kLongestLocalPartBytes = 64;
constexpr size_t kLongestDomainBytes = 255;
// A path of 256 octets, its "<" and ">" included (RFC 5321 §4.5.3.1.3).
constexpr size_t kLongestAddressBytes = 254;
constexpr size_t kLongestLabelBytes = 63;

bool IsAlphanumeric(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c));
}
bool IsBeyondAscii(char c) { return static_cast<unsigned char>(c) >= 0x80; }

bool IsAtomOctet(char c) {
  return IsAlphanumeric(c) || IsBeyondAscii(c) ||
         std::string_view("!#$%&'*+-/=?^_`{|}~").find(c) !=
             std::string_view::npos;
}

// Atoms joined by single dots.
bool IsDotString(std::string_view text) {
  if (text.empty() || text.front() == '.' || text.back() == '.') return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool sound =
        text[i] == '.' ? text[i - 1] != '.' : IsAtomOctet(text[i]);
    if (!sound) return false;
  }
  return true;
}

// Underscores aren't for host names, but senders' domains have them.
bool IsLabel(std::string_view label) {
  return !label.empty() && label.size() <= kLongestLabelBytes &&
         label.front() != '-' && label.back() != '-' &&
         std::all_of(label.begin(), label.end(), [](char c) {
           return IsAlphanumeric(c) || IsBeyondAscii(c) || c == '-' || c == '_';
         });
}

bool IsDomainName(std::string_view domain) {
  while (true) {
    const size_t dot = std::min(domain.find('.'), domain.size());
    if (!IsLabel(domain.substr(0, dot))) return false;
    if (dot == domain.size()) return true;
    domain.remove_prefix(dot + 1);
  }
}

// "[192.0.2.1]" or "[IPv6:2001:db8::1]".
bool IsAddressLiteral(std::string_view domain) {
  if (!domain.starts_with('[') || !domain.ends_with(']')) return false;
  std::string_view address = domain.substr(1, domain.size() - 2);
  constexpr std::string_view kV6 = "IPv6:";
  const bool v6 = absl::StartsWithIgnoreCase(ToAbsl(address), ToAbsl(kV6));
  if (v6) address.remove_prefix(kV6.size());
  const auto parsed = SocketAddress::Parse(address, 0);
  return parsed.has_value() && parsed->is_v6() == v6;
}

// "@a,@b": the route that stands before the ":" of a path.
bool IsSourceRoute(std::string_view route) {
  while (true) {
    const size_t comma = std::min(route.find(','), route.size());
    const std::string_view hop = route.substr(0, comma);
    if (!hop.starts_with('@') || !IsDomainName(hop.substr(1))) return false;
    if (comma == route.size()) return true;
    route.remove_prefix(comma + 1);
  }
}

bool IsDomain(std::string_view domain) {
  return domain.size() <= kLongestDomainBytes &&
         (IsDomainName(domain) || IsAddressLiteral(domain));
}

// The local part at the front of `text`, which then begins behind it.
std::optional<std::string> TakeQuoted(std::string_view& text) {
  std::string local_part;
  for (size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '"') {
      text.remove_prefix(i + 1);
      return local_part;
    }
    if (text[i] == '\\' && ++i == text.size()) return std::nullopt;
    local_part += text[i];
  }
  return std::nullopt;
}

std::optional<std::string> TakeLocalPart(std::string_view& text) {
  if (text.starts_with('"')) return TakeQuoted(text);
  const std::string_view atoms = text.substr(0, text.find('@'));
  if (!IsDotString(atoms)) return std::nullopt;
  text.remove_prefix(atoms.size());
  return std::string(atoms);
}

std::string Quoted(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + '"';
}

}  // namespace

bool SmtpAddress::is_ascii() const {
  return std::none_of(local_part.begin(), local_part.end(), IsBeyondAscii) &&
         std::none_of(domain.begin(), domain.end(), IsBeyondAscii);
}

std::string SmtpAddress::ToString() const {
  std::string text = IsDotString(local_part) ? local_part : Quoted(local_part);
  if (!domain.empty()) text += '@' + domain;
  return text;
}

std::optional<SmtpAddress> ParseSmtpAddress(std::string_view text) {
  // Neither control characters nor broken UTF-8, quoted or not.
  if (text.size() > kLongestAddressBytes || !IsLoginName(text)) {
    return std::nullopt;
  }
  if (absl::EqualsIgnoreCase(ToAbsl(text), "postmaster")) {
    return SmtpAddress{std::string(text), ""};
  }
  const auto local_part = TakeLocalPart(text);
  if (!local_part || local_part->empty() ||
      local_part->size() > kLongestLocalPartBytes) {
    return std::nullopt;
  }
  if (!text.starts_with('@') || !IsDomain(text.substr(1))) return std::nullopt;
  SmtpAddress address;
  address.local_part = *local_part;
  address.domain = absl::AsciiStrToLower(ToAbsl(text.substr(1)));
  if (address.ToString().size() > kLongestAddressBytes) return std::nullopt;
  return address;
}

std::optional<SmtpAddress> ParseSmtpPath(std::string_view text) {
  if (!text.starts_with('@')) return ParseSmtpAddress(text);
  const size_t colon = text.find(':');
  if (text.size() > kLongestAddressBytes || colon == text.npos ||
      !IsLoginName(text) || !IsSourceRoute(text.substr(0, colon))) {
    return std::nullopt;
  }
  auto address = ParseSmtpAddress(text.substr(colon + 1));
  // No route leads to <Postmaster>, who is at home everywhere.
  if (address && address->domain.empty()) return std::nullopt;
  return address;
}

}  // namespace gatehouse
