#ifndef GATEHOUSE_LIB_DIRECTORY_DIRECTORY_H_
#define GATEHOUSE_LIB_DIRECTORY_DIRECTORY_H_

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "lib/base/endpoint.h"
#include "lib/base/failure.h"
#include "lib/base/secret.h"
#include "lib/net/network.h"

namespace gatehouse {

// Where a mailbox lives.
struct Location {
  // The name by which the upstream knows the account, in the directory's own
  // spelling: what a replayed or master login uses.
  std::string user;
  // The host, absolute; `port` is 0 where the directory doesn't say one.
  // Nothing where the entry exists but names no host.
  std::optional<Endpoint> host;
  // Set where the host was a URI: whether TLS is implicit there ("imaps://").
  std::optional<bool> implicit_tls;
  // SMTP: the envelope recipient to use instead (mailRoutingAddress).
  std::string routing_address;
  // The mailbox is on its way to another host: whoever wants in waits. Such an
  // answer mustn't be cached.
  bool moving = false;
  // All addresses of the account: what an authenticated sender may use.
  std::vector<std::string> addresses;
};

// As it is handed round: it never changes, and whoever remembers it gives it to
// everybody who asks.
using SharedLocation = std::shared_ptr<const Location>;

// Somebody whose password was right.
struct Account {
  std::string user;  // canonical, as in Location
  // Where the answer came from the same entry, so that nobody asks twice.
  SharedLocation location = nullptr;
};

// Why the directory, being well, says no. A client hears the same of the first
// three, and the log is told only the names of accounts that there are: what a
// user typed in a name's place may be a password.
enum class Denial {
  kNotFound,       // nobody of that name
  kWrongPassword,  // somebody of that name, with another password
  kDisabled,       // the account may not use this service
  kExpired,        // the password has expired or must be changed
};

// What a directory answers. A Failure is never "not found": it is a directory
// that is down, slow, or holds entries that contradict each other. The location
// is never null.
using AuthenticateResult = std::variant<Account, Denial, Failure>;
using LocateResult = std::variant<SharedLocation, Denial, Failure>;
// Whether it is of one that can't be asked: the other kind is an answer.
inline bool IsOutage(const Failure& failure) {
  return failure.kind != Failure::Kind::kConfiguration;
}
using AuthenticateCallback = absl::AnyInvocable<void(AuthenticateResult)>;
using LocateCallback = absl::AnyInvocable<void(LocateResult)>;

// Two questions: who is this, and where is the mailbox? One object per worker,
// on that worker's thread. Answers come later, never inside the call, and
// destroying the operation makes the answer go nowhere.
class Directory {
 public:
  virtual ~Directory() = default;

  // Whether `secret` is the password of `name` (the client's own spelling).
  // The callee refuses an empty password by itself (RFC 4513 §5.1.2).
  virtual std::unique_ptr<Operation> Authenticate(
      std::string_view name, const Secret& secret,
      AuthenticateCallback done) = 0;

  // Where the account or address `name` lives. For a whole domain: "@domain".
  virtual std::unique_ptr<Operation> Locate(std::string_view name,
                                            LocateCallback done) = 0;

  // The answer, where it is known without asking anybody; nothing where
  // Locate() has to be called. So a name that is found in memory costs neither
  // an allocation nor a turn of the loop.
  virtual std::optional<LocateResult> LocateNow(std::string_view name) {
    return std::nullopt;
  }

  // Where some mailboxes live, as far as that can be told without asking
  // anybody: the different hosts of a file, or the hosts of so many entries of
  // a live map, chosen by chance. At most `most`.
  virtual std::vector<Location> SampleLocations(size_t most) { return {}; }

  // The upstream refused a password that Authenticate() had found right:
  // whoever remembers it asks again next time.
  virtual void ForgetPassword(std::string_view name) {}

  // Hears of accounts that are seen at another host than before, by a cache
  // refresh or the live map; sessions at the old host are to be ended. `host`
  // is as in Location. A directory that remembers nothing never calls it.
  using MoveObserver = absl::AnyInvocable<void(
      std::string_view user, const std::optional<Endpoint>& host)>;
  virtual void set_move_observer(MoveObserver observer) {}
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_DIRECTORY_DIRECTORY_H_
