#include "lib/testing/fake_directory.h"

#include <utility>

namespace gatehouse {
namespace {

class Question : public Operation {
 public:
  explicit Question(std::shared_ptr<int> pending)
      : pending_(std::move(pending)) {
    ++*pending_;
  }
  ~Question() override { Settle(); }

  void Settle() {
    if (pending_ == nullptr) return;
    --*pending_;
    pending_ = nullptr;
  }
  void set_answer(std::unique_ptr<Operation> answer) {
    answer_ = std::move(answer);
  }

 private:
  std::shared_ptr<int> pending_;
  std::unique_ptr<Operation> answer_;
};

}  // namespace

void FakeDirectory::AddUser(std::string_view name, std::string_view password,
                            const Location& location) {
  users_[std::string(name)] = {std::string(password),
                               std::make_shared<Location>(location)};
}

void FakeDirectory::ScriptAuthenticate(std::string_view name,
                                       AuthenticateResult result) {
  authenticate_script_.insert_or_assign(std::string(name), std::move(result));
}

void FakeDirectory::ScriptLocate(std::string_view name, LocateResult result) {
  locate_script_.insert_or_assign(std::string(name), std::move(result));
}

void FakeDirectory::ScriptLocate(std::string_view name,
                                 const Location& location) {
  ScriptLocate(name, std::make_shared<Location>(location));
}

void FakeDirectory::Move(std::string_view user, const Endpoint& host) {
  if (observer_) observer_(user, host);
}

std::unique_ptr<Operation> FakeDirectory::Authenticate(
    std::string_view name, const Secret& secret, AuthenticateCallback done) {
  ++authentications_;
  return Answer(Judge(std::string(name), secret), std::move(done));
}

std::unique_ptr<Operation> FakeDirectory::Locate(std::string_view name,
                                                 LocateCallback done) {
  ++locations_;
  return Answer(Find(std::string(name)), std::move(done));
}

std::optional<LocateResult> FakeDirectory::LocateNow(std::string_view name) {
  if (!knows_all_) return std::nullopt;
  return Find(std::string(name));
}

AuthenticateResult FakeDirectory::Judge(const std::string& name,
                                        const Secret& secret) const {
  if (failure_) return *failure_;
  auto scripted = authenticate_script_.find(name);
  if (scripted != authenticate_script_.end()) return scripted->second;
  auto user = users_.find(name);
  if (user == users_.end()) return Denial::kNotFound;
  if (secret.empty() || user->second.password != secret.Reveal()) {
    return Denial::kWrongPassword;
  }
  Account account{user->second.location->user};
  if (locates_at_once_) account.location = user->second.location;
  return account;
}

LocateResult FakeDirectory::Find(const std::string& name) const {
  if (failure_) return *failure_;
  auto scripted = locate_script_.find(name);
  if (scripted != locate_script_.end()) return scripted->second;
  auto user = users_.find(name);
  if (user == users_.end()) return Denial::kNotFound;
  return user->second.location;
}

template <typename Result, typename Callback>
std::unique_ptr<Operation> FakeDirectory::Answer(Result result, Callback done) {
  auto question = std::make_unique<Question>(pending_);
  if (silent_) return question;
  question->set_answer(
      network_.Defer([question = question.get(), result = std::move(result),
                      done = std::move(done)]() mutable {
        question->Settle();
        done(std::move(result));
      }));
  return question;
}

}  // namespace gatehouse
