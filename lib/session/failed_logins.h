#ifndef GATEHOUSE_LIB_SESSION_FAILED_LOGINS_H_
#define GATEHOUSE_LIB_SESSION_FAILED_LOGINS_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "lib/base/endpoint.h"

namespace gatehouse {

// How many logins have failed of late, of a client's address (an IPv6 /64 is
// one client) and of a name that was tried, over all sessions of a process. A
// failure is forgotten after a minute, one after the other, so that who goes on
// at that pace never counts for more than one.
//
// What a name's count may do is to delay the answer to a wrong password, and no
// more: it must neither refuse a login nor make a right password wait, else
// anybody could lock a user out by trying that user's name. An address's count
// may refuse, since only who shares it can raise it.
//
// Safe for all threads, and without a lock: a session's worker never waits for
// another one's. Bounded: a fixed table, in which of each eight places the one
// that would be empty first is given up, so that names tried once displace each
// other and not the one that is under attack. Neither names nor addresses are
// in it, but hashes under a key that ends with the process.
class FailedLogins {
 public:
  // Four hours' worth. No count goes beyond.
  static constexpr int kMostCounted = 240;
  static constexpr uint32_t kForgetSeconds = 60;
  static constexpr absl::Duration kForgetOne = absl::Seconds(kForgetSeconds);

  FailedLogins();

  // Counts one more failure of both, and gives the greater of their counts. An
  // unset address, or an empty name, isn't counted. ASCII case in a name is
  // ignored, as directories do.
  int Note(const SocketAddress& peer, std::string_view name, absl::Time now);

  int OfAddress(const SocketAddress& peer, absl::Time now) const;

  size_t bytes() const { return sets_.size() * sizeof(Set); }

 private:
  // Where the upper half of a hash stands with the second at which nothing is
  // left of its count; 0: free.
  using Place = std::atomic<uint64_t>;
  using Set = std::array<Place, 8>;  // a cache line
  static constexpr size_t kSets = 8192;

  uint64_t HashOf(std::string_view kind, std::string_view text) const;
  int Add(uint64_t hash, uint32_t now);
  static Place& PlaceFor(Set& set, uint32_t tag);

  const uint64_t key_;
  std::vector<Set> sets_;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_SESSION_FAILED_LOGINS_H_
