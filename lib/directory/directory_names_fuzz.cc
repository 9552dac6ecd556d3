// Any name, through normalising and quoting, fills a filter of unchanged shape
// whose values are the name's own parts.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "lib/base/check.h"
#include "lib/directory/ldap_filter.h"
#include "lib/directory/login_name.h"

namespace gatehouse {
namespace {

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
  CheckFilling(filter, {text.substr(0, middle), text.substr(middle)});
  CheckNormalising(text, NameUse::kLogin);
  CheckNormalising(text, NameUse::kAddress);
  static_cast<void>(FilterTemplate::Create(text));
  return 0;
}
