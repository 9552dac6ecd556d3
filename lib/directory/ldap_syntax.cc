#include "lib/directory/ldap_syntax.h"

#include <ldap.h>

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_split.h"
#include "lib/base/string_bridge.h"

namespace gatehouse {
namespace {

bool IsKeyChars(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-';
  });
}

bool IsNumericOid(std::string_view text) {
  const std::vector<absl::string_view> arcs = absl::StrSplit(ToAbsl(text), '.');
  return arcs.size() >= 2 &&
         std::all_of(arcs.begin(), arcs.end(), [](absl::string_view arc) {
           return !arc.empty() && (arc == "0" || arc.front() != '0') &&
                  std::all_of(arc.begin(), arc.end(), absl::ascii_isdigit);
         });
}

}  // namespace

bool IsDistinguishedName(std::string_view text) {
  if (text.find('\0') != std::string_view::npos) return false;
  LDAPDN parsed = nullptr;
  const int result =
      ldap_str2dn(std::string(text).c_str(), &parsed, LDAP_DN_FORMAT_LDAPV3);
  ldap_dnfree(parsed);
  return result == LDAP_SUCCESS;
}

bool IsAttributeDescription(std::string_view text) {
  const std::vector<absl::string_view> parts =
      absl::StrSplit(ToAbsl(text), ';');
  const std::string_view type = FromAbsl(parts.front());
  const bool is_descriptor =
      IsKeyChars(type) &&
      absl::ascii_isalpha(static_cast<unsigned char>(type.front()));
  return (is_descriptor || IsNumericOid(type)) &&
         std::all_of(
             parts.begin() + 1, parts.end(),
             [](absl::string_view part) { return IsKeyChars(FromAbsl(part)); });
}

}  // namespace gatehouse
