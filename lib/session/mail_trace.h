#ifndef GATEHOUSE_LIB_SESSION_MAIL_TRACE_H_
#define GATEHOUSE_LIB_SESSION_MAIL_TRACE_H_

#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "lib/base/endpoint.h"

namespace gatehouse {

// What our own line of a message's trace tells (RFC 5321 §4.4).
struct MailTrace {
  std::string helo;      // what the client called itself, checked
  SocketAddress client;  // where it came from
  std::string host_name;
  std::string id;  // the session's, so that a message leads to its log line
  bool esmtp = false;
  bool tls = false;
  bool authenticated = false;
  bool utf8 = false;
  absl::Time time;
};

// The Received: field, folded, with CRLF. Recipients aren't named: the others
// mustn't learn of them.
std::string FormatReceived(const MailTrace& trace);

// Reads a message's header and counts the hops it has taken (RFC 5321 §6.3):
// its Received: fields, and those of them that say "by" our own name.
class HopCounter {
 public:
  explicit HopCounter(std::string_view own_name) : own_name_(own_name) {}

  // Octets of the message, in whatever pieces. Behind the header they are
  // ignored.
  void Read(std::string_view octets);

  int hops() const { return hops_; }
  int own_hops() const { return own_hops_; }

 private:
  void OnLineEnd();
  void OnField();

  const std::string own_name_;
  std::string field_;  // the present one, unfolded, as far as it is looked at
  std::string line_;
  int hops_ = 0;
  int own_hops_ = 0;
  bool in_header_ = true;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_SESSION_MAIL_TRACE_H_
