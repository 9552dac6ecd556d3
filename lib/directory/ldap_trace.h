#ifndef GATEHOUSE_LIB_DIRECTORY_LDAP_TRACE_H_
#define GATEHOUSE_LIB_DIRECTORY_LDAP_TRACE_H_

#include <string>
#include <string_view>

namespace gatehouse {

// Hears what libldap tells its debug log of this thread's connecting, from its
// making to its end: nowhere else libldap says why it distrusts a certificate,
// or what the kernel and the resolver said. libldap's log is one for the whole
// process, so while any thread connects all are traced; what isn't of a thread
// with a trace of its own is dropped. One per thread at a time.
class LdapTrace {
 public:
  LdapTrace();
  LdapTrace(const LdapTrace&) = delete;
  LdapTrace& operator=(const LdapTrace&) = delete;
  ~LdapTrace();

  // Why connecting failed, for an operator; "" where libldap has not told.
  std::string Reason() const;
  // Whether it failed in TLS.
  bool IsOfTls() const { return text_.find("TLS: ") != std::string::npos; }

 private:
  std::string text_;
};

// The reason in libldap's lines.
std::string ReasonInLdapTrace(std::string_view text);

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_DIRECTORY_LDAP_TRACE_H_
