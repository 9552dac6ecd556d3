// Any name, through normalising and quoting, fills a filter of unchanged shape
// whose values are the name's own parts: as we read it, and as libldap puts it
// on the wire.

#include <lber.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "lib/base/check.h"
#include "lib/directory/ldap_filter.h"
#include "lib/directory/login_name.h"

// libldap's own, by which it sends every search's filter; in no header of its.
extern "C" int ldap_pvt_put_filter(BerElement* ber, const char* filter);

namespace gatehouse {
namespace {

// As DER writes it: the shortest length.
std::string Tlv(char tag, std::string_view content) {
  std::string length(1, static_cast<char>(content.size()));
  if (content.size() > 127) {
    length.clear();
    for (size_t rest = content.size(); rest > 0; rest >>= 8) {
      length.insert(length.begin(), static_cast<char>(rest & 0xff));
    }
    length.insert(length.begin(), static_cast<char>(0x80 | length.size()));
  }
  return tag + length + std::string(content);
}

// RFC 4511 §4.5.1: and, or, equalityMatch.
constexpr char kAnd = '\xa0';
constexpr char kOr = '\xa1';
std::string Equality(std::string_view attribute, std::string_view value) {
  return Tlv('\xa3', Tlv('\x04', attribute) + Tlv('\x04', value));
}

// What libldap sends; nothing where it can't read the filter.
std::string Sent(const std::string& filter) {
  BerElement* const ber = ber_alloc_t(LBER_USE_DER);
  std::string sent;
  berval bytes;
  if (ldap_pvt_put_filter(ber, filter.c_str()) == 0 &&
      ber_flatten2(ber, &bytes, 0) == 0) {
    sent.assign(bytes.bv_val, bytes.bv_len);
  }
  ber_free(ber, 1);
  return sent;
}

void CheckSending(const FilterTemplate& filter, const LoginName& name) {
  const std::string either =
      Equality("mail", name.Whole()) + Equality("uid", name.local());
  const std::string all = Equality("objectClass", "inetLocalMailRecipient") +
                          Tlv(kOr, either) +
                          Equality("dc", "x" + std::string(name.domain()));
  GATEHOUSE_CHECK(Sent(filter.Fill(name)) == Tlv(kAnd, all),
                  "libldap sends another filter");
}

void CheckFilling(const FilterTemplate& filter, const LoginName& name) {
  auto items = ParseFilter(filter.Fill(name));
  GATEHOUSE_CHECK(items.ok(), "the filled filter can't be read");
  GATEHOUSE_CHECK(items->size() == 4, "the name changed the filter's shape");
  for (const FilterItem& item : *items) {
    GATEHOUSE_CHECK(!item.has_wildcard, "the name brought a wildcard");
  }
  GATEHOUSE_CHECK((*items)[1].value == name.Whole(), "another address");
  GATEHOUSE_CHECK((*items)[2].value == name.local(), "another local part");
  GATEHOUSE_CHECK((*items)[3].value == "x" + std::string(name.domain()),
                  "another domain");
}

void CheckNormalising(std::string_view text, NameUse use) {
  auto name = ParseLoginName(text, {}, use);
  if (!name) return;
  auto again = ParseLoginName(name->Whole(), {}, use);
  GATEHOUSE_CHECK(again == name, "a normal name has another normal form");
}

}  // namespace
}  // namespace gatehouse

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace gatehouse;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  static const FilterTemplate filter = *FilterTemplate::Create(
      "(&(objectClass=inetLocalMailRecipient)(|(mail=%e)(uid=%u))(dc=x%d))");
  const size_t middle = size / 2;
  const LoginName name(text.substr(0, middle), text.substr(middle));
  CheckFilling(filter, name);
  CheckSending(filter, name);
  CheckNormalising(text, NameUse::kLogin);
  CheckNormalising(text, NameUse::kAddress);
  static_cast<void>(FilterTemplate::Create(text));
  return 0;
}
