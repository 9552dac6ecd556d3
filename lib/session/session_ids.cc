#include "lib/session/session_ids.h"

#include <sys/random.h>

#include <string_view>

namespace gatehouse {

std::string SessionIds::Next() {
  if (left_ == 0) {
    // Can't fail for so few octets once the system is up (getrandom(2)).
    [[maybe_unused]] const ssize_t count =
        getrandom(random_.data(), sizeof(random_), 0);
    left_ = random_.size();
  }
  uint64_t random = random_[--left_];
  constexpr std::string_view kAlphabet = "0123456789abcdefghijklmnopqrstuv";
  std::string id;
  for (int i = 0; i < 12; ++i, random >>= 5) id += kAlphabet[random & 31];
  return id;
}

}  // namespace gatehouse
