// Against a real slapd with its syncprov overlay.

#include "lib/directory/live_map_follower.h"

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/net/loop_test_kit.h"
#include "lib/testing/real_slapd.h"
#include "lib/testing/recording_log.h"

namespace gatehouse {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsSubsetOf;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

constexpr char kSyncprov[] =
    "index entryUUID,entryCSN eq\n"
    "overlay syncprov\n"
    "syncprov-sessionlog 1000\n";

std::string Person(const std::string& uid, const std::string& host) {
  return MailEntry(uid, uid + "@example.com", "secret",
                   "mailHost: " + host + "\n");
}

std::string DnOf(const std::string& uid) {
  return "dn: uid=" + uid + ",ou=people,dc=example,dc=com\n";
}

RealSlapd::Options SlapdOptions(const std::string& database_config) {
  RealSlapd::Options options;
  options.ldif = Person("alice", "store1") + Person("bob", "store2");
  options.database_config = database_config;
  return options;
}

class LiveMapFollowerTest : public LoopTest {
 protected:
  explicit LiveMapFollowerTest(const std::string& database_config = kSyncprov)
      : slapd_(SlapdOptions(database_config)) {
    options_->urls = {slapd_.url()};
    options_->admin_dn = RealSlapd::kAdminDn;
    options_->admin_password = Secret(RealSlapd::kAdminPassword);
    options_->account_base_dn = "dc=example,dc=com";
    options_->timeout = absl::Milliseconds(500);
  }

  // With a cookie: as a map that knew all until then, and has lost it.
  void Follow(const std::string& cookie = "") {
    auto made = LiveMap::Create(options_, {});
    ASSERT_TRUE(made.ok()) << made.status();
    reader_ = nullptr;
    map_ = *std::move(made);
    map_->OnInfo(LdapSyncNewCookie{cookie});
    reader_ = std::make_unique<LiveMap::Reader>(*map_);
    follower_ = std::make_unique<LiveMapFollower>(*network_, log_, "Test",
                                                  options_, map_);
  }

  std::optional<LdapFound> Find(const std::string& uid) {
    return reader_->Find({uid, "example.com"},
                         [this] { return network_->Now(); });
  }
  std::string HostOf(const std::string& uid) {
    const auto found = Find(uid);
    if (!found) return "?";
    if (found->entries.empty()) return "nobody";
    return std::string(found->entries.front().Values("mailHost").front());
  }
  bool AwaitHost(const std::string& uid, const std::string& host) {
    return RunUntil([&] { return HostOf(uid) == host; });
  }
  bool AwaitState(LiveMap::State state) {
    return RunUntil([&] { return map_->state() == state; });
  }
  bool AwaitEvent(const std::string& event) {
    return RunUntil([&] {
      return std::find(log_.events().begin(), log_.events().end(), event) !=
             log_.events().end();
    });
  }
  // The hosts that are given until the map is live again.
  std::set<std::string> HostsUntilLive(const std::string& uid) {
    std::set<std::string> hosts;
    EXPECT_TRUE(RunUntil([&] {
      hosts.insert(HostOf(uid));
      return map_->state() == LiveMap::State::kLive;
    }));
    return hosts;
  }
  int RefreshesAsked() const {
    const std::vector<absl::string_view> parts =
        absl::StrSplit(slapd_.Log(), "SRCH base=\"dc=example,dc=com\"");
    return static_cast<int>(parts.size()) - 1;
  }
  void Add(std::string ldif) {
    slapd_.Modify(ldif.insert(ldif.find('\n') + 1, "changetype: add\n"));
  }
  void MoveTo(const std::string& uid, const std::string& host) {
    slapd_.Modify(DnOf(uid) + "changetype: modify\nreplace: mailHost\n" +
                  "mailHost: " + host + "\n");
  }

  RealSlapd slapd_;
  std::shared_ptr<LdapOptions> options_ = std::make_shared<LdapOptions>();
  RecordingLog log_;
  std::shared_ptr<LiveMap> map_;
  std::unique_ptr<LiveMap::Reader> reader_;
  std::unique_ptr<LiveMapFollower> follower_;
};

TEST_F(LiveMapFollowerTest, LoadsAndFollows) {
  Follow();
  ASSERT_TRUE(AwaitState(LiveMap::State::kLive));
  EXPECT_EQ(HostOf("alice"), "store1");
  EXPECT_EQ(HostOf("carol"), "nobody");
  EXPECT_EQ(map_->entries(), 2u);
  MoveTo("alice", "store9");
  EXPECT_TRUE(AwaitHost("alice", "store9"));
  Add(Person("carol", "store3"));
  EXPECT_TRUE(AwaitHost("carol", "store3"));
  slapd_.Modify(DnOf("bob") + "changetype: delete\n");
  EXPECT_TRUE(AwaitHost("bob", "nobody"));
  // It leaves what is followed, and comes back.
  slapd_.Modify(DnOf("carol") + "changetype: modify\ndelete: objectClass\n" +
                "objectClass: inetLocalMailRecipient\n-\n" +
                "delete: mailHost\n-\ndelete: mailLocalAddress\n");
  EXPECT_TRUE(AwaitHost("carol", "nobody"));
  slapd_.Modify(DnOf("carol") + "changetype: modify\nadd: objectClass\n" +
                "objectClass: inetLocalMailRecipient\n-\n" +
                "add: mailHost\nmailHost: store4\n-\n" +
                "add: mailLocalAddress\nmailLocalAddress: carol@example.com\n");
  EXPECT_TRUE(AwaitHost("carol", "store4"));
  slapd_.Modify(DnOf("alice") + "changetype: modrdn\nnewrdn: uid=alicia\n" +
                "deleteoldrdn: 1\n");
  EXPECT_TRUE(RunUntil([&] {
    const auto found = Find("alice");
    return found && found->entries.front().dn().starts_with("uid=alicia,");
  }));
  EXPECT_THAT(log_.events(), ElementsAre("live_map_complete"));
}

TEST_F(LiveMapFollowerTest, SaysOnceThatAnEntryHasNoRoom) {
  Follow();
  ASSERT_TRUE(AwaitState(LiveMap::State::kLive));
  LdapSyncEntry huge;  // its keys alone don't fit
  huge.sync.state = LdapSyncState::State::kAdd;
  huge.sync.uuid = {1};
  huge.entry = LdapEntry("uid=huge,dc=example,dc=com");
  huge.entry.Add("maillocaladdress");
  for (int i = 0; i < 600'000; ++i) huge.entry.AddValue(std::to_string(i));
  map_->OnEntry(std::move(huge));
  EXPECT_EQ(HostOf("alice"), "?") << "the directory is asked";
  MoveTo("alice", "store9");
  EXPECT_TRUE(AwaitEvent("live_map_overflown"));
  MoveTo("alice", "store8");
  RunFor(absl::Milliseconds(500));
  EXPECT_THAT(log_.events(),
              ElementsAre("live_map_complete", "live_map_overflown"));
}

// slapd tells of the entry that is renamed, and of none below it.
TEST_F(LiveMapFollowerTest, LoadsAnewWhereDnsHaveChangedUnseen) {
  Follow();
  ASSERT_TRUE(AwaitState(LiveMap::State::kLive));
  const auto dn_of_alice = [&] {
    const auto found = Find("alice");
    if (!found || found->entries.empty()) return std::string();
    return std::string(found->entries.front().dn());
  };
  slapd_.Modify(
      "dn: ou=people,dc=example,dc=com\nchangetype: modrdn\n"
      "newrdn: ou=staff\ndeleteoldrdn: 1\n");
  RunFor(absl::Seconds(1));
  EXPECT_EQ(dn_of_alice(), "uid=alice,ou=people,dc=example,dc=com");
  map_->set_outdated();
  EXPECT_TRUE(RunUntil(
      [&] { return dn_of_alice() == "uid=alice,ou=staff,dc=example,dc=com"; }));
  EXPECT_TRUE(AwaitState(LiveMap::State::kLive));
  EXPECT_EQ(map_->entries(), 2u);
  EXPECT_THAT(log_.events(),
              ElementsAre("live_map_complete", "live_map_outdated",
                          "live_map_recovered"));
}

TEST_F(LiveMapFollowerTest, GoesOnAfterARestart) {
  Follow();
  ASSERT_TRUE(AwaitState(LiveMap::State::kLive));
  slapd_.Kill();
  ASSERT_TRUE(AwaitState(LiveMap::State::kAway));
  EXPECT_EQ(HostOf("alice"), "store1");
  EXPECT_EQ(HostOf("carol"), "?");
  slapd_.Start();
  MoveTo("alice", "store5");
  slapd_.Modify(DnOf("bob") + "changetype: delete\n");
  ASSERT_TRUE(AwaitState(LiveMap::State::kLive));
  EXPECT_TRUE(AwaitHost("alice", "store5"));
  EXPECT_TRUE(AwaitHost("bob", "nobody"));
  EXPECT_THAT(log_.events(), ElementsAre("live_map_complete", "live_map_lost",
                                         "live_map_recovered"));
}

// What changed while nobody looked is all that comes.
TEST_F(LiveMapFollowerTest, ResumesFromItsCookie) {
  Follow();
  ASSERT_TRUE(AwaitState(LiveMap::State::kLive));
  const std::string cookie = map_->cookie();
  EXPECT_THAT(cookie, HasSubstr("csn="));
  // A map that knows nothing but the cookie sees the difference.
  follower_ = nullptr;
  MoveTo("alice", "store6");
  Follow(cookie);
  ASSERT_TRUE(AwaitState(LiveMap::State::kLive));
  EXPECT_EQ(HostOf("alice"), "store6");
  EXPECT_EQ(map_->entries(), 1u);
}

// Its cookie is newer than the restored server's state, which says so (53).
TEST_F(LiveMapFollowerTest, GoesBackWithAServerThatIsRestoredFromABackup) {
  slapd_.Stop();
  const std::string backup = slapd_.Dump();
  ASSERT_THAT(backup, HasSubstr("contextCSN: "));
  slapd_.Start();
  Follow();
  ASSERT_TRUE(AwaitState(LiveMap::State::kLive));
  MoveTo("alice", "store9");
  slapd_.Modify(DnOf("bob") + "changetype: delete\n");
  Add(Person("carol", "store3"));
  ASSERT_TRUE(AwaitHost("carol", "store3"));

  slapd_.Stop();
  slapd_.Restore(backup);
  ASSERT_TRUE(AwaitState(LiveMap::State::kAway));
  const int before = RefreshesAsked();
  slapd_.Start();
  EXPECT_THAT(HostsUntilLive("alice"), UnorderedElementsAre("store9", "store1"))
      << "it serves what it knows until it knows better";
  EXPECT_EQ(HostOf("alice"), "store1");
  EXPECT_EQ(HostOf("bob"), "store2");
  EXPECT_EQ(HostOf("carol"), "nobody");
  EXPECT_EQ(RefreshesAsked() - before, 2)
      << "from its cookie, and from scratch";
  EXPECT_THAT(log_.events(),
              ElementsAre("live_map_complete", "live_map_lost",
                          "live_map_cookie_refused", "live_map_recovered"));
  EXPECT_THAT(log_.text(), HasSubstr("consumer state is newer than provider!"));
  MoveTo("bob", "store7");
  EXPECT_TRUE(AwaitHost("bob", "store7"));
}

// The others may bring it up: only when none goes on everything comes anew.
TEST_F(LiveMapFollowerTest, GoesOnWithAnotherReplicaWhereOneIsRestored) {
  slapd_.Stop();
  const std::string backup = slapd_.Dump();
  slapd_.Start();
  Follow();
  ASSERT_TRUE(AwaitState(LiveMap::State::kLive));
  MoveTo("alice", "store9");
  ASSERT_TRUE(AwaitHost("alice", "store9"));
  const std::string cookie = map_->cookie();
  follower_ = nullptr;
  slapd_.Stop();
  RealSlapd other(SlapdOptions(kSyncprov));
  other.Stop();
  other.Restore(slapd_.Dump());
  other.Start();
  slapd_.Restore(backup);
  slapd_.Start();

  options_->urls.push_back(other.url());
  Follow(cookie);
  ASSERT_TRUE(AwaitState(LiveMap::State::kLive));
  EXPECT_THAT(log_.text(), HasSubstr("consumer state is newer than provider!"));
  EXPECT_THAT(log_.text(), HasSubstr("url=" + other.url()));
  EXPECT_THAT(log_.events(), Not(Contains("live_map_cookie_refused")));
}

// All its entries are newer than the cookie, and with `syncprov-reloadhint` it
// says that it can't tell what has changed (e-syncRefreshRequired).
class LiveMapReloadHintTest : public LiveMapFollowerTest {
 protected:
  LiveMapReloadHintTest()
      : LiveMapFollowerTest(std::string(kSyncprov) +
                            "syncprov-reloadhint TRUE\n") {}
};

TEST_F(LiveMapReloadHintTest, BeginsAnewWithAServerThatWasLoadedAnew) {
  Follow();
  ASSERT_TRUE(AwaitState(LiveMap::State::kLive));
  slapd_.Stop();
  RunFor(absl::Seconds(1.1));  // slapadd dates entries by whole seconds
  slapd_.Restore(RealSlapd::SuffixLdif() + Person("alice", "store9") +
                 Person("carol", "store3"));
  ASSERT_TRUE(AwaitState(LiveMap::State::kAway));
  const int before = RefreshesAsked();
  slapd_.Start();
  EXPECT_THAT(HostsUntilLive("alice"), IsSubsetOf({"store1", "store9"}));
  EXPECT_EQ(HostOf("alice"), "store9");
  EXPECT_EQ(HostOf("bob"), "nobody");
  EXPECT_EQ(HostOf("carol"), "store3");
  EXPECT_EQ(map_->entries(), 2u);
  EXPECT_EQ(RefreshesAsked() - before, 2);
  EXPECT_THAT(slapd_.Log(), HasSubstr("err=4096"));
  EXPECT_THAT(log_.events(),
              ElementsAre("live_map_complete", "live_map_lost",
                          "live_map_cookie_refused", "live_map_recovered"));
}

// slapd says e-syncRefreshRequired at the next change anywhere.
TEST_F(LiveMapFollowerTest, KeepsWhatItKnowsWhileItsBaseIsGone) {
  options_->account_base_dn = "ou=people,dc=example,dc=com";
  const auto rename = [&](const std::string& from, const std::string& to) {
    slapd_.Modify("dn: ou=" + from + ",dc=example,dc=com\n" +
                  "changetype: modrdn\nnewrdn: ou=" + to +
                  "\ndeleteoldrdn: 1\n");
  };
  Follow();
  ASSERT_TRUE(AwaitState(LiveMap::State::kLive));
  rename("people", "staff");
  slapd_.Modify(
      "dn: dc=example,dc=com\nchangetype: modify\nreplace: o\no: Other\n");
  ASSERT_TRUE(AwaitEvent("live_map_cookie_refused"));
  RunFor(absl::Seconds(1));
  EXPECT_EQ(map_->state(), LiveMap::State::kAway);
  EXPECT_EQ(HostOf("alice"), "store1");
  rename("staff", "people");
  ASSERT_TRUE(AwaitState(LiveMap::State::kLive));
  EXPECT_EQ(HostOf("alice"), "store1");
  EXPECT_THAT(log_.text(), HasSubstr("search base has changed"));
}

TEST_F(LiveMapFollowerTest, LeavesAHangingReplicaForTheNext) {
  RealSlapd other(SlapdOptions(kSyncprov));
  options_->urls.push_back(other.url());
  Follow();
  ASSERT_TRUE(AwaitState(LiveMap::State::kLive));
  slapd_.Pause();
  EXPECT_TRUE(AwaitState(LiveMap::State::kAway));
  EXPECT_TRUE(AwaitState(LiveMap::State::kLive));
  EXPECT_THAT(log_.text(), HasSubstr(slapd_.url() + ": no answer"));
  slapd_.Continue();
  other.Modify(DnOf("bob") + "changetype: modify\nreplace: mailHost\n" +
               "mailHost: store8\n");
  EXPECT_TRUE(AwaitHost("bob", "store8"));
}

TEST_F(LiveMapFollowerTest, StaysOnAQuietConnection) {
  Follow();
  ASSERT_TRUE(AwaitState(LiveMap::State::kLive));
  RunFor(absl::Seconds(7));  // it has asked whether anybody is there
  EXPECT_EQ(map_->state(), LiveMap::State::kLive);
  EXPECT_THAT(slapd_.Log(), HasSubstr("SRCH base=\"\" scope=0"));
  EXPECT_THAT(log_.events(), ElementsAre("live_map_complete"));
}

TEST_F(LiveMapFollowerTest, StartsBeforeItsDirectory) {
  slapd_.Stop();
  Follow();
  ASSERT_TRUE(AwaitEvent("live_map_lost"));
  EXPECT_EQ(HostOf("alice"), "?");
  slapd_.Start();
  EXPECT_TRUE(AwaitHost("alice", "store1"));
}

// A server that says what slapd seldom does, octet by octet.
class ScriptedServer {
 public:
  // `answers` come each for one request.
  ScriptedServer(Network& network, std::vector<std::string> answers)
      : answers_(std::move(answers)) {
    auto listener = network.Listen(
        *SocketAddress::Parse("127.0.0.1", 0), {},
        [this](std::unique_ptr<Stream> stream) { Serve(std::move(stream)); });
    EXPECT_TRUE(listener.ok()) << listener.status();
    listener_ = *std::move(listener);
  }

  std::string url() const { return "ldap://" + listener_->local().ToString(); }
  const std::vector<std::string>& requests() const { return requests_; }

 private:
  void Serve(std::unique_ptr<Stream> stream) {
    end_.Take(std::move(stream));
    end_.handler.on_data = [this] {
      requests_.push_back(std::exchange(end_.handler.data, ""));
      if (requests_.size() > answers_.size()) return;
      end_.stream->Write(answers_[requests_.size() - 1]);
    };
    end_.stream->ResumeReading();
  }

  const std::vector<std::string> answers_;
  std::vector<std::string> requests_;
  std::unique_ptr<Listener> listener_;
  TestEnd end_;
};

constexpr std::string_view kBound(
    "\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x00\x04\x00\x04\x00", 14);
// e-syncRefreshRequired, to the second request.
constexpr std::string_view kRefreshRequired(
    "\x30\x0d\x02\x01\x02\x65\x08\x0a\x02\x10\x00\x04\x00\x04\x00", 15);
// refreshPresent, with refreshDone, to the third.
constexpr std::string_view kNothingThere(
    "\x30\x23\x02\x01\x03\x79\x1e\x80\x18"
    "1.3.6.1.4.1.4203.1.9.1.4"
    "\x81\x02\xa2\x00",
    37);

TEST_F(LiveMapFollowerTest, BeginsAnewWhereItsCookieIsTooOld) {
  ScriptedServer server(*network_,
                        {std::string(kBound), std::string(kRefreshRequired),
                         std::string(kNothingThere)});
  options_->urls = {server.url()};
  Follow("too-old");
  ASSERT_TRUE(AwaitState(LiveMap::State::kLive));
  ASSERT_EQ(server.requests().size(), 3u);
  EXPECT_THAT(server.requests()[1], HasSubstr("too-old"));
  EXPECT_THAT(server.requests()[2], Not(HasSubstr("too-old")));
  EXPECT_EQ(HostOf("alice"), "nobody");
}

// Whatever a server says, everything comes anew once a minute at most.
TEST_F(LiveMapFollowerTest, DoesNotBeginAnewOverAndOver) {
  std::string there_then_not(
      "\x30\x28\x02\x01\x03\x79\x23\x80\x18"
      "1.3.6.1.4.1.4203.1.9.1.4"
      "\x81\x07\xa2\x05\x04\x03new",
      42);
  there_then_not += kRefreshRequired;
  there_then_not[there_then_not.size() - kRefreshRequired.size() + 4] = 3;
  ScriptedServer server(
      *network_,
      {std::string(kBound), std::string(kRefreshRequired), there_then_not});
  options_->urls = {server.url()};
  Follow("too-old");
  ASSERT_TRUE(AwaitEvent("live_map_lost"));
  EXPECT_THAT(log_.events(),
              ElementsAre("live_map_cookie_refused", "live_map_complete",
                          "live_map_cookie_refused", "live_map_lost"));
  RunFor(absl::Seconds(2));
  EXPECT_EQ(server.requests().size(), 4u) << "the last is its farewell";
  EXPECT_EQ(map_->state(), LiveMap::State::kAway);
}

TEST_F(LiveMapFollowerTest, LeavesAServerThatSpeaksNonsense) {
  std::string nonsense(kNothingThere);
  nonsense[4] = 2;           // to the second request
  nonsense.back() = '\x7f';  // a length that isn't there
  ScriptedServer server(*network_, {std::string(kBound), nonsense});
  options_->urls = {server.url(), slapd_.url()};
  Follow();
  EXPECT_TRUE(AwaitHost("alice", "store1"));
  EXPECT_THAT(log_.text(), HasSubstr("synchronisation"));
}

class LiveMapWithoutSyncprovTest : public LiveMapFollowerTest {
 protected:
  LiveMapWithoutSyncprovTest() : LiveMapFollowerTest("") {}
};

TEST_F(LiveMapWithoutSyncprovTest, SaysWhyNothingIsFollowed) {
  Follow();
  ASSERT_TRUE(AwaitEvent("live_map_lost"));
  EXPECT_THAT(log_.text(), HasSubstr("Critical extension is unavailable"));
  EXPECT_EQ(HostOf("alice"), "?");
}

}  // namespace
}  // namespace gatehouse
