#ifndef GATEHOUSE_LIB_DIRECTORY_LDAP_SEARCHES_H_
#define GATEHOUSE_LIB_DIRECTORY_LDAP_SEARCHES_H_

#include <list>
#include <map>
#include <memory>
#include <string>

#include "lib/directory/ldap_client.h"
#include "lib/directory/ldap_referral_chaser.h"
#include "lib/net/network.h"

namespace gatehouse {

// Asks once for searches that are alike and under way at the same time:
// hundreds of clients of one account, or of one name that a spammer tries, are
// one question. All are told the one answer.
//
// For searches of one base and one list of attributes: they differ by filter.
// Not to be destroyed from a callback.
class LdapSearches {
 public:
  // `servers` must outlive it.
  explicit LdapSearches(LdapReferralChaser& servers) : servers_(servers) {}

  std::unique_ptr<Operation> Search(LdapSearch search, LdapReplyCallback done);

 private:
  class Waiter;
  // One question to the servers, and who waits for its answer.
  struct Question {
    std::string filter;
    std::list<Waiter*> waiters;
    std::unique_ptr<Operation> operation;
  };
  using Questions = std::map<std::string, std::shared_ptr<Question>>;

  void OnReply(const std::string& filter, const LdapReply& reply);

  LdapReferralChaser& servers_;
  // By filter. Shared with those who wait, who may live longer.
  const std::shared_ptr<Questions> under_way_ = std::make_shared<Questions>();
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_DIRECTORY_LDAP_SEARCHES_H_
