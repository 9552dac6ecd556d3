#ifndef GATEHOUSE_LIB_TESTING_PLAYED_STORE_H_
#define GATEHOUSE_LIB_TESTING_PLAYED_STORE_H_

#include <memory>
#include <string>
#include <vector>

#include "lib/protocol/machine.h"

namespace gatehouse {

// What an upstream machine did before a store that says what a test wants.
struct PlayedStore {
  std::string written;  // all that the store was sent
  std::string state;    // in which the last reply came
  UpstreamEvent last;
};

// The store says `replies` one by one, then `last`, and where the machine waits
// for more then, it closes. TLS is there as soon as the machine asks for it.
PlayedStore PlayStore(std::unique_ptr<UpstreamMachine> machine,
                      const std::vector<std::string>& replies,
                      const std::string& last);

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_TESTING_PLAYED_STORE_H_
