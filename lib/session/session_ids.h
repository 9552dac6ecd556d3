#ifndef GATEHOUSE_LIB_SESSION_SESSION_IDS_H_
#define GATEHOUSE_LIB_SESSION_SESSION_IDS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

namespace gatehouse {

// Names for sessions, which nobody can guess: letters and digits, since they
// are told to upstreams and stand in two logs. Of one thread.
class SessionIds {
 public:
  std::string Next();  // 12 octets

 private:
  // The kernel is asked once for so many.
  std::array<uint64_t, 32> random_ = {};
  size_t left_ = 0;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_SESSION_SESSION_IDS_H_
