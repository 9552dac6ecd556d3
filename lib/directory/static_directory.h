#ifndef GATEHOUSE_LIB_DIRECTORY_STATIC_DIRECTORY_H_
#define GATEHOUSE_LIB_DIRECTORY_STATIC_DIRECTORY_H_

#include <memory>
#include <optional>
#include <string_view>

#include "lib/directory/directory.h"
#include "lib/directory/local_map.h"
#include "lib/net/network.h"

namespace gatehouse {

// Answers from a LocalMap. Passwords are checked against crypt(3) hashes, off
// the loop, since a good hash takes milliseconds; an unknown name takes as long
// as a known one.
class StaticDirectory : public Directory {
 public:
  // `network` must outlive the directory.
  StaticDirectory(Network& network, std::shared_ptr<CurrentLocalMap> map);

  std::unique_ptr<Operation> Authenticate(std::string_view name,
                                          const Secret& secret,
                                          AuthenticateCallback done) override;
  std::unique_ptr<Operation> Locate(std::string_view name,
                                    LocateCallback done) override;
  std::optional<LocateResult> LocateNow(std::string_view name) override;
  std::vector<Location> SampleLocations(size_t most) override;
  // The observer hears of accounts with entries of their own. Those whom a
  // pattern or "@domain" sends elsewhere aren't told.
  void set_move_observer(MoveObserver observer) override;

 private:
  Network& network_;
  const std::shared_ptr<CurrentLocalMap> current_;
  PublishedView<LocalMap> map_;
  MoveListener moves_{network_, current_->moves()};
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_DIRECTORY_STATIC_DIRECTORY_H_
