#include "lib/directory/ldap_entry_reader.h"

#include <algorithm>
#include <utility>

#include "lib/base/string_bridge.h"
#include "lib/directory/mail_host.h"

namespace gatehouse {
namespace {

Failure BadData(std::string text) {
  return {Failure::Side::kDirectory, Failure::Kind::kConfiguration,
          Failure::Retry::kNo, std::move(text)};
}

bool RouteAlike(const Location& a, const Location& b) {
  return a.user == b.user && a.host == b.host &&
         a.implicit_tls == b.implicit_tls &&
         a.routing_address == b.routing_address && a.moving == b.moving;
}

}  // namespace

absl::StatusOr<LdapEntryReader> LdapEntryReader::Create(
    std::shared_ptr<const LdapOptions> options) {
  auto filter = FilterTemplate::Create(options->account_filter);
  if (!filter.ok()) {
    return absl::InvalidArgumentError(
        "accountFilter: " + std::string(FromAbsl(filter.status().message())));
  }
  return LdapEntryReader(std::move(options), *std::move(filter));
}

LdapSearch LdapEntryReader::SearchFor(const LoginName& name) const {
  LdapSearch search;
  search.base_dn = options_->account_base_dn;
  search.filter = filter_.Fill(name);
  for (const std::string& attribute :
       {options_->hostname_attribute, options_->address_attribute,
        options_->routing_address_attribute, options_->user_attribute,
        options_->status_attribute, options_->service_attribute,
        options_->moving_attribute}) {
    if (!attribute.empty()) search.attributes.push_back(attribute);
  }
  for (const auto& assertion : filter_.name_assertions()) {
    search.attributes.push_back(assertion.attribute);
  }
  return search;
}

LdapEntryReader::Result LdapEntryReader::Read(const LoginName& name,
                                              const LdapFound& found) const {
  if (found.entries.empty()) return Denial::kNotFound;
  if (found.more) {
    return BadData("more than " + std::to_string(kMaxLdapEntries) +
                   " entries for " + name.Whole() + ", the first is " +
                   std::string(found.entries.front().dn()));
  }
  Result first = ReadEntry(name, found.entries.front());
  for (size_t i = 1; i < found.entries.size(); ++i) {
    const Result other = ReadEntry(name, found.entries[i]);
    const Reading* a = std::get_if<Reading>(&first);
    const Reading* b = std::get_if<Reading>(&other);
    if (a == nullptr || b == nullptr || a->enabled != b->enabled ||
        !RouteAlike(*a->location, *b->location)) {
      return BadData("entries for " + name.Whole() +
                     " differ: " + std::string(found.entries.front().dn()) +
                     " and " + std::string(found.entries[i].dn()));
    }
  }
  return first;
}

LdapEntryReader::Result LdapEntryReader::ReadEntry(
    const LoginName& name, const LdapEntry& entry) const {
  Reading reading;
  auto location = std::make_shared<Location>();
  location->user = UserOf(name, entry);
  if (entry.dn().empty() || location->user.empty()) return Denial::kNotFound;
  if (auto failure = ReadRouting(entry, *location)) return *failure;
  reading.location = std::move(location);
  reading.enabled = IsEnabled(entry);
  return reading;
}

std::optional<Failure> LdapEntryReader::ReadRouting(const LdapEntry& entry,
                                                    Location& location) const {
  if (auto bad = ReadHost(entry, location)) return bad;
  const LdapValues routing = entry.Values(options_->routing_address_attribute);
  if (!routing.empty()) location.routing_address = routing.front();
  const LdapValues addresses = entry.Values(options_->address_attribute);
  location.addresses.assign(addresses.begin(), addresses.end());
  const LdapValues moving = entry.Values(options_->moving_attribute);
  location.moving = !moving.empty() && !moving.Find("FALSE");
  return std::nullopt;
}

std::optional<Location> LdapEntryReader::RoutingOf(
    const LdapEntry& entry) const {
  Location location;
  if (ReadRouting(entry, location)) return std::nullopt;
  return location;
}

std::vector<std::string> LdapEntryReader::UsersOf(
    const LdapEntry& entry) const {
  std::vector<std::string> users;
  const auto add = [&](std::string_view attribute) {
    const LdapValues values = entry.Values(attribute);
    users.insert(users.end(), values.begin(), values.end());
  };
  if (!options_->user_attribute.empty()) {
    add(options_->user_attribute);
    return users;
  }
  for (const auto& assertion : filter_.name_assertions()) {
    add(assertion.attribute);
  }
  std::sort(users.begin(), users.end());
  users.erase(std::unique(users.begin(), users.end()), users.end());
  return users;
}

std::optional<Failure> LdapEntryReader::ReadHost(const LdapEntry& entry,
                                                 Location& location) const {
  std::optional<MailHostValue> best;
  bool ambiguous = false;
  for (const auto value : entry.Values(options_->hostname_attribute)) {
    auto host = ParseMailHost(value, options_->service);
    if (!host) {
      return BadData(std::string(entry.dn()) + ": " +
                     options_->hostname_attribute + " \"" + std::string(value) +
                     "\" is not a host");
    }
    if (!best || host->rank > best->rank) {
      best = std::move(host);
      ambiguous = false;
    } else if (host->rank == best->rank && *host != *best) {
      ambiguous = true;
    }
  }
  if (ambiguous) {
    return BadData(std::string(entry.dn()) + ": several values of " +
                   options_->hostname_attribute + " for " + options_->service);
  }
  if (best) {
    location.host = std::move(best->endpoint);
    location.implicit_tls = best->implicit_tls;
  }
  return std::nullopt;
}

std::string_view LdapEntryReader::UserOf(const LoginName& name,
                                         const LdapEntry& entry) const {
  if (!options_->user_attribute.empty()) {
    const LdapValues values = entry.Values(options_->user_attribute);
    return values.empty() ? "" : values.front();
  }
  std::string buffer;
  for (const auto& assertion : filter_.name_assertions()) {
    const std::string_view wanted = assertion.value.Fill(name, buffer);
    const auto user = entry.Values(assertion.attribute).Find(wanted);
    if (user) return *user;
  }
  return "";
}

bool LdapEntryReader::IsEnabled(const LdapEntry& entry) const {
  const LdapValues status = entry.Values(options_->status_attribute);
  const auto is_active = [&](const std::string& active) {
    return status.Find(active).has_value();
  };
  const std::vector<std::string>& active = options_->active_statuses;
  if (!status.empty() &&
      std::none_of(active.begin(), active.end(), is_active)) {
    return false;
  }
  const LdapValues services = entry.Values(options_->service_attribute);
  return services.empty() || services.Find(options_->service);
}

}  // namespace gatehouse
