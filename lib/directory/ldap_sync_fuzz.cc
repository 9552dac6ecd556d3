// Any bytes of a server's are read as a sync control or message, or refused.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "lib/base/check.h"
#include "lib/directory/ldap_sync.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace gatehouse;
  const std::string_view value(reinterpret_cast<const char*>(data), size);
  if (const auto state = DecodeSyncState(value)) {
    GATEHOUSE_CHECK(state->cookie.size() + kEntryUuidBytes < size,
                    "more was read than there is");
  }
  if (const auto info = DecodeSyncInfo(value)) {
    if (const auto* set = std::get_if<LdapSyncIdSet>(&*info)) {
      GATEHOUSE_CHECK(set->uuids.size() * kEntryUuidBytes <= size,
                      "more was read than there is");
    }
  }
  GATEHOUSE_CHECK(EncodeSyncRequest(value).size() >= size + 5,
                  "a cookie was cut");
  return 0;
}
