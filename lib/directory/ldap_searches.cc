#include "lib/directory/ldap_searches.h"

#include <utility>

namespace gatehouse {

class LdapSearches::Waiter : public Operation {
 public:
  Waiter(std::weak_ptr<Questions> under_way, std::shared_ptr<Question> question,
         LdapReplyCallback done)
      : under_way_(std::move(under_way)),
        question_(std::move(question)),
        done_(std::move(done)) {
    question_->waiters.push_back(this);
  }
  ~Waiter() override {
    if (question_ == nullptr) return;
    question_->waiters.remove(this);
    if (question_->waiters.empty()) Abandon();
  }

  // May destroy it.
  void Answer(const LdapReply& reply) {
    question_ = nullptr;
    LdapReplyCallback done = std::move(done_);
    done(reply);
  }

 private:
  // Nobody waits any more: the next such search is a new question.
  void Abandon() {
    question_->operation = nullptr;
    const auto under_way = under_way_.lock();
    if (under_way == nullptr) return;
    const auto found = under_way->find(question_->filter);
    const bool listed = found != under_way->end() && found->second == question_;
    if (listed) under_way->erase(found);
  }

  const std::weak_ptr<Questions> under_way_;
  std::shared_ptr<Question> question_;  // null once answered
  LdapReplyCallback done_;
};

std::unique_ptr<Operation> LdapSearches::Search(LdapSearch search,
                                                LdapReplyCallback done) {
  std::shared_ptr<Question>& question = (*under_way_)[search.filter];
  if (question == nullptr) {
    question = std::make_shared<Question>();
    question->filter = search.filter;
    question->operation = servers_.Search(
        std::move(search), [this, filter = question->filter](LdapReply reply) {
          OnReply(filter, reply);
        });
  }
  return std::make_unique<Waiter>(under_way_, question, std::move(done));
}

void LdapSearches::OnReply(const std::string& filter, const LdapReply& reply) {
  const auto question = under_way_->extract(filter).mapped();
  // Whoever is answered may end the waits of others.
  while (!question->waiters.empty()) {
    Waiter* const first = question->waiters.front();
    question->waiters.pop_front();
    first->Answer(reply);
  }
}

}  // namespace gatehouse
