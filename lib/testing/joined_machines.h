#ifndef GATEHOUSE_LIB_TESTING_JOINED_MACHINES_H_
#define GATEHOUSE_LIB_TESTING_JOINED_MACHINES_H_

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "lib/protocol/machine.h"

namespace gatehouse {

// Both machines of a protocol joined in memory: our upstream side logs in to
// our downstream side, which plays the store.
struct JoinedMachines {
  JoinedMachines(const Protocol& protocol, UpstreamOptions login,
                 DownstreamOptions store_options)
      : upstream(protocol.NewUpstream(std::move(login))),
        store(protocol.NewDownstream(std::move(store_options))) {}

  // What the store was asked; nothing where the upstream machine gave up.
  std::optional<LoginAttempt> Run();
  // Hands on what the store has said.
  UpstreamEvent HearStore();

  std::unique_ptr<UpstreamMachine> upstream;
  std::unique_ptr<DownstreamMachine> store;
  size_t piece = 1;  // octets that either hears at once
  // Another store's words in the place of ours; null: none.
  std::function<std::string(std::string)> edited;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_TESTING_JOINED_MACHINES_H_
