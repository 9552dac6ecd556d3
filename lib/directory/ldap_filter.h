#ifndef GATEHOUSE_LIB_DIRECTORY_LDAP_FILTER_H_
#define GATEHOUSE_LIB_DIRECTORY_LDAP_FILTER_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/directory/login_name.h"
#include "lib/directory/name_template.h"

namespace gatehouse {

// An assertion value so written that a filter takes it for nothing but itself
// (RFC 4515 §3): every octet but letters, digits and "@.-_+=" as "\xx".
// Harmless ones are left so that slapd's log stays readable.
std::string QuoteFilterValue(std::string_view value);

// One "(attribute=value)" of a filter, the value without its quoting.
struct FilterItem {
  std::string attribute;   // as written, with options and matching rule
  std::string comparison;  // "=", "~=", ">=", "<=", ":="
  std::string value;
  bool has_wildcard = false;  // an unquoted "*"
  friend bool operator==(const FilterItem&, const FilterItem&) = default;
};

// A filter, or one within another.
struct FilterNode {
  enum class Kind { kAnd, kOr, kNot, kItem };
  Kind kind = Kind::kItem;
  std::vector<FilterNode> children;  // of kNot: one
  FilterItem item;                   // of kItem
  std::string text;                  // as it was written
};

// The error names the position, counted from 1, of what RFC 4515 doesn't allow.
absl::StatusOr<FilterNode> ParseFilterTree(std::string_view filter);

// The items of a filter in their order.
absl::StatusOr<std::vector<FilterItem>> ParseFilter(std::string_view filter);

// A filter with holes for a name (NameTemplate). Immutable, so safe for any
// number of threads.
class FilterTemplate {
 public:
  // An error for what ParseFilter() refuses, for an unknown %-letter, and for a
  // template that compares nothing with %e or %u, which finds one entry for
  // everybody.
  static absl::StatusOr<FilterTemplate> Create(std::string_view text);

  // The filter for this name: quoted, so that no name changes its shape.
  std::string Fill(const LoginName& name) const;

  // The attributes that are compared with the whole name or its local part,
  // and what each is compared with: an entry's own spelling of the name stands
  // in one of them.
  struct NameAssertion {
    std::string attribute;
    NameTemplate value;
  };
  const std::vector<NameAssertion>& name_assertions() const {
    return name_assertions_;
  }

  const std::string& text() const { return text_.text(); }

 private:
  FilterTemplate() = default;

  NameTemplate text_;
  std::vector<NameAssertion> name_assertions_;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_DIRECTORY_LDAP_FILTER_H_
