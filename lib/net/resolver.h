#ifndef GATEHOUSE_LIB_NET_RESOLVER_H_
#define GATEHOUSE_LIB_NET_RESOLVER_H_

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "lib/net/network.h"

namespace gatehouse {

// What a lookup has found. Asks the hosts file for the name as it stands, then
// the resolver for it as an absolute name; blocks.
Network::ResolveResult LookUpHost(const std::string& host);

// Names to addresses for one loop: one lookup per name at a time, its answer
// kept for a few seconds, so that a thousand logins to one store ask once.
class Resolver {
 public:
  using Lookup = Network::ResolveResult (*)(const std::string& host);

  // Lookups run on `network`'s threads; it must outlive every call.
  Resolver(Network* network, Lookup lookup)
      : network_(network), lookup_(lookup) {}
  ~Resolver();

  std::unique_ptr<Operation> Resolve(std::string_view host,
                                     Network::ResolveCallback done);

 private:
  class Waiter;
  struct Entry {
    std::unique_ptr<Operation> lookup;  // while one is under way
    std::vector<Waiter*> waiters;
    Network::ResolveResult result;
    absl::Time good_until = absl::InfinitePast();
  };

  std::unique_ptr<Operation> Answer(const Network::ResolveResult& result,
                                    Network::ResolveCallback done);
  void StartLookup(const std::string& host, Entry& entry);
  void Finish(const std::string& host, Network::ResolveResult result);
  void DropOutdated();

  Network* network_;
  Lookup lookup_;
  std::map<std::string, Entry> entries_;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_NET_RESOLVER_H_
