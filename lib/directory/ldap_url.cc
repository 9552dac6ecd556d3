#include "lib/directory/ldap_url.h"

#include <array>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "lib/base/string_bridge.h"

namespace gatehouse {
namespace {

constexpr struct {
  std::string_view name;
  uint16_t port;  // 0: it has none
} kSchemes[] = {{"ldap", 389}, {"ldaps", 636}, {"ldapi", 0}};

constexpr std::pair<std::string_view, LdapScope> kScopes[] = {
    {"base", LdapScope::kBase},
    {"one", LdapScope::kOneLevel},
    {"sub", LdapScope::kSubtree}};

uint16_t UsualPort(std::string_view scheme) {
  for (const auto& known : kSchemes) {
    if (known.name == scheme) return known.port;
  }
  return 0;
}

// Sets it to what stands for "%xx". False where that isn't so, or for NUL,
// which libldap would take for the end.
bool Decode(std::string_view text, std::string& decoded) {
  const auto hex = [](char c) {
    return absl::ascii_isxdigit(static_cast<unsigned char>(c));
  };
  for (size_t i = 0; i < text.size(); ++i) {
    char octet = text[i];
    if (octet == '%') {
      if (text.size() - i < 3 || !hex(text[i + 1]) || !hex(text[i + 2])) {
        return false;
      }
      octet = static_cast<char>(
          std::stoi(std::string(text.substr(i + 1, 2)), nullptr, 16));
      i += 2;
    }
    if (octet == '\0') return false;
    decoded += octet;
  }
  return true;
}

bool ReadServer(std::string_view text, LdapUrl& url) {
  for (const auto& known : kSchemes) {
    if (absl::EqualsIgnoreCase(ToAbsl(url.scheme), ToAbsl(known.name))) {
      url.scheme = known.name;
      if (known.port == 0) return true;
      auto server = Endpoint::Parse(text);
      if (!server) return false;
      // Brackets must be around an IPv6 address: libldap wouldn't find its end.
      if (text.find(':') != text.rfind(':') && text.front() != '[') {
        return false;
      }
      url.server = *std::move(server);
      if (url.server.port == 0) url.server.port = known.port;
      return true;
    }
  }
  return false;
}

bool ReadScope(std::string_view text, LdapUrl& url) {
  if (text.empty()) return true;
  for (const auto& [name, scope] : kScopes) {
    if (absl::EqualsIgnoreCase(ToAbsl(text), ToAbsl(name))) {
      url.scope = scope;
      return true;
    }
  }
  return false;
}

bool HasCriticalExtension(std::string_view text) {
  for (const absl::string_view extension : absl::StrSplit(ToAbsl(text), ',')) {
    if (absl::StartsWith(extension, "!")) return true;
  }
  return false;
}

}  // namespace

std::optional<LdapUrl> ParseLdapUrl(std::string_view text) {
  LdapUrl url;
  const size_t colon = text.find("://");
  if (colon == std::string_view::npos) return std::nullopt;
  url.scheme = std::string(text.substr(0, colon));
  text.remove_prefix(colon + 3);
  const size_t slash = text.find('/');
  if (!ReadServer(text.substr(0, slash), url)) return std::nullopt;
  if (slash == std::string_view::npos) return url;
  text.remove_prefix(slash + 1);

  enum Part { kDn, kAttributes, kScope, kFilter, kExtensions, kParts };
  const std::vector<absl::string_view> split =
      absl::StrSplit(ToAbsl(text), '?');
  if (split.size() > kParts) return std::nullopt;
  std::array<std::string_view, kParts> parts;
  for (size_t i = 0; i < split.size(); ++i) parts[i] = FromAbsl(split[i]);
  if (!Decode(parts[kDn], url.dn) || !ReadScope(parts[kScope], url) ||
      !Decode(parts[kFilter], url.filter) ||
      HasCriticalExtension(parts[kExtensions])) {
    return std::nullopt;
  }
  return url;
}

bool IsLdapUrl(std::string_view url) {
  const auto parsed = ParseLdapUrl(url);
  // Whether it is to have StartTLS is asked of it as it is written.
  return parsed && url.starts_with(parsed->scheme) && parsed->dn.empty() &&
         url.find('?') == std::string_view::npos;
}

std::string LdapServerKey(const LdapUrl& url) {
  Endpoint server = url.server;
  if (const auto address = SocketAddress::Parse(server.host, 0)) {
    server.host = address->AddressText();
  }
  absl::AsciiStrToLower(&server.host);
  if (server.host.ends_with('.')) server.host.pop_back();
  if (server.port == UsualPort(url.scheme)) server.port = 0;
  return server.ToString();
}

}  // namespace gatehouse
