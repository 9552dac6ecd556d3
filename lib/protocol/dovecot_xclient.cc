#include "lib/protocol/dovecot_xclient.h"

#include <algorithm>
#include <string_view>

namespace gatehouse {
namespace {

// Dovecot's LOGIN_MAX_SESSION_ID_LEN.
constexpr size_t kLongestSessionIdBytes = 64;

bool IsWord(std::string_view text) {
  return !text.empty() && text.size() <= kLongestSessionIdBytes &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                  (c >= 'A' && c <= 'Z');
         });
}

}  // namespace

std::string DovecotXclient(const ClientFacts& client, int proxy_ttl) {
  std::string command = "XCLIENT";
  if (client.client.is_set()) {
    const SocketAddress address = client.client.Unmapped();
    command += " ADDR=" + address.AddressText() +
               " PORT=" + std::to_string(address.port());
  }
  if (IsWord(client.session_id)) command += " SESSION=" + client.session_id;
  command += " TTL=" + std::to_string(proxy_ttl);
  return command;
}

}  // namespace gatehouse
