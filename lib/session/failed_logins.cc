#include "lib/session/failed_logins.h"

#include <sys/random.h>

#include <algorithm>

#include "absl/hash/hash.h"
#include "absl/strings/ascii.h"
#include "lib/base/string_bridge.h"

namespace gatehouse {
namespace {

uint64_t RandomKey() {
  uint64_t key = 0;
  // Can't fail for so few octets once the system is up (getrandom(2)).
  [[maybe_unused]] const ssize_t count = getrandom(&key, sizeof(key), 0);
  return key;
}

// A leaky bucket, kept as the time at which it is empty.
uint64_t Pack(uint32_t tag, uint32_t empty_at) {
  return uint64_t{tag} << 32 | empty_at;
}
uint32_t TagIn(uint64_t place) { return place >> 32; }
uint32_t EmptyAtIn(uint64_t place) { return static_cast<uint32_t>(place); }

int CountAt(uint32_t empty_at, uint32_t now) {
  if (empty_at <= now) return 0;
  return (empty_at - now + FailedLogins::kForgetSeconds - 1) /
         FailedLogins::kForgetSeconds;
}

uint32_t SecondsOf(absl::Time now) {
  return static_cast<uint32_t>(absl::ToUnixSeconds(now));
}

uint32_t TagOf(uint64_t hash) { return hash >> 32; }

}  // namespace

FailedLogins::FailedLogins() : key_(RandomKey()), sets_(kSets) {}

int FailedLogins::Note(const SocketAddress& peer, std::string_view name,
                       absl::Time now) {
  const uint32_t seconds = SecondsOf(now);
  int count = 0;
  if (peer.is_set()) {
    count = Add(HashOf("address", peer.ClientKey()), seconds);
  }
  if (!name.empty()) {
    const std::string folded = absl::AsciiStrToLower(ToAbsl(name));
    count = std::max(count, Add(HashOf("name", folded), seconds));
  }
  return count;
}

int FailedLogins::OfAddress(const SocketAddress& peer, absl::Time now) const {
  const uint64_t hash = HashOf("address", peer.ClientKey());
  for (const Place& place : sets_[hash % kSets]) {
    const uint64_t value = place.load(std::memory_order_relaxed);
    if (TagIn(value) == TagOf(hash)) {
      return CountAt(EmptyAtIn(value), SecondsOf(now));
    }
  }
  return 0;
}

uint64_t FailedLogins::HashOf(std::string_view kind,
                              std::string_view text) const {
  return absl::HashOf(key_, ToAbsl(kind), ToAbsl(text), key_);
}

int FailedLogins::Add(uint64_t hash, uint32_t now) {
  const uint32_t most = now + kMostCounted * kForgetSeconds;
  for (;;) {
    Place& place = PlaceFor(sets_[hash % kSets], TagOf(hash));
    uint64_t before = place.load(std::memory_order_relaxed);
    const bool own = TagIn(before) == TagOf(hash);
    const uint32_t from = own ? std::max(EmptyAtIn(before), now) : now;
    const uint32_t empty_at = std::min(from + kForgetSeconds, most);
    if (place.compare_exchange_weak(before, Pack(TagOf(hash), empty_at),
                                    std::memory_order_relaxed)) {
      return CountAt(empty_at, now);
    }
  }
}

// Its own, or the one to be given up for it.
FailedLogins::Place& FailedLogins::PlaceFor(Set& set, uint32_t tag) {
  Place* first_empty = &set.front();
  for (Place& place : set) {
    const uint64_t value = place.load(std::memory_order_relaxed);
    if (TagIn(value) == tag) return place;
    if (EmptyAtIn(value) <
        EmptyAtIn(first_empty->load(std::memory_order_relaxed))) {
      first_empty = &place;
    }
  }
  return *first_empty;
}

}  // namespace gatehouse
