#ifndef GATEHOUSE_LIB_DIRECTORY_DIRECTORY_CACHE_H_
#define GATEHOUSE_LIB_DIRECTORY_DIRECTORY_CACHE_H_

#include <array>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/time/time.h"
#include "lib/directory/crypt_password.h"
#include "lib/directory/directory.h"
#include "lib/directory/lru_map.h"
#include "lib/directory/move_feed.h"

namespace gatehouse {

struct DirectoryCacheOptions {
  // How long a location is given without asking the directory.
  absl::Duration ttl = absl::Minutes(1);
  // How long a name is unknown without asking.
  absl::Duration negative_ttl = absl::Seconds(10);
  // How long after it was last confirmed a location, or a password, is good for
  // while the directory is out of reach.
  absl::Duration stale_ttl = absl::Hours(24);
  // How long a password that was right is right without asking. Zero: no
  // password is remembered, nor is one good while the directory is away.
  absl::Duration password_ttl = absl::ZeroDuration();
  // False: the directory knows by itself, as with a live map; passwords only.
  bool keep_locations = true;
  // Of all that is remembered.
  size_t size_bytes = size_t{64} << 20;
};

// What a directory has said lately. One for all workers: what one has learned
// each of them knows, which counts when the directory is away. Every call from
// any thread; each holds a lock for less than a microsecond.
//
// Names that are unknown are kept apart, in an eighth of the size: whoever
// tries a dictionary of names pushes none of the known ones out.
class DirectoryCache {
 public:
  explicit DirectoryCache(const DirectoryCacheOptions& options);

  struct Known {
    SharedLocation location;  // null: isn't remembered
    absl::Time located_at = absl::InfinitePast();
    std::string user;           // canonical, of the password
    std::string password_hash;  // by crypt(); "": isn't remembered
    absl::Time verified_at = absl::InfinitePast();
    absl::Time hash_expected_since = absl::InfinitePast();
  };
  struct Located {
    SharedLocation location;
    absl::Time at;
  };
  struct Unknown {
    Denial denial;
    absl::Time asked_at;
  };

  // Names are compared octet by octet: normalised by the caller. Whether what
  // is found is young enough is the caller's to see.
  std::optional<Known> FindKnown(std::string_view name);
  std::optional<Located> FindLocation(std::string_view name);
  std::optional<Unknown> FindUnknown(std::string_view name);

  // A location that isn't the remembered one of the same user is told as a
  // move.
  void PutLocation(std::string_view name, SharedLocation location,
                   absl::Time now);
  void PutUnknown(std::string_view name, Denial denial, absl::Time now);
  // A password was right, and its hash is being made. When it is there, it
  // counts from that time on, unless DropPassword() has come in between.
  void ExpectPassword(std::string_view name, absl::Time now);
  void PutPassword(std::string_view name, std::string_view user,
                   std::string hash, absl::Time expected_since);
  // The location is no good any more, but another one is still a move.
  void DropLocation(std::string_view name);
  void DropPassword(std::string_view name);

  MoveFeed& moves() { return moves_; }
  const DirectoryCacheOptions& options() const { return options_; }
  const KeyedCrypt& crypt() const { return crypt_; }
  size_t bytes() const;

 private:
  // So many that workers seldom meet.
  static constexpr size_t kShards = 16;

  struct Shard {
    explicit Shard(size_t capacity_bytes)
        : known(capacity_bytes - capacity_bytes / 8),
          unknown(capacity_bytes / 8) {}
    std::mutex mutex;
    LruMap<Known> known;
    LruMap<Unknown> unknown;
  };

  Shard& ShardOf(std::string_view name);
  enum class Absent { kAdd, kLeave };
  void Change(std::string_view name, Absent absent,
              absl::FunctionRef<void(Known&)> change);

  const DirectoryCacheOptions options_;
  const KeyedCrypt crypt_;
  std::array<std::unique_ptr<Shard>, kShards> shards_;
  MoveFeed moves_;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_DIRECTORY_DIRECTORY_CACHE_H_
