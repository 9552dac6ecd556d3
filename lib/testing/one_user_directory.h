#ifndef GATEHOUSE_LIB_TESTING_ONE_USER_DIRECTORY_H_
#define GATEHOUSE_LIB_TESTING_ONE_USER_DIRECTORY_H_

#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "lib/directory/directory.h"
#include "lib/net/network.h"

namespace gatehouse {

// Knows alice, whose password is "secret" and whose store is 10.0.0.1.
class OneUserDirectory : public Directory {
 public:
  enum class Mood { kWell, kDown, kSilent };

  explicit OneUserDirectory(Network& network) : network_(network) {
    location.user = "alice";
    location.host = Endpoint{"10.0.0.1", 0};
  }

  std::unique_ptr<Operation> Authenticate(std::string_view name,
                                          const Secret& secret,
                                          AuthenticateCallback done) override {
    ++authentications;
    AuthenticateResult result = Denial::kNotFound;
    if (name == "alice") result = Denial::kWrongPassword;
    if (name == "alice" && secret.Reveal() == "secret") {
      result = Account{"alice", std::make_shared<Location>(location)};
    }
    if (denial) result = *denial;
    if (mood == Mood::kDown) result = Down();
    return Answer(std::move(result), std::move(done));
  }

  std::unique_ptr<Operation> Locate(std::string_view name,
                                    LocateCallback done) override {
    LocateResult result = Denial::kNotFound;
    if (name == "alice") result = std::make_shared<Location>(location);
    if (mood == Mood::kDown) result = Down();
    return Answer(std::move(result), std::move(done));
  }

  void ForgetPassword(std::string_view name) override {
    if (name == "alice") ++forgotten;
  }

  Mood mood = Mood::kWell;
  Location location;
  std::optional<Denial> denial;
  int authentications = 0;
  int forgotten = 0;

 private:
  static Failure Down() {
    return {Failure::Side::kDirectory, Failure::Kind::kUnreachable,
            Failure::Retry::kSafe, "directory down"};
  }

  template <typename Result, typename Callback>
  std::unique_ptr<Operation> Answer(Result result, Callback done) {
    if (mood == Mood::kSilent) return nullptr;
    return network_.Defer(
        [result = std::move(result), done = std::move(done)]() mutable {
          done(std::move(result));
        });
  }

  Network& network_;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_TESTING_ONE_USER_DIRECTORY_H_
