// Any text that a server gives for a URL is read, or refused.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "lib/base/check.h"
#include "lib/directory/ldap_url.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace gatehouse;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto url = ParseLdapUrl(text);
  if (!url) {
    GATEHOUSE_CHECK(!IsLdapUrl(text), "a server whose URL can't be read");
    return 0;
  }
  const bool is_local = url->scheme == "ldapi";
  GATEHOUSE_CHECK(is_local == url->server.host.empty() &&
                      is_local == (url->server.port == 0),
                  "a server without a host or port");
  GATEHOUSE_CHECK(url->dn.find('\0') == std::string::npos &&
                      url->filter.find('\0') == std::string::npos,
                  "libldap would see only a part");
  if (is_local) return 0;
  // How it is written doesn't change which server it is.
  const auto again = ParseLdapUrl(url->scheme + "://" + url->server.ToString());
  GATEHOUSE_CHECK(again && LdapServerKey(*again) == LdapServerKey(*url),
                  "another server");
  return 0;
}
