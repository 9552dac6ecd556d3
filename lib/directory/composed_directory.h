#ifndef GATEHOUSE_LIB_DIRECTORY_COMPOSED_DIRECTORY_H_
#define GATEHOUSE_LIB_DIRECTORY_COMPOSED_DIRECTORY_H_

#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/directory/directory.h"

namespace gatehouse {

// Asks one directory who somebody is, and another where the mailbox lives.
class ComposedDirectory : public Directory {
 public:
  // Either may be null: nobody is then known to it. `network` must outlive it.
  ComposedDirectory(Network& network, std::shared_ptr<Directory> who,
                    std::shared_ptr<Directory> where)
      : network_(network), who_(std::move(who)), where_(std::move(where)) {}

  std::unique_ptr<Operation> Authenticate(std::string_view name,
                                          const Secret& secret,
                                          AuthenticateCallback done) override {
    if (who_ == nullptr) return Unknown(std::move(done));
    // The other directory is the one that locates.
    return who_->Authenticate(
        name, secret,
        [done = std::move(done)](AuthenticateResult result) mutable {
          if (auto* account = std::get_if<Account>(&result)) {
            account->location.reset();
          }
          done(std::move(result));
        });
  }

  std::unique_ptr<Operation> Locate(std::string_view name,
                                    LocateCallback done) override {
    if (where_ == nullptr) return Unknown(std::move(done));
    return where_->Locate(name, std::move(done));
  }

  std::optional<LocateResult> LocateNow(std::string_view name) override {
    if (where_ == nullptr) return Denial::kNotFound;
    return where_->LocateNow(name);
  }

  std::vector<Location> SampleLocations(size_t most) override {
    if (where_ == nullptr) return {};
    return where_->SampleLocations(most);
  }

  void ForgetPassword(std::string_view name) override {
    if (who_ != nullptr) who_->ForgetPassword(name);
  }

  void set_move_observer(MoveObserver observer) override {
    if (where_ != nullptr) where_->set_move_observer(std::move(observer));
  }

 private:
  template <typename Callback>
  std::unique_ptr<Operation> Unknown(Callback done) {
    return network_.Defer(
        [done = std::move(done)]() mutable { done(Denial::kNotFound); });
  }

  Network& network_;
  const std::shared_ptr<Directory> who_;
  const std::shared_ptr<Directory> where_;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_DIRECTORY_COMPOSED_DIRECTORY_H_
