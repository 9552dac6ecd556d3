#ifndef GATEHOUSE_LIB_DIRECTORY_LDAP_LANE_H_
#define GATEHOUSE_LIB_DIRECTORY_LDAP_LANE_H_

#include <cstddef>
#include <deque>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "lib/directory/ldap_client.h"
#include "lib/directory/ldap_options.h"
#include "lib/net/network.h"

namespace gatehouse {

class LdapLane;
class LdapReplica;

// One question to the directory on its way: a search, or a bind where `dn` is
// set. Shared by whoever asked, the lane it waits in and its connection.
struct LdapRequest {
  bool is_bind() const { return !dn.empty(); }

  LdapSearch search;
  std::string dn;
  Secret secret;
  LdapReplyCallback done;  // empty once answered or cancelled

  // Where it is now.
  LdapReplica* replica = nullptr;
  LdapConnection* connection = nullptr;  // null: waits for one
  int id = 0;
  absl::Time sent_at;
  int sends = 0;  // how often it was sent, anywhere
  std::unique_ptr<Operation> timer;
};
using LdapRequestPtr = std::shared_ptr<LdapRequest>;

// The connections of one role to one replica, and the requests that wait for
// one. Opens connections as they are needed, up to its limit.
class LdapLane {
 public:
  class Owner {
   public:
    // The request has left the lane.
    virtual void OnReply(const LdapRequestPtr& request, LdapReply reply) = 0;
    virtual void OnOpened() = 0;
    // What waits stays in the lane.
    virtual void OnOpenFailed(const Failure& failure) = 0;
    // The server has ended a connection, and all its requests are answered.
    virtual void OnConnectionLost() = 0;

   protected:
    ~Owner() = default;
  };
  struct Limits {
    size_t max_connections;
    size_t max_pending;  // on one connection
  };

  LdapLane(Network& network, std::shared_ptr<const LdapOptions> options,
           std::string url, LdapConnection::Role role, Limits limits,
           Owner& owner);

  void Submit(LdapRequestPtr request);
  // Opens a connection though nothing waits.
  void OpenOne();
  bool opening() const { return !openings_.empty(); }
  // Nothing is open, or being opened.
  bool closed() const { return connections_.empty() && openings_.empty(); }
  // What waits for a connection or for its answer.
  size_t outstanding() const { return waiting_.size() + sent_.size(); }

  // Takes one request out, sent or not; no answer comes. The connection of a
  // bind goes with it, since a bind can't be abandoned.
  void Remove(const LdapRequestPtr& request);
  // Takes out all that wait, and cancels what is being opened for them.
  std::vector<LdapRequestPtr> TakeWaiting();
  // Takes out all, and closes every connection.
  std::vector<LdapRequestPtr> TakeAll();
  // Closes what nobody uses. A server that ended one connection has mostly
  // ended all: none of the others, whose end isn't seen yet, gets the retry.
  void CloseIdle();

 private:
  void Pump();
  LdapConnection* Choose();
  bool Send(LdapConnection& connection, const LdapRequestPtr& request);
  void OnOpenResult(std::list<std::unique_ptr<Operation>>::iterator opening,
                    LdapConnection::OpenResult result);
  void OnReply(const LdapRequestPtr& request, LdapReply reply);
  void Close(LdapConnection* connection);

  Network& network_;
  const std::shared_ptr<const LdapOptions> options_;
  const std::string url_;
  const LdapConnection::Role role_;
  const Limits limits_;
  Owner& owner_;
  std::vector<std::unique_ptr<LdapConnection>> connections_;
  std::list<std::unique_ptr<Operation>> openings_;
  std::deque<LdapRequestPtr> waiting_;
  std::vector<LdapRequestPtr> sent_;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_DIRECTORY_LDAP_LANE_H_
