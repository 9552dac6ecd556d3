#ifndef GATEHOUSE_LIB_TESTING_FAKE_DIRECTORY_H_
#define GATEHOUSE_LIB_TESTING_FAKE_DIRECTORY_H_

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "lib/directory/directory.h"
#include "lib/net/network.h"

namespace gatehouse {

// A directory that answers what a test wrote down. Names match exactly, and
// what nobody wrote down isn't found. Answers come through the network's
// Defer(), in the order of the questions.
class FakeDirectory : public Directory {
 public:
  explicit FakeDirectory(Network& network) : network_(network) {}

  // --- The test's side ---

  // Somebody who gets in with this password, and lives there.
  void AddUser(std::string_view name, std::string_view password,
               const Location& location);
  // The one answer to every question about `name`, whatever the password.
  void ScriptAuthenticate(std::string_view name, AuthenticateResult result);
  void ScriptLocate(std::string_view name, LocateResult result);
  void ScriptLocate(std::string_view name, const Location& location);

  // Every answer from now on; nothing: as scripted.
  void set_failure(std::optional<Failure> failure) { failure_ = failure; }
  // A directory that hangs: questions asked meanwhile are never answered.
  void set_silent(bool silent) { silent_ = silent; }
  // False: Account comes without the location, which is then asked for.
  void set_locates_at_once(bool at_once) { locates_at_once_ = at_once; }

  // LocateNow() knows every answer, too.
  void set_knows_all(bool knows_all) { knows_all_ = knows_all; }

  // Tells the observer.
  void Move(std::string_view user, const Endpoint& host);

  // How many questions came, and how many are neither answered nor cancelled.
  int authentications() const { return authentications_; }
  int locations() const { return locations_; }
  int pending() const { return *pending_; }

  // --- Directory ---
  std::unique_ptr<Operation> Authenticate(std::string_view name,
                                          const Secret& secret,
                                          AuthenticateCallback done) override;
  std::unique_ptr<Operation> Locate(std::string_view name,
                                    LocateCallback done) override;
  std::optional<LocateResult> LocateNow(std::string_view name) override;
  void set_move_observer(MoveObserver observer) override {
    observer_ = std::move(observer);
  }

 private:
  struct User {
    std::string password;
    SharedLocation location;
  };

  AuthenticateResult Judge(const std::string& name, const Secret& secret) const;
  LocateResult Find(const std::string& name) const;
  template <typename Result, typename Callback>
  std::unique_ptr<Operation> Answer(Result result, Callback done);

  Network& network_;
  std::map<std::string, User> users_;
  std::map<std::string, AuthenticateResult> authenticate_script_;
  std::map<std::string, LocateResult> locate_script_;
  std::optional<Failure> failure_;
  bool silent_ = false;
  bool locates_at_once_ = true;
  bool knows_all_ = false;
  int authentications_ = 0;
  int locations_ = 0;
  // Shared with the questions, which may outlive the directory in a test.
  std::shared_ptr<int> pending_ = std::make_shared<int>(0);
  MoveObserver observer_;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_TESTING_FAKE_DIRECTORY_H_
