// Against two real slapd: which of them is asked, and what is asked again.

#include "lib/directory/ldap_pool.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/net/loop_test_kit.h"
#include "lib/testing/real_slapd.h"

namespace gatehouse {
namespace {

constexpr char kAliceDn[] = "uid=alice,ou=people,dc=example,dc=com";

RealSlapd::Options Alice() {
  RealSlapd::Options options;
  options.ldif = MailEntry("alice", "alice@example.com", "secret", "");
  return options;
}

class LdapPoolTest : public LoopTest {
 protected:
  LdapPoolTest() {
    options_->urls = {first_.url(), second_.url()};
    options_->admin_dn = RealSlapd::kAdminDn;
    options_->admin_password = Secret(RealSlapd::kAdminPassword);
    options_->timeout = absl::Milliseconds(700);
  }

  LdapPool& pool() {
    if (pool_ == nullptr) {
      pool_ = std::make_unique<LdapPool>(*network_, options_, options_->urls);
    }
    return *pool_;
  }

  std::unique_ptr<Operation> BeginSearch(std::optional<LdapReply>& reply) {
    return pool().Search({"dc=example,dc=com", "(uid=alice)", {"uid"}},
                         [&reply](LdapReply got) { reply = std::move(got); });
  }
  std::unique_ptr<Operation> BeginBind(std::string_view password,
                                       std::optional<LdapReply>& reply) {
    return pool().Bind(kAliceDn, Secret(password),
                       [&reply](LdapReply got) { reply = std::move(got); });
  }

  bool Search() {
    std::optional<LdapReply> reply;
    const auto operation = BeginSearch(reply);
    EXPECT_TRUE(RunUntil([&] { return reply.has_value(); }));
    return reply && std::holds_alternative<LdapFound>(*reply);
  }
  // Right or wrong; nothing: a Failure.
  std::optional<LdapVerdict> Bind(std::string_view password) {
    std::optional<LdapReply> reply;
    const auto operation = BeginBind(password, reply);
    EXPECT_TRUE(RunUntil([&] { return reply.has_value(); }));
    const auto* verdict = std::get_if<LdapVerdict>(&*reply);
    return verdict == nullptr ? std::nullopt : std::optional(*verdict);
  }

  static int Count(const RealSlapd& slapd, std::string_view text) {
    const std::string log = slapd.Log();
    int count = 0;
    for (size_t at = log.find(text); at != std::string::npos;
         at = log.find(text, at + 1)) {
      ++count;
    }
    return count;
  }
  static int Searches(const RealSlapd& slapd) {
    return Count(slapd, "filter=\"(uid=alice)\"");
  }
  static int Binds(const RealSlapd& slapd) {
    return Count(slapd,
                 "BIND dn=\"uid=alice,ou=people,dc=example,dc=com\" method");
  }

  RealSlapd first_{Alice()};
  RealSlapd second_{Alice()};
  std::shared_ptr<LdapOptions> options_ = std::make_shared<LdapOptions>();
  std::unique_ptr<LdapPool> pool_;
};

// Lets everybody in; a request that holds `unanswered` is never answered.
class PlayedBinds {
 public:
  PlayedBinds(Network& network, const SocketAddress& address,
              std::string unanswered = "")
      : unanswered_(std::move(unanswered)) {
    auto listener =
        network.Listen(address, {}, [this](std::unique_ptr<Stream> stream) {
          TestEnd* end =
              connections.emplace_back(std::make_unique<TestEnd>()).get();
          end->Take(std::move(stream));
          end->handler.on_data = [this, end] { Answer(*end); };
          end->stream->ResumeReading();
        });
    EXPECT_TRUE(listener.ok()) << listener.status();
    listener_ = *std::move(listener);
  }
  std::string url() const { return "ldap://" + listener_->local().ToString(); }

  std::vector<std::unique_ptr<TestEnd>> connections;

 private:
  // By a BindResponse of success to the message's number (RFC 4511 §4.2.2).
  void Answer(TestEnd& end) {
    const std::string request = std::move(end.handler.data);
    end.handler.data.clear();
    if (!unanswered_.empty() &&
        request.find(unanswered_) != std::string::npos) {
      return;
    }
    const char id = request[request.find("\x02\x01") + 2];
    end.stream->Write(std::string("\x30\x0c\x02\x01") + id +
                      std::string("\x61\x07\x0a\x01\x00\x04\x00\x04\x00", 9));
  }

  const std::string unanswered_;
  std::unique_ptr<Listener> listener_;
};

TEST_F(LdapPoolTest, PrefersTheFirstReplicaAndGoesBackToIt) {
  EXPECT_TRUE(Search());
  EXPECT_EQ(Searches(first_), 1);
  first_.Kill();
  EXPECT_TRUE(Search());
  EXPECT_EQ(Bind("secret"), LdapVerdict::kRight);
  EXPECT_EQ(Searches(second_), 1);
  EXPECT_EQ(Binds(second_), 1);
  first_.Start();
  for (int i = 0; i < 200 && Searches(first_) == 1; ++i) {
    RunFor(absl::Milliseconds(50));
    EXPECT_TRUE(Search());
  }
  EXPECT_EQ(Searches(first_), 2);
  const int second_before = Searches(second_);
  EXPECT_TRUE(Search());
  EXPECT_EQ(Searches(second_), second_before);
}

TEST_F(LdapPoolTest, AsksASearchElsewhereOnceWhereAReplicaKeepsSilent) {
  EXPECT_TRUE(Search());
  first_.Pause();
  const absl::Time began = network_->Now();
  EXPECT_TRUE(Search());
  EXPECT_GE(network_->Now() - began, options_->timeout);
  EXPECT_LT(network_->Now() - began, 2 * options_->timeout);
  EXPECT_EQ(Searches(second_), 1);
  // It is known to be down now: nobody waits for it again.
  const absl::Time after = network_->Now();
  EXPECT_TRUE(Search());
  EXPECT_LT(network_->Now() - after, options_->timeout);

  second_.Pause();
  EXPECT_FALSE(Search());
  second_.Continue();
  first_.Continue();
}

TEST_F(LdapPoolTest, SendsABindThatMayHaveCountedOnlyOnce) {
  EXPECT_EQ(Bind("secret"), LdapVerdict::kRight);
  first_.Pause();
  EXPECT_EQ(Bind("secret"), std::nullopt);
  EXPECT_EQ(Binds(second_), 0);
  // The next one finds the silent replica left.
  EXPECT_EQ(Bind("secret"), LdapVerdict::kRight);
  EXPECT_EQ(Binds(second_), 1);
  first_.Continue();
}

// A search at the silent replica is given up for both; the bind's own deadline
// is later.
TEST_F(LdapPoolTest, LeavesABindWhereItIsWhenOthersFindItsReplicaSilent) {
  EXPECT_TRUE(Search());
  EXPECT_EQ(Bind("secret"), LdapVerdict::kRight);
  first_.Pause();
  std::optional<LdapReply> found, bound;
  const auto search = BeginSearch(found);
  RunFor(options_->timeout / 2);
  const auto bind = BeginBind("secret", bound);
  ASSERT_TRUE(RunUntil([&] { return found.has_value(); }));
  EXPECT_TRUE(std::holds_alternative<LdapFound>(*found));
  EXPECT_FALSE(bound) << "whose replica is known to be down";
  ASSERT_TRUE(RunUntil([&] { return bound.has_value(); }));
  EXPECT_TRUE(std::holds_alternative<Failure>(*bound));
  EXPECT_EQ(Binds(second_), 0);
  first_.Continue();
}

TEST_F(LdapPoolTest, SendsNoBindAgainWhoseConnectionEndsBeforeTheAnswer) {
  EXPECT_EQ(Bind("secret"), LdapVerdict::kRight);
  const int before = Binds(first_);
  first_.Pause();
  std::optional<LdapReply> bound;
  const auto bind = BeginBind("wrong", bound);
  RunFor(options_->timeout / 4);  // it is on its way
  first_.Kill();
  ASSERT_TRUE(RunUntil([&] { return bound.has_value(); }));
  EXPECT_TRUE(std::holds_alternative<Failure>(*bound));
  first_.Start();
  RunFor(absl::Milliseconds(500));
  EXPECT_EQ(Binds(second_), 0);
  EXPECT_EQ(Binds(first_), before);
}

TEST_F(LdapPoolTest, SendsALostBindElsewhereWhereThatIsAllowed) {
  options_->retry_binds = true;
  EXPECT_EQ(Bind("secret"), LdapVerdict::kRight);
  first_.Pause();
  EXPECT_EQ(Bind("wrong"), LdapVerdict::kWrong);
  EXPECT_EQ(Binds(second_), 1);
  first_.Continue();
}

// The other connections of a server that died are as dead as the one whose end
// is seen first: a bind that is sent once more must not be risked on them.
TEST_F(LdapPoolTest, SendsALostBindOnNoConnectionThatWasIdleThen) {
  PlayedBinds server(*network_, Loopback());
  std::vector<std::unique_ptr<TestEnd>>& connections = server.connections;
  options_->retry_binds = true;
  options_->urls = {server.url()};
  std::vector<std::optional<LdapReply>> replies(3);
  std::vector<std::unique_ptr<Operation>> operations;
  for (auto& reply : replies) operations.push_back(BeginBind("secret", reply));
  ASSERT_TRUE(RunUntil([&] {
    return connections.size() == 3 &&
           std::all_of(replies.begin(), replies.end(),
                       [](const auto& reply) { return reply.has_value(); });
  }));
  RunFor(absl::Milliseconds(50));  // until the pool knows the last of them
  std::optional<LdapReply> reply;
  const auto operation = BeginBind("secret", reply);
  TestEnd* asked = nullptr;
  for (const auto& end : connections) {  // which answer nothing any more
    end->handler.on_data = [&asked, raw = end.get()] { asked = raw; };
  }
  ASSERT_TRUE(RunUntil([&] { return asked != nullptr; }));
  asked->stream.reset();
  ASSERT_TRUE(RunUntil([&] { return reply.has_value(); }));
  const auto* verdict = std::get_if<LdapVerdict>(&*reply);
  EXPECT_TRUE(verdict != nullptr && *verdict == LdapVerdict::kRight);
  EXPECT_EQ(connections.size(), 4u);
}

TEST_F(LdapPoolTest, SendsABindElsewhereThatWasNeverSent) {
  first_.Kill();
  EXPECT_EQ(Bind("secret"), LdapVerdict::kRight);
  EXPECT_EQ(Binds(second_), 1);
}

TEST_F(LdapPoolTest, SharesTheLoadByWhatEachReplicaOwes) {
  options_->replica_policy = ReplicaPolicy::kLeastOutstanding;
  constexpr int kSearches = 20;
  std::vector<std::optional<LdapReply>> replies(kSearches);
  std::vector<std::unique_ptr<Operation>> operations;
  for (auto& reply : replies) operations.push_back(BeginSearch(reply));
  ASSERT_TRUE(RunUntil([&] {
    return std::all_of(replies.begin(), replies.end(),
                       [](const auto& reply) { return reply.has_value(); });
  }));
  EXPECT_EQ(Searches(first_), kSearches / 2);
  EXPECT_EQ(Searches(second_), kSearches / 2);
}

TEST_F(LdapPoolTest, TriesALostReplicaWithGrowingPauses) {
  first_.Kill();
  second_.Kill();
  int probes = 0;
  auto listener =
      network_->Listen(Loopback(), {}, [&](std::unique_ptr<Stream>) {
        ++probes;  // and is closed at once
      });
  ASSERT_TRUE(listener.ok()) << listener.status();
  options_->urls = {"ldap://" + (*listener)->local().ToString()};
  EXPECT_FALSE(Search());
  RunFor(absl::Seconds(3));
  // At first, and 0.25, 0.75 and 1.75 s later.
  EXPECT_GE(probes, 2);
  EXPECT_LE(probes, 4);
}

// Keeps what it hears, a line each.
class Observer : public LdapReplicaObserver {
 public:
  explicit Observer(std::vector<std::string>& heard) : heard_(heard) {}
  void OnReplicaLost(const std::string& url, const Failure& reason) override {
    heard_.push_back("lost " + url + " (" + std::string(KindName(reason.kind)) +
                     ")");
  }
  void OnReplicaWell(const std::string& url) override {
    heard_.push_back("well " + url);
  }
  void OnReferralRefused(const std::string&) override {}

 private:
  std::vector<std::string>& heard_;
};

TEST_F(LdapPoolTest, TellsHowItsReplicasAreThoughNobodyAsksThem) {
  first_.Kill();
  std::vector<std::string> heard;
  Observer observer(heard);
  pool_ = std::make_unique<LdapPool>(*network_, options_, options_->urls,
                                     &observer);
  std::vector<std::string> expected;
  const auto hears = [&](std::vector<std::string> more) {
    expected.insert(expected.end(), more.begin(), more.end());
    EXPECT_TRUE(RunUntil([&] { return heard.size() >= expected.size(); }));
    EXPECT_THAT(heard, testing::UnorderedElementsAreArray(expected));
  };
  hears({"lost " + first_.url() + " (unreachable)", "well " + second_.url()});
  first_.Start();
  hears({"well " + first_.url()});
  // A server that ends connections is asked whether it is still there.
  second_.Kill();
  second_.Start();
  RunFor(absl::Milliseconds(500));
  hears({});
  second_.Kill();
  hears({"lost " + second_.url() + " (unreachable)"});
  second_.Start();
  hears({"well " + second_.url()});
}

// One question may be too much for a server that is well: an account's own
// overlay, a lock.
TEST_F(LdapPoolTest, LeavesNoReplicaThatAnswersOthers) {
  PlayedBinds server(*network_, Loopback(), "slow");
  options_->urls = {server.url()};
  std::vector<std::string> heard;
  Observer observer(heard);
  pool_ = std::make_unique<LdapPool>(*network_, options_, options_->urls,
                                     &observer);
  std::optional<LdapReply> slow;
  const auto operation = BeginBind("slow", slow);
  for (int i = 0; !slow && i < 100; ++i) {
    EXPECT_EQ(Bind("quick"), LdapVerdict::kRight);
    RunFor(absl::Milliseconds(20));
  }
  ASSERT_TRUE(slow);
  EXPECT_TRUE(std::holds_alternative<Failure>(*slow));
  EXPECT_EQ(Bind("quick"), LdapVerdict::kRight);
  EXPECT_THAT(heard, testing::ElementsAre("well " + server.url()));
}

TEST_F(LdapPoolTest, TellsThatItsAdministratorIsRefused) {
  options_->admin_password = Secret("wrong");
  options_->urls = {first_.url()};
  std::vector<std::string> heard;
  Observer observer(heard);
  pool_ = std::make_unique<LdapPool>(*network_, options_, options_->urls,
                                     &observer);
  EXPECT_TRUE(RunUntil([&] { return !heard.empty(); }));
  EXPECT_THAT(
      heard, testing::ElementsAre("lost " + first_.url() + " (configuration)"));
}

}  // namespace
}  // namespace gatehouse
