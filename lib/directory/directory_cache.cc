#include "lib/directory/directory_cache.h"

#include <functional>
#include <utility>

#include "lib/base/secret.h"

namespace gatehouse {
namespace {

size_t BytesOf(const std::string& text) {
  constexpr size_t kInPlace = 15;
  constexpr size_t kMallocBytes = 8;
  return text.capacity() > kInPlace ? text.capacity() + 1 + kMallocBytes : 0;
}

size_t BytesOf(const Location& location) {
  // With the counts of the shared pointer to it.
  size_t bytes = sizeof(Location) + 24 + BytesOf(location.user) +
                 BytesOf(location.routing_address);
  if (location.host) bytes += BytesOf(location.host->host);
  for (const std::string& address : location.addresses) {
    bytes += sizeof(std::string) + BytesOf(address);
  }
  return bytes;
}

size_t BytesOf(const DirectoryCache::Known& known) {
  return sizeof(known) + BytesOf(known.user) + BytesOf(known.password_hash) +
         (known.location == nullptr ? 0 : BytesOf(*known.location));
}

}  // namespace

DirectoryCache::DirectoryCache(const DirectoryCacheOptions& options)
    : options_(options) {
  for (auto& shard : shards_) {
    shard = std::make_unique<Shard>(options.size_bytes / kShards);
  }
}

DirectoryCache::Shard& DirectoryCache::ShardOf(std::string_view name) {
  return *shards_[std::hash<std::string_view>()(name) % kShards];
}

std::optional<DirectoryCache::Known> DirectoryCache::FindKnown(
    std::string_view name) {
  Shard& shard = ShardOf(name);
  std::lock_guard<std::mutex> lock(shard.mutex);
  const Known* known = shard.known.Find(name);
  return known == nullptr ? std::nullopt : std::optional(*known);
}

std::optional<DirectoryCache::Located> DirectoryCache::FindLocation(
    std::string_view name) {
  Shard& shard = ShardOf(name);
  std::lock_guard<std::mutex> lock(shard.mutex);
  const Known* known = shard.known.Find(name);
  if (known == nullptr || known->location == nullptr) return std::nullopt;
  return Located{known->location, known->located_at};
}

std::optional<DirectoryCache::Unknown> DirectoryCache::FindUnknown(
    std::string_view name) {
  Shard& shard = ShardOf(name);
  std::lock_guard<std::mutex> lock(shard.mutex);
  const Unknown* unknown = shard.unknown.Find(name);
  return unknown == nullptr ? std::nullopt : std::optional(*unknown);
}

// Changes what is known of the name, under its lock.
void DirectoryCache::Change(std::string_view name, Absent absent,
                            absl::FunctionRef<void(Known&)> change) {
  Shard& shard = ShardOf(name);
  std::lock_guard<std::mutex> lock(shard.mutex);
  Known* before = shard.known.Find(name);
  if (before == nullptr && absent == Absent::kLeave) return;
  Known known = before == nullptr ? Known() : std::move(*before);
  change(known);
  const size_t bytes = BytesOf(known);
  shard.known.Put(name, std::move(known), bytes);
  shard.unknown.Erase(name);
}

void DirectoryCache::PutLocation(std::string_view name, SharedLocation location,
                                 absl::Time now) {
  bool moved = false;
  Change(name, Absent::kAdd, [&](Known& known) {
    moved = known.location != nullptr &&
            known.location->user == location->user &&
            known.location->host != location->host;
    known.location = location;
    known.located_at = now;
  });
  if (moved) moves_.Tell({{location->user, location->host}});
}

void DirectoryCache::PutUnknown(std::string_view name, Denial denial,
                                absl::Time now) {
  Shard& shard = ShardOf(name);
  std::lock_guard<std::mutex> lock(shard.mutex);
  shard.known.Erase(name);
  shard.unknown.Put(name, {denial, now}, sizeof(Unknown));
}

void DirectoryCache::ExpectPassword(std::string_view name, absl::Time now) {
  Change(name, Absent::kAdd,
         [now](Known& known) { known.hash_expected_since = now; });
}

void DirectoryCache::PutPassword(std::string_view name, std::string_view user,
                                 std::string hash, absl::Time expected_since) {
  Change(name, Absent::kLeave, [&](Known& known) {
    if (known.hash_expected_since != expected_since) return;
    known.user = user;
    known.password_hash = std::move(hash);
    known.verified_at = expected_since;
  });
}

void DirectoryCache::DropLocation(std::string_view name) {
  Change(name, Absent::kLeave,
         [](Known& known) { known.located_at = absl::InfinitePast(); });
}

void DirectoryCache::DropPassword(std::string_view name) {
  Change(name, Absent::kLeave, [](Known& known) {
    WipeString(known.password_hash);
    known.hash_expected_since = absl::InfinitePast();
  });
}

size_t DirectoryCache::bytes() const {
  size_t bytes = 0;
  for (const auto& shard : shards_) {
    std::lock_guard<std::mutex> lock(shard->mutex);
    bytes += shard->known.bytes() + shard->unknown.bytes();
  }
  return bytes;
}

}  // namespace gatehouse
