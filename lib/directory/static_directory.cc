#include "lib/directory/static_directory.h"

#include <string>
#include <utility>

#include "lib/directory/crypt_password.h"

namespace gatehouse {
namespace {

// What a password is compared with where there is none to compare with: it
// costs the same, and matches nothing (SHA-512 crypt of a random string that
// was thrown away).
constexpr char kNobodysHash[] =
    "$6$gatehouse.nobody$"
    "5l5LJo87/6Zq50Mg1ZTyMqN1zj3cxmDbmRSxZl9qaw/z7tMAyo//PjA.huyT"
    "OLB5HzPxep1G6t52Ydr.rh.Uw/";

// What travels to the other thread and back.
struct Check {
  Secret secret;
  std::string hash;
  bool matches = false;
};

}  // namespace

StaticDirectory::StaticDirectory(Network& network,
                                 std::shared_ptr<CurrentLocalMap> map)
    : network_(network),
      current_(std::move(map)),
      map_({current_, &current_->published()}) {}

std::unique_ptr<Operation> StaticDirectory::Authenticate(
    std::string_view name, const Secret& secret, AuthenticateCallback done) {
  if (!IsCheckable(secret)) {
    return network_.Defer(
        [done = std::move(done)]() mutable { done(Denial::kNotFound); });
  }
  auto map = map_.Get();
  const LocalMap::Entry* entry = map->FindExact(name);
  const bool has_hash = entry != nullptr && !entry->password_hash.empty();
  auto check = std::make_shared<Check>();
  check->secret = secret.Clone();
  check->hash = has_hash ? std::string(entry->password_hash) : kNobodysHash;
  auto work = [check] {
    check->matches = MatchesCrypt(check->secret, check->hash);
  };
  // The entry lives as long as the map, which the callback holds.
  auto answer = [check, has_hash, entry, map = std::move(map),
                 name = std::string(name), done = std::move(done)]() mutable {
    if (entry == nullptr) return done(Denial::kNotFound);
    if (!has_hash || !check->matches) return done(Denial::kWrongPassword);
    SharedLocation location = entry->LocationOf(name);
    done(Account{location->user, std::move(location)});
  };
  return network_.RunOffLoop(BlockingKind::kCompute, std::move(work),
                             std::move(answer));
}

std::unique_ptr<Operation> StaticDirectory::Locate(std::string_view name,
                                                   LocateCallback done) {
  return network_.Defer(
      [result = *LocateNow(name), done = std::move(done)]() mutable {
        done(std::move(result));
      });
}

std::optional<LocateResult> StaticDirectory::LocateNow(std::string_view name) {
  const auto map = map_.Get();
  const LocalMap::Entry* entry = map->Find(name);
  if (entry == nullptr) return Denial::kNotFound;
  return entry->LocationOf(name);
}

std::vector<Location> StaticDirectory::SampleLocations(size_t most) {
  const auto map = map_.Get();
  std::vector<Location> sample;
  for (const Location* location : map->hosts()) {
    if (sample.size() < most) sample.push_back(*location);
  }
  return sample;
}

void StaticDirectory::set_move_observer(MoveObserver observer) {
  moves_.set_observer(std::move(observer));
}

}  // namespace gatehouse
