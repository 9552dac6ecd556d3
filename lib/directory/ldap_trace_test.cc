#include "lib/directory/ldap_trace.h"

#include <ldap.h>
#include <sys/time.h>

#include "gtest/gtest.h"

namespace gatehouse {
namespace {

TEST(LdapTraceTest, FindsTheReason) {
  const struct {
    const char* text;
    const char* reason;
  } kCases[] = {
      {"", ""},
      {"connect errno: 115\nldap_pvt_connect: 0\n", ""},
      {"connect errno: 115\n"
       "ldap_is_socket_ready: error on socket 3: errno: 111 (Connection "
       "refused)\nldap_pvt_connect: -1\n",
       "Connection refused"},
      {"ldap_connect_to_host: getaddrinfo failed: Name or service not known\n",
       "Name or service not known"},
      {"TLS: hostname (127.0.0.1) does not match common name in certificate "
       "(other.example).\nTLS: can't connect: (unknown error code).\n",
       "hostname (127.0.0.1) does not match common name in certificate "
       "(other.example)"},
      {"TLS: peer cert untrusted or revoked (0x42)\n",
       "the certificate isn't trusted: no authority of caFile, or of the "
       "system's, has issued it"},
      {"TLS: peer cert untrusted or revoked (0x422)\n",
       "the certificate isn't trusted: it is revoked, it has expired"},
      {"TLS: peer cert untrusted or revoked (0x2)\n",
       "the certificate isn't trusted: status 0x2"},
  };
  for (const auto& c : kCases) {
    EXPECT_EQ(ReasonInLdapTrace(c.text), c.reason) << c.text;
  }
}

TEST(LdapTraceTest, HearsItsOwnThreadAndLeavesTheLevelAsItWas) {
  const auto level = [] {
    int now = -1;
    ldap_get_option(nullptr, LDAP_OPT_DEBUG_LEVEL, &now);
    return now;
  };
  const auto connect = [] {
    LDAP* handle = nullptr;
    ldap_initialize(&handle, "ldap://127.0.0.1:1");
    const timeval timeout = {1, 0};
    ldap_set_option(handle, LDAP_OPT_NETWORK_TIMEOUT, &timeout);
    ldap_connect(handle);
    ldap_unbind_ext(handle, nullptr, nullptr);
  };
  const int before = level();
  {
    const LdapTrace trace;
    connect();
    EXPECT_EQ(trace.Reason(), "Connection refused");
  }
  EXPECT_EQ(level(), before);
  connect();  // nobody hears it
}

}  // namespace
}  // namespace gatehouse
