#include "lib/directory/ldap_directory.h"

#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "lib/base/string_bridge.h"
#include "lib/directory/crypt_password.h"
#include "lib/directory/follow_filter.h"
#include "lib/directory/ldap_client.h"
#include "lib/directory/ldap_entry_reader.h"
#include "lib/directory/ldap_referral_chaser.h"
#include "lib/directory/ldap_searches.h"
#include "lib/directory/ldap_syntax.h"
#include "lib/directory/ldap_url.h"
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
         LdapSearches& searches, LiveMap* map)
      : network_(network), reader_(reader), searches_(searches), map_(map) {
    if (map != nullptr) map_reader_.emplace(*map);
  }

  // Nothing where Search() must be asked.
  std::optional<LdapFound> FindNow(const LoginName& name) const {
    if (!map_reader_) return std::nullopt;
    return map_reader_->Find(name, [this] { return network_.Now(); });
  }

  // Asks LDAP; the map only where that is out of reach.
  std::unique_ptr<Operation> Search(const LoginName& name,
                                    LdapReplyCallback done) {
    if (!map_reader_) {
      return searches_.Search(reader_.SearchFor(name), std::move(done));
    }
    return searches_.Search(
        reader_.SearchFor(name),
        [this, name, done = std::move(done)](LdapReply reply) mutable {
          done(OrStale(name, std::move(reply)));
        });
  }

  // An entry isn't where the map has it.
  void NoteOutdated() { map_->set_outdated(); }

  std::vector<Location> SampleLocations(size_t most) const {
    if (!map_reader_) return {};
    return map_reader_->SampleLocations(most);
  }

 private:
  LdapReply OrStale(const LoginName& name, LdapReply reply) const {
    const auto* failure = std::get_if<Failure>(&reply);
    if (failure == nullptr || !IsOutage(*failure)) return reply;
    auto stale =
        map_reader_->FindStale(name, [this] { return network_.Now(); });
    if (stale) return std::move(*stale);
    return reply;
  }

  Network& network_;
  const LdapEntryReader& reader_;
  LdapSearches& searches_;
  LiveMap* const map_;
  std::optional<LiveMap::Reader> map_reader_;
};

// One question with its waits, in their order. Destroying it, at any time also
// from its callback, ends the present wait.
class Login : public Operation {
 public:
  Login(Network& network, LdapReferralChaser& servers, Finder& finder,
        const LdapEntryReader& reader, LoginName name, const Secret& secret,
        AuthenticateCallback done)
      : servers_(servers),
        finder_(finder),
        reader_(reader),
        name_(std::move(name)),
        secret_(secret.Clone()),
        done_(std::move(done)) {
    auto found = finder_.FindNow(name_);
    if (!found) {
      Search();
      return;
    }
    by_map_ = true;
    wait_ = network.Defer([this, found = std::move(*found)]() mutable {
      OnFound(std::move(found));
    });
  }

 private:
  void Search() {
    wait_ = finder_.Search(
        name_, [this](LdapReply reply) { OnFound(std::move(reply)); });
  }

  void OnFound(LdapReply reply) {
    if (auto* failure = std::get_if<Failure>(&reply)) {
      return Answer(std::move(*failure));
    }
    const LdapFound& found = std::get<LdapFound>(reply);
    auto result = reader_.Read(name_, found);
    if (auto* denial = std::get_if<Denial>(&result)) return Answer(*denial);
    if (auto* failure = std::get_if<Failure>(&result)) {
      return Answer(std::move(*failure));
    }
    reading_ = std::move(std::get<Reading>(result));
    const std::string refused_dn =
        std::exchange(dn_, std::string(found.entries.front().dn()));
    if (dn_ == refused_dn) return Answer(Denial::kWrongPassword);
    if (!refused_dn.empty()) finder_.NoteOutdated();
    wait_ =
        servers_.Bind(dn_, found.server, secret_,
                      [this](LdapReply reply) { OnBound(std::move(reply)); });
  }

  void OnBound(LdapReply reply) {
    if (auto* failure = std::get_if<Failure>(&reply)) {
      return Answer(std::move(*failure));
    }
    const LdapVerdict verdict = std::get<LdapVerdict>(reply);
    // A directory tells nobody of the entries whose DN changes with that of an
    // entry above them, nor that there is nobody of a DN.
    if (verdict == LdapVerdict::kWrong && std::exchange(by_map_, false)) {
      return Search();
    }
    Answer(Judge(verdict, reading_));
  }

  void Answer(AuthenticateResult result) {
    secret_.Wipe();
    AuthenticateCallback done = std::move(done_);
    done(std::move(result));
  }

  LdapReferralChaser& servers_;
  Finder& finder_;
  const LdapEntryReader& reader_;
  const LoginName name_;
  Secret secret_;
  AuthenticateCallback done_;
  bool by_map_ = false;  // and LDAP hasn't been asked yet
  Reading reading_;
  std::string dn_;  // what is bound as; empty: nothing yet
  std::unique_ptr<Operation> wait_;
};

LocateResult LocationOf(const LdapEntryReader& reader, const LoginName& name,
                        const LdapFound& found) {
  auto result = reader.Read(name, found);
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
        servers_(network, std::move(options), std::move(observer)) {
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
    return std::make_unique<Login>(network_, servers_, finder_, reader_,
                                   std::move(*parsed), secret, std::move(done));
  }

  std::unique_ptr<Operation> Locate(std::string_view name,
                                    LocateCallback done) override {
    if (auto known = LocateNow(name)) {
      return network_.Defer(
          [known = std::move(*known), done = std::move(done)]() mutable {
            done(std::move(known));
          });
    }
    const auto parsed =
        ParseLoginName(name, options_->names, NameUse::kAddress);
    return finder_.Search(
        *parsed, [this, name = *parsed,
                  done = std::move(done)](LdapReply reply) mutable {
          if (auto* failure = std::get_if<Failure>(&reply)) {
            return done(std::move(*failure));
          }
          done(LocationOf(reader_, name, std::get<LdapFound>(reply)));
        });
  }

  std::optional<LocateResult> LocateNow(std::string_view name) override {
    const auto parsed =
        ParseLoginName(name, options_->names, NameUse::kAddress);
    if (!parsed) return Denial::kNotFound;
    auto found = finder_.FindNow(*parsed);
    if (!found) return std::nullopt;
    return LocationOf(reader_, *parsed, *found);
  }

  std::vector<Location> SampleLocations(size_t most) override {
    return finder_.SampleLocations(most);
  }

  void set_move_observer(MoveObserver observer) override {
    if (moves_) moves_->set_observer(std::move(observer));
  }

 private:
  Network& network_;
  const std::shared_ptr<const LdapOptions> options_;
  const LdapEntryReader reader_;
  const std::shared_ptr<LiveMap> map_;  // null: nothing is followed
  LdapReferralChaser servers_;
  LdapSearches searches_{servers_};
  Finder finder_{network_, reader_, searches_, map_.get()};
  std::optional<MoveListener> moves_;
};

// What is sent as it stands in the configuration.
absl::Status CheckLdapNames(const LdapOptions& options) {
  const auto fault = [](std::string_view key, const std::string& text,
                        std::string_view what) {
    return absl::InvalidArgumentError(std::string(key) + ": \"" + text +
                                      "\" is not " + std::string(what));
  };
  // Active Directory takes a user principal name, too.
  const bool is_principal =
      options.admin_dn.find('@') != std::string::npos &&
      options.admin_dn.find_first_of("=,") == std::string::npos;
  if (!is_principal && !IsDistinguishedName(options.admin_dn)) {
    return fault("adminDn", options.admin_dn, "a distinguished name");
  }
  if (!IsDistinguishedName(options.account_base_dn)) {
    return fault("accountBaseDn", options.account_base_dn,
                 "a distinguished name");
  }
  const std::pair<std::string_view, const std::string&> attributes[] = {
      {"hostnameAttribute", options.hostname_attribute},
      {"addressAttribute", options.address_attribute},
      {"routingAddressAttribute", options.routing_address_attribute},
      {"userAttribute", options.user_attribute},
      {"statusAttribute", options.status_attribute},
      {"serviceAttribute", options.service_attribute},
      {"movingAttribute", options.moving_attribute}};
  for (const auto& [key, name] : attributes) {
    if (!name.empty() && !IsAttributeDescription(name)) {
      return fault(key, name, "an attribute's name");
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckLdapOptions(const LdapOptions& options) {
  if (options.urls.empty()) {
    return absl::InvalidArgumentError("urls: at least one is needed");
  }
  for (const std::string& url : options.urls) {
    if (!IsLdapUrl(url)) {
      return absl::InvalidArgumentError(
          "urls: \"" + url +
          "\" is not an ldap://, ldaps:// or ldapi:// URL of a server");
    }
  }
  for (const std::string& url : options.referrals) {
    if (!IsLdapUrl(url) || url.starts_with("ldapi:")) {
      return absl::InvalidArgumentError(
          "referrals: \"" + url +
          "\" is not an ldap:// or ldaps:// URL of a server");
    }
  }
  absl::Status names = CheckLdapNames(options);
  if (!names.ok()) return names;
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
