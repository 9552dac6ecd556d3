#include "lib/directory/ldap_directory.h"

#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "lib/base/string_bridge.h"
#include "lib/directory/crypt_password.h"
#include "lib/directory/follow_filter.h"
#include "lib/directory/ldap_client.h"
#include "lib/directory/ldap_entry_reader.h"
#include "lib/directory/ldap_pool.h"
#include "lib/directory/ldap_searches.h"
#include "lib/directory/login_name.h"
#include "lib/directory/move_feed.h"

namespace gatehouse {
namespace {

using Reading = LdapEntryReader::Reading;

AuthenticateResult Judge(LdapVerdict verdict, const Reading& reading) {
  switch (verdict) {
    case LdapVerdict::kRight:
      if (!reading.enabled) return Denial::kDisabled;
      return Account{reading.location->user, reading.location};
    case LdapVerdict::kWrong:
      return Denial::kWrongPassword;
    case LdapVerdict::kExpired:
      return Denial::kExpired;
    case LdapVerdict::kLocked:
      return Denial::kDisabled;
  }
  return Denial::kWrongPassword;
}

// What a search for a name finds: from the live map where there is one that
// knows, from LDAP otherwise.
class Finder {
 public:
  // All must outlive it; `map` may be null.
  Finder(Network& network, const LdapEntryReader& reader,
         LdapSearches& searches, const LiveMap* map)
      : network_(network), reader_(reader), searches_(searches) {
    if (map != nullptr) map_.emplace(*map);
  }

  std::unique_ptr<Operation> Find(const LoginName& name,
                                  LdapReplyCallback done) {
    LdapSearch search = reader_.SearchFor(name);
    if (!map_) return searches_.Search(std::move(search), std::move(done));
    if (auto found = map_->Find(name, network_.Now())) {
      return network_.Defer(
          [found = std::move(*found), done = std::move(done)]() mutable {
            done(std::move(found));
          });
    }
    return searches_.Search(
        std::move(search),
        [this, name, done = std::move(done)](LdapReply reply) mutable {
          done(OrStale(name, std::move(reply)));
        });
  }

 private:
  LdapReply OrStale(const LoginName& name, LdapReply reply) const {
    const auto* failure = std::get_if<Failure>(&reply);
    if (failure == nullptr || !IsOutage(*failure)) return reply;
    auto stale = map_->FindStale(name, network_.Now());
    if (stale) return std::move(*stale);
    return reply;
  }

  Network& network_;
  const LdapEntryReader& reader_;
  LdapSearches& searches_;
  std::optional<LiveMap::Reader> map_;
};

// One question with its waits, in their order. Destroying it, at any time also
// from its callback, ends the present wait.
class Login : public Operation {
 public:
  Login(LdapPool& pool, Finder& finder, const LdapEntryReader& reader,
        LoginName name, const Secret& secret, AuthenticateCallback done)
      : pool_(pool),
        reader_(reader),
        name_(std::move(name)),
        secret_(secret.Clone()),
        done_(std::move(done)) {
    wait_ = finder.Find(name_,
                        [this](LdapReply reply) { OnFound(std::move(reply)); });
  }

 private:
  void OnFound(LdapReply reply) {
    if (auto* failure = std::get_if<Failure>(&reply)) {
      return Answer(std::move(*failure));
    }
    auto result = reader_.Read(name_, std::get<LdapFound>(reply));
    if (auto* denial = std::get_if<Denial>(&result)) return Answer(*denial);
    if (auto* failure = std::get_if<Failure>(&result)) {
      return Answer(std::move(*failure));
    }
    reading_ = std::move(std::get<Reading>(result));
    wait_ = pool_.Bind(reading_.dn, secret_,
                       [this](LdapReply reply) { OnBound(std::move(reply)); });
    secret_.Wipe();
  }

  void OnBound(LdapReply reply) {
    if (auto* failure = std::get_if<Failure>(&reply)) {
      return Answer(std::move(*failure));
    }
    Answer(Judge(std::get<LdapVerdict>(reply), reading_));
  }

  void Answer(AuthenticateResult result) {
    AuthenticateCallback done = std::move(done_);
    done(std::move(result));
  }

  LdapPool& pool_;
  const LdapEntryReader& reader_;
  const LoginName name_;
  Secret secret_;
  AuthenticateCallback done_;
  Reading reading_;
  std::unique_ptr<Operation> wait_;
};

LocateResult LocationOf(const LdapEntryReader& reader, const LoginName& name,
                        LdapReply reply) {
  if (auto* failure = std::get_if<Failure>(&reply)) return std::move(*failure);
  auto result = reader.Read(name, std::get<LdapFound>(reply));
  if (auto* denial = std::get_if<Denial>(&result)) return *denial;
  if (auto* failure = std::get_if<Failure>(&result)) {
    return std::move(*failure);
  }
  Reading& reading = std::get<Reading>(result);
  if (!reading.enabled) return Denial::kDisabled;
  return std::move(reading.location);
}

class LdapDirectory : public Directory {
 public:
  LdapDirectory(Network& network, std::shared_ptr<const LdapOptions> options,
                LdapEntryReader reader, std::shared_ptr<LiveMap> map,
                std::unique_ptr<LdapReplicaObserver> observer)
      : network_(network),
        options_(options),
        reader_(std::move(reader)),
        map_(std::move(map)),
        pool_(network, std::move(options), std::move(observer)) {
    if (map_ != nullptr) moves_.emplace(network_, map_->moves());
  }

  std::unique_ptr<Operation> Authenticate(std::string_view name,
                                          const Secret& secret,
                                          AuthenticateCallback done) override {
    auto parsed = ParseLoginName(name, options_->names);
    if (!parsed || !IsCheckable(secret)) {
      return network_.Defer(
          [done = std::move(done)]() mutable { done(Denial::kNotFound); });
    }
    return std::make_unique<Login>(pool_, finder_, reader_, std::move(*parsed),
                                   secret, std::move(done));
  }

  std::unique_ptr<Operation> Locate(std::string_view name,
                                    LocateCallback done) override {
    auto parsed = ParseLoginName(name, options_->names, NameUse::kAddress);
    if (!parsed) {
      return network_.Defer(
          [done = std::move(done)]() mutable { done(Denial::kNotFound); });
    }
    return finder_.Find(*parsed, [this, name = *parsed, done = std::move(done)](
                                     LdapReply reply) mutable {
      done(LocationOf(reader_, name, std::move(reply)));
    });
  }

  void set_move_observer(MoveObserver observer) override {
    if (moves_) moves_->set_observer(std::move(observer));
  }

 private:
  Network& network_;
  const std::shared_ptr<const LdapOptions> options_;
  const LdapEntryReader reader_;
  const std::shared_ptr<LiveMap> map_;  // null: nothing is followed
  LdapPool pool_;
  LdapSearches searches_{pool_};
  Finder finder_{network_, reader_, searches_, map_.get()};
  std::optional<MoveListener> moves_;
};

}  // namespace

absl::Status CheckLdapOptions(const LdapOptions& options) {
  if (options.urls.empty()) {
    return absl::InvalidArgumentError("urls: at least one is needed");
  }
  for (const std::string& url : options.urls) {
    if (!IsLdapUrl(url)) {
      return absl::InvalidArgumentError(
          "urls: " + url + " is not an ldap://, ldaps:// or ldapi:// URL");
    }
  }
  auto filter = FilterTemplate::Create(options.account_filter);
  if (!filter.ok()) {
    return absl::InvalidArgumentError(
        "accountFilter: " + std::string(FromAbsl(filter.status().message())));
  }
  if (options.follow) {
    auto followed = FollowFilter::Create(options.account_filter);
    if (!followed.ok()) {
      return absl::InvalidArgumentError(
          "follow: accountFilter: " +
          std::string(FromAbsl(followed.status().message())));
    }
  }
  // A DN without a password would be an anonymous bind that seems to work.
  if (!options.sasl_external && !options.admin_dn.empty() &&
      options.admin_password.empty()) {
    return absl::InvalidArgumentError("adminPassword: must not be empty");
  }
  if (options.timeout <= absl::ZeroDuration()) {
    return absl::InvalidArgumentError("timeout: must be more than nothing");
  }
  if (options.max_search_connections == 0 ||
      options.max_bind_connections == 0) {
    return absl::InvalidArgumentError(
        "maxSearchConnections, maxBindConnections: must be at least 1");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Directory>> CreateLdapDirectory(
    Network& network, std::shared_ptr<const LdapOptions> options,
    std::shared_ptr<LiveMap> map,
    std::unique_ptr<LdapReplicaObserver> observer) {
  absl::Status status = CheckLdapOptions(*options);
  if (!status.ok()) return status;
  auto reader = LdapEntryReader::Create(options);
  if (!reader.ok()) return reader.status();
  return std::make_unique<LdapDirectory>(network, std::move(options),
                                         *std::move(reader), std::move(map),
                                         std::move(observer));
}

}  // namespace gatehouse
