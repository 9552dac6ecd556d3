#ifndef GATEHOUSE_LIB_SESSION_UPSTREAMS_MET_H_
#define GATEHOUSE_LIB_SESSION_UPSTREAMS_MET_H_

#include <cstddef>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "lib/session/upstream_session.h"

namespace gatehouse {

// The upstreams that sessions were let into lately: whom the capability probe
// asks. Shared by the workers of one configuration; safe for all threads, and
// held for the moment of a map's look-up only.
class UpstreamsMet {
 public:
  // A directory may name any number of hosts; the one met longest ago makes
  // room. Sites with more stores than this have alike ones.
  static constexpr size_t kMost = 64;

  void Note(const UpstreamTarget& target, absl::Time now);

  // Those met at `oldest` or later, by name.
  std::map<std::string, UpstreamTarget> Since(absl::Time oldest) const;

 private:
  struct Meeting {
    UpstreamTarget target;
    absl::Time last;
  };

  mutable std::mutex mutex_;
  std::map<std::string, Meeting> meetings_;
};

// What tells two targets apart: "store1:143", and whether TLS is implicit.
std::string TargetName(const UpstreamTarget& target);

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_SESSION_UPSTREAMS_MET_H_
