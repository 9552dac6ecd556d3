#ifndef GATEHOUSE_LIB_DIRECTORY_LDAP_ENTRY_READER_H_
#define GATEHOUSE_LIB_DIRECTORY_LDAP_ENTRY_READER_H_

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/directory/directory.h"
#include "lib/directory/ldap_client.h"
#include "lib/directory/ldap_filter.h"
#include "lib/directory/ldap_options.h"
#include "lib/directory/login_name.h"

namespace gatehouse {

// The routing rules: from a name to a search, and from what was found to a
// location. No I/O.
class LdapEntryReader {
 public:
  static absl::StatusOr<LdapEntryReader> Create(
      std::shared_ptr<const LdapOptions> options);

  LdapSearch SearchFor(const LoginName& name) const;

  struct Reading {
    SharedLocation location;
    bool enabled = true;
  };
  using Result = std::variant<Reading, Denial, Failure>;
  // A reading is of the first entry, whose DN isn't empty; others say the same.
  Result Read(const LoginName& name, const LdapFound& found) const;

  // Of an entry alone. Under which names its sessions may be known, and where
  // they are; nothing where that can't be followed.
  std::vector<std::string> UsersOf(const LdapEntry& entry) const;
  std::optional<Location> RoutingOf(const LdapEntry& entry) const;

 private:
  LdapEntryReader(std::shared_ptr<const LdapOptions> options,
                  FilterTemplate filter)
      : options_(std::move(options)), filter_(std::move(filter)) {}

  std::optional<Failure> ReadRouting(const LdapEntry& entry,
                                     Location& location) const;
  Result ReadEntry(const LoginName& name, const LdapEntry& entry) const;
  // From the value meant for this service (mail_host.h). Bad data where there
  // are several.
  std::optional<Failure> ReadHost(const LdapEntry& entry,
                                  Location& location) const;
  std::string_view UserOf(const LoginName& name, const LdapEntry& entry) const;
  bool IsEnabled(const LdapEntry& entry) const;

  std::shared_ptr<const LdapOptions> options_;
  FilterTemplate filter_;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_DIRECTORY_LDAP_ENTRY_READER_H_
