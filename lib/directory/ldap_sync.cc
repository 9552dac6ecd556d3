#include "lib/directory/ldap_sync.h"

#include <lber.h>
#include <ldap.h>

#include <algorithm>
#include <memory>
#include <utility>

namespace gatehouse {
namespace {

struct FreeBer {
  void operator()(BerElement* ber) const { ber_free(ber, 1); }
};
using Ber = std::unique_ptr<BerElement, FreeBer>;

// Reads one value from its begin to its end. After the first thing that isn't
// as expected everything else is missing too.
class Reader {
 public:
  explicit Reader(std::string_view value) {
    berval bytes;
    bytes.bv_val = const_cast<char*>(value.data());
    bytes.bv_len = value.size();
    ber_.reset(ber_init(&bytes));
    ok_ = ber_ != nullptr;
  }

  // Of what comes next; LBER_DEFAULT where nothing does.
  ber_tag_t Peek() {
    ber_len_t length = 0;
    return ok_ ? ber_peek_tag(ber_.get(), &length) : LBER_DEFAULT;
  }

  // Goes into a SEQUENCE or SET, which must be the last thing of all, or of
  // what it is in: so its end is the value's.
  void Enter(ber_tag_t tag) {
    ber_len_t length = 0;
    if (Peek() != tag) return Fail();
    if (ber_skip_tag(ber_.get(), &length) != tag) return Fail();
    ber_len_t rest = 0;
    ber_get_option(ber_.get(), LBER_OPT_BER_REMAINING_BYTES, &rest);
    if (length != rest) Fail();
  }

  std::string Octets(ber_tag_t tag) {
    berval octets = {};
    if (Peek() != tag || ber_scanf(ber_.get(), "m", &octets) == LBER_ERROR) {
      Fail();
      return "";
    }
    return std::string(octets.bv_val, octets.bv_len);
  }

  std::string OptionalCookie() {
    return Peek() == LDAP_TAG_SYNC_COOKIE ? Octets(LDAP_TAG_SYNC_COOKIE) : "";
  }

  EntryUuid Uuid() {
    EntryUuid uuid = {};
    const std::string octets = Octets(LBER_OCTETSTRING);
    if (octets.size() != uuid.size()) {
      Fail();
    } else {
      std::copy(octets.begin(), octets.end(), uuid.begin());
    }
    return uuid;
  }

  int Enumerated() {
    ber_int_t number = -1;
    if (Peek() != LBER_ENUMERATED ||
        ber_get_enum(ber_.get(), &number) == LBER_ERROR) {
      Fail();
    }
    return number;
  }

  bool OptionalBoolean(bool otherwise) {
    if (Peek() != LBER_BOOLEAN) return otherwise;
    ber_int_t value = 0;
    if (ber_get_boolean(ber_.get(), &value) == LBER_ERROR) Fail();
    return value != 0;
  }

  // Whether all was as expected, and nothing is left.
  bool Finished() { return ok_ && AtEnd(); }
  bool AtEnd() {
    ber_len_t rest = 0;
    if (!ok_) return true;
    ber_get_option(ber_.get(), LBER_OPT_BER_REMAINING_BYTES, &rest);
    return rest == 0;
  }

 private:
  void Fail() { ok_ = false; }

  Ber ber_;
  bool ok_;
};

std::optional<LdapSyncInfo> Finish(Reader& reader, LdapSyncInfo info) {
  if (!reader.Finished()) return std::nullopt;
  return info;
}

}  // namespace

std::string EncodeSyncRequest(std::string_view cookie) {
  const Ber ber(ber_alloc_t(LBER_USE_DER));
  ber_printf(ber.get(), "{e",
             static_cast<ber_int_t>(LDAP_SYNC_REFRESH_AND_PERSIST));
  if (!cookie.empty()) {
    berval octets;
    octets.bv_val = const_cast<char*>(cookie.data());
    octets.bv_len = cookie.size();
    ber_printf(ber.get(), "O", &octets);
  }
  // reloadHint is false: where the cookie is no good, the server says so, and
  // what is known serves until everything has come again.
  ber_printf(ber.get(), "}");
  berval encoded = {};
  ber_flatten2(ber.get(), &encoded, /*alloc=*/0);
  return std::string(encoded.bv_val, encoded.bv_len);
}

std::optional<LdapSyncState> DecodeSyncState(std::string_view value) {
  Reader reader(value);
  LdapSyncState decoded;
  reader.Enter(LBER_SEQUENCE);
  const int state = reader.Enumerated();
  decoded.uuid = reader.Uuid();
  decoded.cookie = reader.OptionalCookie();
  if (!reader.Finished() || state < LDAP_SYNC_PRESENT ||
      state > LDAP_SYNC_DELETE) {
    return std::nullopt;
  }
  decoded.state = static_cast<LdapSyncState::State>(state);
  return decoded;
}

std::optional<LdapSyncInfo> DecodeSyncInfo(std::string_view value) {
  Reader reader(value);
  const ber_tag_t tag = reader.Peek();
  if (tag == LDAP_TAG_SYNC_NEW_COOKIE) {
    return Finish(reader, LdapSyncNewCookie{reader.Octets(tag)});
  }
  if (tag == LDAP_TAG_SYNC_REFRESH_DELETE ||
      tag == LDAP_TAG_SYNC_REFRESH_PRESENT) {
    LdapSyncPhaseEnd end;
    reader.Enter(tag);
    end.unmentioned_stays = tag == LDAP_TAG_SYNC_REFRESH_DELETE;
    end.cookie = reader.OptionalCookie();
    end.refresh_done = reader.OptionalBoolean(true);
    return Finish(reader, std::move(end));
  }
  LdapSyncIdSet set;
  reader.Enter(LDAP_TAG_SYNC_ID_SET);
  set.cookie = reader.OptionalCookie();
  set.deleted = reader.OptionalBoolean(false);
  reader.Enter(LBER_SET);
  while (!reader.AtEnd()) set.uuids.push_back(reader.Uuid());
  return Finish(reader, std::move(set));
}

}  // namespace gatehouse
