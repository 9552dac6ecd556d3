#include "lib/net/resolver.h"

#include <netdb.h>

#include <algorithm>
#include <utility>

#include "lib/net/hosts_file.h"

namespace gatehouse {
namespace {

// Short enough that a store's new address is soon used; the resolver's own
// cache, if any, knows the true time to live.
constexpr absl::Duration kPositiveTtl = absl::Seconds(5);
constexpr absl::Duration kNegativeTtl = absl::Seconds(1);

// Names come from a directory that users may edit: bounded memory.
constexpr size_t kMostNames = 1024;

Failure ResolveFailure(const std::string& host, Failure::Kind kind,
                       const char* reason) {
  return Failure{.side = Failure::Side::kUpstream,
                 .kind = kind,
                 .retry = Failure::Retry::kSafe,
                 .text = "resolve " + host + ": " + reason};
}

std::vector<SocketAddress> AddressesOf(const addrinfo* list) {
  std::vector<SocketAddress> addresses;
  for (const addrinfo* info = list; info != nullptr; info = info->ai_next) {
    SocketAddress address = SocketAddress::FromSockaddr(info->ai_addr);
    if (address.is_set()) addresses.push_back(address);
  }
  return addresses;
}

}  // namespace

Network::ResolveResult LookUpHost(const std::string& host) {
  // Without the trailing dot the resolver would try its search list too: a
  // directory's "store1" must not become "store1.some.other.domain".
  const std::string bare =
      host.ends_with('.') ? host.substr(0, host.size() - 1) : host;
  // glibc doesn't find "localhost." in the hosts file.
  std::vector<SocketAddress> local = AddressesInHostsFile(bare);
  if (!local.empty()) return local;

  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = getaddrinfo((bare + ".").c_str(), nullptr, &hints, &found);
  if (error != 0) {
    const auto kind = error == EAI_AGAIN ? Failure::Kind::kTimeout
                                         : Failure::Kind::kUnreachable;
    return ResolveFailure(host, kind, gai_strerror(error));
  }
  std::vector<SocketAddress> addresses = AddressesOf(found);
  freeaddrinfo(found);
  if (addresses.empty()) {
    return ResolveFailure(host, Failure::Kind::kUnreachable, "no address");
  }
  return addresses;
}

class Resolver::Waiter : public Operation {
 public:
  Waiter(Entry* entry, Network::ResolveCallback done)
      : entry_(entry), done_(std::move(done)) {
    entry_->waiters.push_back(this);
  }
  ~Waiter() override {
    if (entry_ != nullptr) std::erase(entry_->waiters, this);
  }

  void Hear(const Network::ResolveResult& result) {
    Leave();
    Network::ResolveCallback done = std::move(done_);
    done(result);
  }
  void Leave() {
    std::erase(entry_->waiters, this);
    entry_ = nullptr;
  }

 private:
  Entry* entry_;
  Network::ResolveCallback done_;
};

Resolver::~Resolver() {
  for (auto& [host, entry] : entries_) {
    while (!entry.waiters.empty()) entry.waiters.front()->Leave();
  }
}

std::unique_ptr<Operation> Resolver::Resolve(std::string_view host,
                                             Network::ResolveCallback done) {
  if (const auto address = SocketAddress::Parse(host, 0)) {
    return Answer(std::vector<SocketAddress>{*address}, std::move(done));
  }
  if (entries_.size() >= kMostNames) DropOutdated();
  const std::string key(host);
  Entry& entry = entries_[key];
  if (entry.lookup == nullptr) {
    if (network_->Now() < entry.good_until) {
      return Answer(entry.result, std::move(done));
    }
    StartLookup(key, entry);
  }
  return std::make_unique<Waiter>(&entry, std::move(done));
}

std::unique_ptr<Operation> Resolver::Answer(
    const Network::ResolveResult& result, Network::ResolveCallback done) {
  return network_->Defer(
      [result, done = std::move(done)]() mutable { done(std::move(result)); });
}

void Resolver::StartLookup(const std::string& host, Entry& entry) {
  auto result = std::make_shared<Network::ResolveResult>();
  entry.lookup = network_->RunOffLoop(
      BlockingKind::kNameLookup,
      [host, result, lookup = lookup_] { *result = lookup(host); },
      [this, host, result] { Finish(host, std::move(*result)); });
}

void Resolver::Finish(const std::string& host, Network::ResolveResult result) {
  Entry& entry = entries_[host];
  entry.lookup.reset();
  const bool found = !std::holds_alternative<Failure>(result);
  entry.good_until = network_->Now() + (found ? kPositiveTtl : kNegativeTtl);
  entry.result = result;
  // A waiter may make another go, or ask something that drops this entry; a new
  // one is answered from the entry.
  for (;;) {
    const auto kept = entries_.find(host);
    if (kept == entries_.end() || kept->second.waiters.empty()) return;
    kept->second.waiters.front()->Hear(result);
  }
}

void Resolver::DropOutdated() {
  const absl::Time now = network_->Now();
  const bool crowded = std::all_of(
      entries_.begin(), entries_.end(),
      [now](const auto& entry) { return now < entry.second.good_until; });
  std::erase_if(entries_, [now, crowded](const auto& item) {
    const Entry& entry = item.second;
    return entry.lookup == nullptr && entry.waiters.empty() &&
           (crowded || entry.good_until <= now);
  });
}

}  // namespace gatehouse
