#ifndef GATEHOUSE_LIB_DIRECTORY_FOLLOW_FILTER_H_
#define GATEHOUSE_LIB_DIRECTORY_FOLLOW_FILTER_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/directory/ldap_entry.h"
#include "lib/directory/ldap_filter.h"
#include "lib/directory/login_name.h"
#include "lib/directory/name_template.h"

namespace gatehouse {

// A connector's filter, turned round: which entries any name could find, and
// which of them a given name finds. For filters that are an "&" (or none) of
//  - what doesn't depend on the name, of any shape: the server judges it;
//  - "(attribute=…)" with %e, %u or %d in the value, or an "|" of such.
// One of the latter must depend on %e or %u throughout: entries are looked up
// by its attributes. Elsewhere ("!", substrings, an "|" of both kinds) an
// entry's own values don't say which names find it.
//
// Immutable, so safe for any number of threads.
class FollowFilter {
 public:
  // The error says what of the filter can't be followed.
  static absl::StatusOr<FollowFilter> Create(const std::string& account_filter);

  // Finds every entry that the account filter finds for some name.
  const std::string& text() const { return text_; }

  // An entry that a name finds has a value of one of the key attributes that is
  // one of the keys, filled by the name.
  const std::vector<NameTemplate>& keys() const { return keys_; }

  // In lower case: by which entries are looked up; and all that must be
  // compared with a name.
  const std::vector<std::string>& key_attributes() const {
    return key_attributes_;
  }
  const std::vector<std::string>& compared_attributes() const {
    return compared_attributes_;
  }

  // Whether the name finds the entry, which text() finds; for values that are
  // plain (LookupKey).
  bool Matches(const LdapEntry& entry, const LoginName& name) const;

 private:
  struct Assertion {
    std::string attribute;
    NameTemplate value;
  };
  using Clause = std::vector<Assertion>;  // one of them must hold

  FollowFilter() = default;
  absl::Status Add(const FilterNode& node);
  void SetKeys();

  std::string text_;
  std::vector<Clause> clauses_;  // all must hold; the first gives the keys
  std::vector<NameTemplate> keys_;
  std::vector<std::string> key_attributes_;
  std::vector<std::string> compared_attributes_;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_DIRECTORY_FOLLOW_FILTER_H_
