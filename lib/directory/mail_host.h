#ifndef GATEHOUSE_LIB_DIRECTORY_MAIL_HOST_H_
#define GATEHOUSE_LIB_DIRECTORY_MAIL_HOST_H_

#include <optional>
#include <string_view>

#include "lib/base/endpoint.h"
#include "lib/directory/directory.h"

namespace gatehouse {

// One value of a mailHost, as it is meant for one service.
struct MailHostValue {
  // Of several values the one with the highest rank counts.
  enum class Rank {
    kOtherService,  // "pop3s://host:995" to IMAP: only the host is meant
    kAnyService,    // "host", "host:port"
    kThisService,   // "imaps://host:993" to IMAP
  };

  // In lower case; `port` is 0 where the value says none for this service, which
  // "imaps://host" does.
  Endpoint endpoint;
  // Set where the scheme ends the question: "imap://" leaves open whether
  // STARTTLS is wanted.
  std::optional<bool> implicit_tls = {};
  Rank rank = Rank::kAnyService;

  friend bool operator==(const MailHostValue&, const MailHostValue&) = default;
};

// Reads "host", "host:port" or a URI as "imaps://host:port" for `service`
// ("imap", "pop3", "sieve", "smtp"). Nothing where it is none of these.
std::optional<MailHostValue> ParseMailHost(std::string_view value,
                                           std::string_view service);

// The same into `location`, where there is but one value. False where it is
// none, and `location` is as it was.
bool ReadMailHost(std::string_view value, std::string_view service,
                  Location& location);

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_DIRECTORY_MAIL_HOST_H_
