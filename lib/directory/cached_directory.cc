#include "lib/directory/cached_directory.h"

#include <utility>
#include <variant>

namespace gatehouse {
namespace {

constexpr absl::Duration kStaleLogPause = absl::Minutes(1);

std::optional<std::string> KeyOf(std::string_view name,
                                 const LoginNameRules& rules) {
  const auto parsed = ParseLoginName(name, rules, NameUse::kAddress);
  if (!parsed) return std::nullopt;
  return parsed->Whole();
}

}  // namespace

// One login where passwords are remembered, its waits in their order.
// Destroying it, at any time also from its callback, ends the present wait.
class CachedDirectory::Login : public Operation {
 public:
  Login(CachedDirectory& owner, std::string_view name, std::string key,
        const Secret& secret, AuthenticateCallback done)
      : owner_(owner),
        name_(name),
        key_(std::move(key)),
        secret_(secret.Clone()),
        known_(owner.cache_->FindKnown(key_).value_or(DirectoryCache::Known())),
        done_(std::move(done)) {
    if (MaySuffice()) {
      Compare([this](bool right) { OnCompared(right); });
    } else {
      Ask();
    }
  }

 private:
  bool IsYoung(absl::Time since, absl::Duration limit) {
    return owner_.IsYoung(since, limit);
  }

  bool MaySuffice() {
    return !known_.password_hash.empty() &&
           IsYoung(known_.verified_at, owner_.options_.password_ttl);
  }

  void OnCompared(bool right) {
    if (right) return Locate();
    known_.password_hash.clear();  // so that it isn't compared again
    Ask();
  }

  void Compare(absl::AnyInvocable<void(bool)> compared) {
    struct Comparison {
      std::shared_ptr<DirectoryCache> cache;
      Secret secret;
      std::string hash;
      bool right = false;
    };
    auto comparison = std::make_shared<Comparison>(
        owner_.cache_, secret_.Clone(), known_.password_hash);
    wait_ = owner_.network_.RunOffLoop(
        BlockingKind::kCompute,
        [comparison] {
          comparison->right = comparison->cache->crypt().Matches(
              comparison->secret, comparison->hash);
        },
        [comparison, compared = std::move(compared)]() mutable {
          compared(comparison->right);
        });
  }

  // The password is right; the location may be older than the password.
  void Locate() {
    wait_ = owner_.Locate(name_, [this](LocateResult result) {
      if (auto* location = std::get_if<SharedLocation>(&result)) {
        return Answer(Account{known_.user, std::move(*location)});
      }
      if (auto* failure = std::get_if<Failure>(&result)) {
        return Answer(std::move(*failure));
      }
      owner_.cache_->DropPassword(key_);
      Answer(std::get<Denial>(result));
    });
  }

  void Ask() {
    wait_ = owner_.behind_->Authenticate(
        name_, secret_,
        [this](AuthenticateResult result) { OnVerdict(std::move(result)); });
  }

  void OnVerdict(AuthenticateResult result) {
    if (auto* failure = std::get_if<Failure>(&result)) {
      return OnFailure(std::move(*failure));
    }
    if (auto* account = std::get_if<Account>(&result)) {
      if (account->location) owner_.Remember(key_, account->location);
      owner_.RememberPassword(key_, *account, secret_);
    } else {
      owner_.cache_->DropPassword(key_);
    }
    Answer(std::move(result));
  }

  void OnFailure(Failure failure) {
    const bool known = IsOutage(failure) && !known_.password_hash.empty() &&
                       IsYoung(known_.verified_at, owner_.options_.stale_ttl);
    if (!known) return Answer(std::move(failure));
    Compare([this, failure = std::move(failure)](bool right) mutable {
      // A wrong one may be a new one.
      if (!right) return Answer(std::move(failure));
      owner_.LogStale(key_, failure);
      Locate();
    });
  }

  void Answer(AuthenticateResult result) {
    AuthenticateCallback done = std::move(done_);
    done(std::move(result));
  }

  CachedDirectory& owner_;
  const std::string name_;
  const std::string key_;
  const Secret secret_;
  DirectoryCache::Known known_;
  AuthenticateCallback done_;
  std::unique_ptr<Operation> wait_;
};

CachedDirectory::CachedDirectory(Network& network, LogSink& log,
                                 LoginNameRules rules,
                                 std::unique_ptr<Directory> behind,
                                 std::shared_ptr<DirectoryCache> cache)
    : network_(network),
      log_(log),
      rules_(std::move(rules)),
      behind_(std::move(behind)),
      cache_(std::move(cache)) {
  behind_->set_move_observer(
      [this](std::string_view user, const std::optional<Endpoint>& host) {
        moves_.Tell(user, host);
      });
}

void CachedDirectory::set_move_observer(MoveObserver observer) {
  moves_.set_observer(std::move(observer));
}

// --- Where is the mailbox? ---

std::unique_ptr<Operation> CachedDirectory::Locate(std::string_view name,
                                                   LocateCallback done) {
  auto key = KeyOf(name, rules_);
  if (!key) return behind_->Locate(name, std::move(done));
  if (auto remembered = Remembered(*key)) {
    return network_.Defer(
        [result = std::move(*remembered), done = std::move(done)]() mutable {
          done(std::move(result));
        });
  }
  return behind_->Locate(name,
                         [this, key = std::move(*key),
                          done = std::move(done)](LocateResult result) mutable {
                           done(Learn(key, std::move(result)));
                         });
}

std::optional<LocateResult> CachedDirectory::LocateNow(std::string_view name) {
  if (!options_.keep_locations) return behind_->LocateNow(name);
  const auto parsed = ParseLoginName(name, rules_, NameUse::kAddress);
  auto remembered = parsed ? Remembered(parsed->Whole()) : std::nullopt;
  if (remembered) return remembered;
  return behind_->LocateNow(name);
}

std::optional<LocateResult> CachedDirectory::Remembered(std::string_view key) {
  auto located = cache_->FindLocation(key);
  if (located && IsYoung(located->at, options_.ttl)) {
    return std::move(located->location);
  }
  const auto unknown = cache_->FindUnknown(key);
  if (unknown && IsYoung(unknown->asked_at, options_.negative_ttl)) {
    return unknown->denial;
  }
  return std::nullopt;
}

LocateResult CachedDirectory::Learn(const std::string& key,
                                    LocateResult result) {
  if (const auto* location = std::get_if<SharedLocation>(&result)) {
    Remember(key, *location);
    return result;
  }
  if (const auto* denial = std::get_if<Denial>(&result)) {
    if (!options_.keep_locations) return result;
    cache_->PutUnknown(key, *denial, network_.Now());
    return result;
  }
  const Failure& failure = std::get<Failure>(result);
  auto located = cache_->FindLocation(key);
  if (!IsOutage(failure) || !located ||
      !IsYoung(located->at, options_.stale_ttl)) {
    return result;
  }
  LogStale(key, failure);
  return std::move(located->location);
}

void CachedDirectory::Remember(const std::string& key,
                               const SharedLocation& location) {
  if (!options_.keep_locations) return;
  if (location->moving) return cache_->DropLocation(key);
  cache_->PutLocation(key, location, network_.Now());
}

void CachedDirectory::LogStale(const std::string& key, const Failure& failure) {
  if (network_.Now() < next_stale_log_) return;
  next_stale_log_ = network_.Now() + kStaleLogPause;
  log_.Write(LogRecord("directory_stale", LogRecord::Level::kWarning)
                 .Text("user", key)
                 .Text("kind", KindName(failure.kind))
                 .Text("detail", failure.text));
}

// --- Who is this? ---

std::unique_ptr<Operation> CachedDirectory::Authenticate(
    std::string_view name, const Secret& secret, AuthenticateCallback done) {
  auto key = KeyOf(name, rules_);
  if (!key) return behind_->Authenticate(name, secret, std::move(done));
  if (options_.password_ttl > absl::ZeroDuration()) {
    return std::make_unique<Login>(*this, name, std::move(*key), secret,
                                   std::move(done));
  }
  return behind_->Authenticate(
      name, secret,
      [this, key = std::move(*key),
       done = std::move(done)](AuthenticateResult result) mutable {
        const auto* account = std::get_if<Account>(&result);
        if (account != nullptr && account->location) {
          Remember(key, account->location);
        }
        done(std::move(result));
      });
}

void CachedDirectory::RememberPassword(const std::string& key,
                                       const Account& account,
                                       const Secret& secret) {
  const absl::Time now = network_.Now();
  cache_->ExpectPassword(key, now);
  // Nobody waits for it, so the operation may go: the work is done all the
  // same.
  network_.RunOffLoop(
      BlockingKind::kCompute,
      [cache = cache_, key, user = account.user, secret = secret.Clone(), now] {
        std::string hash = cache->crypt().Hash(secret);
        if (!hash.empty()) cache->PutPassword(key, user, std::move(hash), now);
      },
      [] {});
}

void CachedDirectory::ForgetPassword(std::string_view name) {
  if (const auto key = KeyOf(name, rules_)) cache_->DropPassword(*key);
}

}  // namespace gatehouse
