#include "lib/directory/ldap_referral_chaser.h"

#include <list>
#include <optional>
#include <utility>
#include <variant>

namespace gatehouse {
namespace {

// From the connector's own servers. A loop ends here.
constexpr int kMostHops = 4;

Failure NotFollowed(std::string text) {
  return {Failure::Side::kDirectory, Failure::Kind::kConfiguration,
          Failure::Retry::kNo, std::move(text)};
}

}  // namespace

// A search, or a bind where `search.filter` is empty and `dn` isn't.
struct LdapReferralChaser::Question {
  bool is_bind() const { return !dn.empty(); }

  // Asks for what the URL says in place of what was asked.
  void Turn(const LdapUrl& url) {
    if (is_bind()) {
      if (!url.dn.empty()) dn = url.dn;
      return;
    }
    if (!url.dn.empty()) search.base_dn = url.dn;
    if (url.scope) search.scope = *url.scope;
    if (!url.filter.empty()) search.filter = url.filter;
  }

  size_t server = 0;
  int hops = 0;
  LdapSearch search;
  std::string dn;
};

// One search or bind with all that its answers lead to. Destroying it, also
// from its callback, ends all.
class LdapReferralChaser::Chase : public Operation {
 public:
  Chase(LdapReferralChaser& chaser, Question first, const Secret& secret,
        LdapReplyCallback done)
      : chaser_(chaser),
        began_at_(chaser.network_.Now()),
        done_(std::move(done)) {
    if (MayGoOn() && first.is_bind()) secret_ = secret.Clone();
    Ask(legs_.emplace(legs_.end(), std::move(first)), secret);
  }

 private:
  // A question on its way, and in which other ways it may be asked where that
  // fails.
  struct Leg {
    explicit Leg(std::list<Question> choices) : choices(std::move(choices)) {}
    explicit Leg(Question only) { choices.push_back(std::move(only)); }

    std::list<Question> choices;
    std::unique_ptr<Operation> wait;
  };
  using Legs = std::list<Leg>;

  // Whether any referral can be followed; otherwise no question is asked twice.
  bool MayGoOn() const { return !chaser_.listed_.empty(); }

  void Ask(Legs::iterator leg, const Secret& secret) {
    Question& question = leg->choices.front();
    LdapPool& pool = *chaser_.pools_[question.server];
    auto on_reply = [this, leg](LdapReply reply) {
      OnReply(leg, std::move(reply));
    };
    if (question.is_bind()) {
      leg->wait = pool.Bind(question.dn, secret, std::move(on_reply));
    } else {
      leg->wait = pool.Search(
          MayGoOn() ? LdapSearch(question.search) : std::move(question.search),
          std::move(on_reply));
    }
  }

  void OnReply(Legs::iterator leg, LdapReply reply) {
    const Question asked = std::move(leg->choices.front());
    leg->choices.pop_front();
    if (const auto* failure = std::get_if<Failure>(&reply)) {
      if (!leg->choices.empty() && MayBeAskedElsewhere(asked, *failure)) {
        return Ask(leg, secret_);
      }
      NoteTrouble(*failure);
    } else if (const auto* referral = std::get_if<LdapReferral>(&reply)) {
      Follow(*referral, asked);
    } else if (const auto* verdict = std::get_if<LdapVerdict>(&reply)) {
      verdict_ = *verdict;
    } else {
      Collect(std::get<LdapFound>(std::move(reply)), asked);
    }
    legs_.erase(leg);
    if (legs_.empty()) Finish();
  }

  bool MayBeAskedElsewhere(const Question& asked,
                           const Failure& failure) const {
    switch (failure.kind) {
      case Failure::Kind::kConfiguration:
      case Failure::Kind::kProtocol:
        return false;  // that was an answer
      case Failure::Kind::kTimeout:
      case Failure::Kind::kReset:
        // It may have counted a wrong password, see LdapOptions.
        return !asked.is_bind() || chaser_.options_->retry_binds;
      default:
        return true;
    }
  }

  void Collect(LdapFound found, const Question& asked) {
    if (found_.entries.empty()) found_.server = asked.server;
    for (LdapEntry& entry : found.entries) {
      if (found_.entries.size() == kMaxLdapEntries) {
        found_.more = true;
      } else {
        found_.entries.push_back(std::move(entry));
      }
    }
    found_.more = found_.more || found.more;
    // Who is found isn't looked for elsewhere: that costs others nothing, and
    // their loss isn't felt.
    if (!found.entries.empty()) return;
    for (const LdapReferral& reference : found.references) {
      Follow(reference, asked);
    }
  }

  void Follow(const LdapReferral& referral, const Question& from) {
    if (from.hops == kMostHops) {
      return NoteTrouble(NotFollowed("referrals lead on beyond " +
                                     std::to_string(kMostHops) + " servers"));
    }
    std::list<Question> choices;
    std::string unlisted;
    for (const std::string& text : referral.urls) {
      const auto url = ParseLdapUrl(text);
      if (!url) continue;
      const size_t server = chaser_.ServerOf(*url);
      if (server == 0) {
        if (unlisted.empty()) unlisted = url->server.ToString();
        continue;
      }
      Question& next = choices.emplace_back(from);
      next.server = server;
      ++next.hops;
      next.Turn(*url);
    }
    if (choices.empty()) return Refuse(unlisted);
    if (++followed_ > kMaxLdapReferences) {
      return NoteTrouble(NotFollowed("a search has more than " +
                                     std::to_string(kMaxLdapReferences) +
                                     " referrals"));
    }
    if (deadline_ == nullptr) {
      const absl::Duration gone = chaser_.network_.Now() - began_at_;
      deadline_ = chaser_.network_.StartTimer(
          2 * chaser_.options_->timeout - gone,
          [this, alive = std::weak_ptr(chaser_.alive_)] {
            if (!alive.expired()) OnDeadline();
          });
    }
    Ask(legs_.emplace(legs_.end(), std::move(choices)), secret_);
  }

  void Refuse(const std::string& host) {
    if (host.empty()) {
      return NoteTrouble(
          NotFollowed("a referral to no LDAP server, which is not followed"));
    }
    if (chaser_.observer_ != nullptr) {
      chaser_.observer_->OnReferralRefused(host);
    }
    NoteTrouble(NotFollowed("a referral to " + host +
                            ", which is not followed: \"referrals\" doesn't "
                            "list it"));
  }

  void OnDeadline() {
    legs_.clear();
    NoteTrouble({Failure::Side::kDirectory, Failure::Kind::kTimeout,
                 Failure::Retry::kSafe, "no answer where a referral leads to"});
    Finish();
  }

  // An outage tells more than what is known to be wrong: it passes.
  void NoteTrouble(Failure failure) {
    const bool is_outage = failure.kind != Failure::Kind::kConfiguration;
    if (!trouble_ ||
        (is_outage && trouble_->kind == Failure::Kind::kConfiguration)) {
      trouble_ = std::move(failure);
    }
  }

  // The callback may destroy this.
  void Finish() {
    deadline_ = nullptr;
    secret_.Wipe();
    LdapReplyCallback done = std::move(done_);
    if (verdict_) return done(*verdict_);
    if (trouble_ && found_.entries.empty()) return done(*std::move(trouble_));
    done(std::move(found_));
  }

  LdapReferralChaser& chaser_;
  const absl::Time began_at_;
  Secret secret_;
  LdapReplyCallback done_;
  Legs legs_;
  size_t followed_ = 0;
  LdapFound found_;
  std::optional<LdapVerdict> verdict_;
  std::optional<Failure> trouble_;
  std::unique_ptr<Operation> deadline_;
};

LdapReferralChaser::LdapReferralChaser(
    Network& network, std::shared_ptr<const LdapOptions> options,
    std::unique_ptr<LdapReplicaObserver> observer)
    : network_(network),
      options_(std::move(options)),
      observer_(std::move(observer)) {
  const auto add = [this](const std::vector<std::string>& urls) {
    pools_.push_back(
        std::make_unique<LdapPool>(network_, options_, urls, observer_.get()));
  };
  add(options_->urls);
  for (const std::string& url : options_->referrals) {
    if (const auto parsed = ParseLdapUrl(url)) {
      listed_.emplace(LdapServerKey(*parsed), pools_.size());
    }
    add({url});
  }
}

std::unique_ptr<Operation> LdapReferralChaser::Search(LdapSearch search,
                                                      LdapReplyCallback done) {
  Question question;
  question.search = std::move(search);
  return std::make_unique<Chase>(*this, std::move(question), Secret(),
                                 std::move(done));
}

std::unique_ptr<Operation> LdapReferralChaser::Bind(std::string dn,
                                                    size_t server,
                                                    const Secret& secret,
                                                    LdapReplyCallback done) {
  Question question;
  question.server = server;
  question.dn = std::move(dn);
  return std::make_unique<Chase>(*this, std::move(question), secret,
                                 std::move(done));
}

size_t LdapReferralChaser::ServerOf(const LdapUrl& url) const {
  const auto found = listed_.find(LdapServerKey(url));
  return found == listed_.end() ? 0 : found->second;
}

}  // namespace gatehouse
