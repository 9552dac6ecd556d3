#ifndef GATEHOUSE_LIB_DIRECTORY_LDAP_CLIENT_H_
#define GATEHOUSE_LIB_DIRECTORY_LDAP_CLIENT_H_

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/functional/any_invocable.h"
#include "lib/base/failure.h"
#include "lib/base/secret.h"
#include "lib/directory/ldap_entry.h"
#include "lib/directory/ldap_options.h"
#include "lib/directory/ldap_sync.h"
#include "lib/directory/ldap_url.h"
#include "lib/net/network.h"

struct ldap;     // libldap's connection
struct ldapmsg;  // and its answer

namespace gatehouse {

struct LdapSearch {
  std::string base_dn;
  std::string filter;
  std::vector<std::string> attributes;
  LdapScope scope = LdapScope::kSubtree;
};

// Others are to be asked (RFC 4511 §4.1.10): any one of these URLs. A server
// may say there what it likes.
struct LdapReferral {
  std::vector<std::string> urls;
};

// What a search found: at most kMaxLdapEntries.
struct LdapFound {
  absl::InlinedVector<LdapEntry, 1> entries;
  bool more = false;  // and there are others
  // Parts of the tree that others know (RFC 4511 §4.5.3), at most
  // kMaxLdapReferences, and one more where there are others.
  std::vector<LdapReferral> references;
  // Which one of LdapReferralChaser's servers has the first entry.
  size_t server = 0;
};

// Enough to see that a name isn't unique.
inline constexpr int kMaxLdapEntries = 2;
// More than anybody has, and few enough to be kept.
inline constexpr size_t kMaxLdapReferences = 16;

// What the directory says of a password.
enum class LdapVerdict { kRight, kWrong, kExpired, kLocked };

using LdapReply = std::variant<LdapFound, LdapVerdict, LdapReferral, Failure>;
using LdapReplyCallback = absl::AnyInvocable<void(LdapReply)>;

// What LdapConnection::Follow() hears. Of an entry that is present or deleted
// there is the name only; of a reference to another server its state.
struct LdapSyncEntry {
  LdapSyncState sync;
  LdapEntry entry;
  bool is_reference = false;
};
// Nothing comes any more.
struct LdapSyncEnd {
  Failure failure;
  // The server won't do what was asked; false: the connection was lost, or the
  // server has no time.
  bool refused = false;
  // It can't tell what has changed since the cookie: ask without one.
  bool refresh_required = false;
};
using LdapSyncEvent = std::variant<LdapSyncEntry, LdapSyncInfo, LdapSyncEnd>;
using LdapSyncCallback = absl::AnyInvocable<void(LdapSyncEvent)>;

// One connection to one LDAP server (RFC 4511), on its network's thread.
// Version 3, no alias dereferencing; referrals are told, not followed. Every
// request may be answered in any order. Nothing here has a deadline but the
// opening: a silent server is its owner's to leave.
class LdapConnection {
 public:
  enum class Role {
    kSearch,  // bound as the options' administrator
    kBind,    // not bound; users bind on it, one at a time
  };
  using OpenResult = std::variant<std::unique_ptr<LdapConnection>, Failure>;
  using OpenCallback = absl::AnyInvocable<void(OpenResult)>;

  // Connects off the loop (name, TCP, TLS with verification, administrator's
  // bind) within twice `options->timeout`.
  static std::unique_ptr<Operation> Open(
      Network& network, std::shared_ptr<const LdapOptions> options,
      const std::string& url, Role role, OpenCallback done);

  LdapConnection(Network& network, std::string url, ldap* handle);
  ~LdapConnection();

  // Runs once, from the loop, when the server has ended the connection, after
  // every pending request has been answered with a Failure{kReset}. The owner
  // may destroy the connection in it.
  void set_on_lost(absl::AnyInvocable<void()> on_lost) {
    on_lost_ = std::move(on_lost);
  }

  // The message id of the request whose answer `done` will hear, or why nothing
  // was sent, and then `done` hears nothing. Never on a lost connection.
  // Callbacks may destroy the connection.
  using SendResult = std::variant<int, Failure>;
  SendResult Search(const LdapSearch& search, absl::Duration time_limit,
                    LdapReplyCallback done);
  // `dn` and `secret` must not be empty, nor `secret` hold NUL (CHECK): the
  // server would take such a bind for an anonymous one (RFC 4513 §5.1.2).
  SendResult Bind(const std::string& dn, const Secret& secret,
                  LdapReplyCallback done);

  // What the search finds now, and every change of it from then on (RFC 4533,
  // refreshAndPersist). `cookie` says what is known already; empty: nothing.
  SendResult Follow(const LdapSearch& search, std::string_view cookie,
                    LdapSyncCallback on_event);

  // Tells the server that nobody waits any more; a bind can't be abandoned
  // (RFC 4511 §4.11), so a connection with one is to be destroyed.
  void Abandon(int id);

  size_t pending() const { return pending_.size(); }
  // The end is known, and on_lost is about to run.
  bool lost() const { return lost_; }

 private:
  struct Pending {
    LdapReplyCallback done;
    LdapFound found;
    LdapSyncCallback on_event;  // of Follow(), in place of `done`
  };

  SendResult Started(int result, int id, Pending pending);
  void OnReadable();
  // False where there is none, or the connection is lost or destroyed.
  bool TakeMessage();
  bool Dispatch(ldapmsg* message);
  void Collect(ldapmsg* message, LdapFound& found);
  bool DispatchSync(ldapmsg* message, int id, Pending& pending);
  LdapSyncEvent ReadSync(ldapmsg* message, int type);
  LdapReply Conclude(ldapmsg* message, int type, LdapFound found);
  void Lose();
  Failure ReasonOf(int code, std::string_view text) const;

  Network& network_;
  const std::string url_;
  ldap* handle_;
  bool lost_ = false;
  std::map<int, Pending> pending_;
  absl::AnyInvocable<void()> on_lost_;
  std::unique_ptr<Operation> watch_;
  std::unique_ptr<Operation> more_;
  // Expires with the connection: a callback may have destroyed it.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_DIRECTORY_LDAP_CLIENT_H_
