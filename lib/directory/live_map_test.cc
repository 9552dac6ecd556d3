// What a server sends, without one: the phases of a refresh, and what the map
// answers meanwhile.

#include "lib/directory/live_map.h"

#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace gatehouse {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Le;
using State = LdapSyncState::State;

constexpr char kSuffix[] = ",dc=example,dc=com";

EntryUuid Uuid(char number) {
  EntryUuid uuid = {};
  uuid[7] = number;
  return uuid;
}

class LiveMapTest : public ::testing::Test {
 protected:
  LiveMapTest() {
    auto options = std::make_shared<LdapOptions>();
    options->urls = {"ldap://127.0.0.1:1"};
    options->account_filter = "(&(objectClass=*)(|(uid=%u)(mail=%e)))";
    options->moving_attribute = "carLicense";
    auto made = LiveMap::Create(std::move(options),
                                {absl::Seconds(60), absl::Hours(1)});
    EXPECT_TRUE(made.ok()) << made.status();
    map_ = *std::move(made);
    reader_ = std::make_unique<LiveMap::Reader>(*map_);
    map_->moves().Subscribe([this](const Moves& moves) {
      for (const Move& move : *moves) {
        moves_.push_back(move.user + " " +
                         (move.host ? move.host->ToString() : "default"));
      }
    });
  }

  void Send(State state, char number, const std::string& uid = "",
            const std::string& host = "", const std::string& moving = "") {
    LdapSyncEntry event;
    event.sync.state = state;
    event.sync.uuid = Uuid(number);
    if (!uid.empty()) {
      event.entry = LdapEntry("uid=" + uid + kSuffix);
      event.entry.Add("uid", {uid});
      event.entry.Add("mail", {uid + "@example.com"});
    }
    if (!host.empty()) event.entry.Add("mailhost", {host});
    if (!moving.empty()) event.entry.Add("carlicense", {moving});
    map_->OnEntry(std::move(event));
  }
  bool EndPresentPhase(bool done = true, const std::string& cookie = "") {
    return map_->OnInfo(LdapSyncPhaseEnd{false, done, cookie});
  }
  bool EndDeletePhase(const std::string& cookie = "") {
    return map_->OnInfo(LdapSyncPhaseEnd{true, true, cookie});
  }
  void Load() {
    map_->BeginRefresh();
    Send(State::kAdd, 1, "alice", "store1");
    Send(State::kAdd, 2, "bob", "store2");
    EXPECT_TRUE(EndPresentPhase(true, "first"));
  }

  // "?": the directory must be asked; "": there is nobody.
  static std::string Told(const std::optional<LdapFound>& found) {
    if (!found) return "?";
    std::string text;
    for (const LdapEntry& entry : found->entries) {
      text += std::string(entry.Values("uid").front()) + " " +
              std::string(entry.Values("mailHost").front()) + ";";
    }
    return text + (found->more ? "more" : "");
  }
  std::string Find(const std::string& user,
                   absl::Duration later = absl::ZeroDuration()) {
    return Told(
        reader_->Find({user, "example.com"}, [&] { return now_ + later; }));
  }
  std::string FindStale(const std::string& user, absl::Duration later) {
    return Told(reader_->FindStale({user, "example.com"},
                                   [&] { return now_ + later; }));
  }

  const absl::Time now_ = absl::FromUnixSeconds(1'700'000'000);
  std::shared_ptr<LiveMap> map_;
  std::unique_ptr<LiveMap::Reader> reader_;
  std::vector<std::string> moves_;
};

TEST_F(LiveMapTest, AsksForWhatAReadingMayLookAt) {
  EXPECT_EQ(map_->search().filter, "(&(objectClass=*)(|(uid=*)(mail=*)))");
  EXPECT_THAT(map_->search().attributes,
              ElementsAre("mailhost", "maillocaladdress", "mailroutingaddress",
                          "carlicense", "uid", "mail"));
}

TEST_F(LiveMapTest, AnswersNothingBeforeItIsComplete) {
  EXPECT_EQ(Find("alice"), "?");
  map_->BeginRefresh();
  Send(State::kAdd, 1, "alice", "store1");
  EXPECT_EQ(Find("alice"), "?");
  EXPECT_EQ(FindStale("alice", absl::ZeroDuration()), "?");
  EXPECT_FALSE(EndPresentPhase(/*done=*/false));
  EXPECT_EQ(Find("alice"), "?");
  EXPECT_TRUE(EndDeletePhase());
  EXPECT_EQ(Find("alice"), "alice store1;");
  EXPECT_EQ(map_->state(), LiveMap::State::kLive);
}

TEST_F(LiveMapTest, ShowsWhereSomeMailboxesAre) {
  const auto hosts = [&](size_t most) {
    std::set<std::string> hosts;
    for (const Location& location : reader_->SampleLocations(most)) {
      hosts.insert(location.host->host);
    }
    return hosts;
  };
  map_->BeginRefresh();
  Send(State::kAdd, 1, "alice", "store1");
  EXPECT_THAT(hosts(9), IsEmpty()) << "not complete";
  Send(State::kAdd, 2, "bob", "store2");
  Send(State::kAdd, 3, "carol");
  ASSERT_TRUE(EndPresentPhase());
  EXPECT_THAT(hosts(9), ElementsAre("store1", "store2"));
  EXPECT_THAT(reader_->SampleLocations(1).size(), Le(1u));
  Send(State::kDelete, 1);
  EXPECT_THAT(hosts(9), ElementsAre("store2"));
}

TEST_F(LiveMapTest, FollowsChanges) {
  Load();
  EXPECT_EQ(Find("ALICE"), "alice store1;");
  EXPECT_EQ(Find("carol"), "");
  Send(State::kAdd, 3, "carol", "store1");
  Send(State::kModify, 1, "alice", "store3");
  Send(State::kDelete, 2);
  EXPECT_EQ(Find("carol"), "carol store1;");
  EXPECT_EQ(Find("alice"), "alice store3;");
  EXPECT_EQ(Find("bob"), "");
  map_->OnInfo(LdapSyncIdSet{true, {Uuid(1), Uuid(9)}, ""});
  EXPECT_EQ(Find("alice"), "");
  EXPECT_EQ(map_->entries(), 1u);
}

TEST_F(LiveMapTest, GivesAllEntriesOfOneNameUpToTheLimit) {
  Load();
  Send(State::kAdd, 3, "Alice", "store9");
  EXPECT_THAT(Find("alice"), testing::AnyOf("alice store1;Alice store9;",
                                            "Alice store9;alice store1;"));
}

TEST_F(LiveMapTest, DropsWhatThePresentPhaseDoesNotName) {
  Load();
  map_->BeginRefresh();
  Send(State::kPresent, 1);
  EXPECT_FALSE(EndPresentPhase()) << "it was live all the time";
  EXPECT_EQ(Find("alice"), "alice store1;");
  EXPECT_EQ(Find("bob"), "");
  map_->BeginRefresh();
  map_->OnInfo(LdapSyncIdSet{false, {Uuid(1)}, ""});
  Send(State::kAdd, 5, "eve", "store5");
  EndPresentPhase();
  EXPECT_EQ(Find("alice"), "alice store1;");
  EXPECT_EQ(Find("eve"), "eve store5;");
}

TEST_F(LiveMapTest, KeepsWhatTheDeletePhaseDoesNotName) {
  Load();
  map_->OnLost(now_);
  map_->BeginRefresh();
  Send(State::kDelete, 2);
  EXPECT_TRUE(EndDeletePhase());
  EXPECT_EQ(Find("alice"), "alice store1;");
  EXPECT_EQ(Find("bob"), "");
}

// As slapd ends it: with the delete phase, which it has nothing to say in.
TEST_F(LiveMapTest, DropsWhatARefreshOfEverythingDoesNotBring) {
  Load();
  map_->OnLost(now_);
  map_->ForgetCookie();
  map_->BeginRefresh();
  Send(State::kAdd, 1, "alice", "store3");
  EXPECT_EQ(Find("alice"), "alice store3;");
  EXPECT_EQ(Find("bob"), "bob store2;") << "may come yet";
  EXPECT_TRUE(EndDeletePhase("second"));
  EXPECT_EQ(Find("alice"), "alice store3;");
  EXPECT_EQ(Find("bob"), "");
  EXPECT_EQ(map_->cookie(), "second");
}

TEST_F(LiveMapTest, BeginsARefreshOfEverythingAgainWhereItWasCutOff) {
  Load();
  map_->OnLost(now_);
  map_->ForgetCookie();
  map_->BeginRefresh();
  Send(State::kAdd, 1, "alice", "store3");
  map_->OnInfo(LdapSyncNewCookie{"half"});
  map_->BeginRefresh();
  EXPECT_EQ(map_->cookie(), "");
  Send(State::kAdd, 1, "alice", "store3");
  EXPECT_TRUE(EndDeletePhase("second"));
  EXPECT_EQ(Find("bob"), "");
  map_->BeginRefresh();
  EXPECT_EQ(map_->cookie(), "second");
  EndDeletePhase();
  EXPECT_EQ(Find("alice"), "alice store3;");
}

TEST_F(LiveMapTest, ServesForATimeWhenLost) {
  Load();
  map_->OnLost(now_);
  EXPECT_EQ(Find("alice", absl::Seconds(59)), "alice store1;");
  EXPECT_EQ(Find("carol", absl::Seconds(59)), "?") << "may have come since";
  EXPECT_EQ(Find("alice", absl::Seconds(60)), "?") << "the directory is asked";
  EXPECT_EQ(FindStale("alice", absl::Minutes(59)), "alice store1;");
  EXPECT_EQ(FindStale("carol", absl::Minutes(59)), "?");
  EXPECT_EQ(FindStale("alice", absl::Minutes(60)), "?");
  EXPECT_EQ(map_->Age(now_ + absl::Seconds(5)), absl::Seconds(5));
  map_->BeginRefresh();
  EXPECT_EQ(Find("alice", absl::Seconds(59)), "alice store1;");
  EXPECT_EQ(Find("carol"), "?");
  EXPECT_TRUE(EndDeletePhase());
  EXPECT_EQ(Find("carol", absl::Hours(5)), "");
}

TEST_F(LiveMapTest, GoesOnFromTheLatestCookie) {
  EXPECT_EQ(map_->cookie(), "");
  Load();
  EXPECT_EQ(map_->cookie(), "first");
  Send(State::kDelete, 2);
  EXPECT_EQ(map_->cookie(), "first");
  map_->OnInfo(LdapSyncNewCookie{"second"});
  EXPECT_EQ(map_->cookie(), "second");
  map_->ForgetCookie();
  EXPECT_EQ(map_->cookie(), "");
}

// Everything comes anew; what was there serves meanwhile, and goes after.
TEST_F(LiveMapTest, ReloadsBesideWhatItServes) {
  Load();
  map_->OnLost(now_);
  map_->ForgetCookie();
  map_->BeginRefresh();
  Send(State::kAdd, 2, "bob", "store7");
  EXPECT_EQ(Find("alice"), "alice store1;");
  EXPECT_TRUE(EndPresentPhase());
  EXPECT_EQ(Find("alice"), "");
  EXPECT_EQ(Find("bob"), "bob store7;");
  EXPECT_THAT(moves_, ElementsAre("bob store7", "bob@example.com store7"));
}

TEST_F(LiveMapTest, TellsMovesUnderEveryNameOfASession) {
  Load();
  EXPECT_THAT(moves_, IsEmpty());
  Send(State::kModify, 1, "alice", "store1");
  Send(State::kModify, 1, "alice", "store1", "TRUE");
  EXPECT_THAT(moves_, IsEmpty());
  Send(State::kModify, 1, "alice", "store4");
  EXPECT_THAT(moves_, ElementsAre("alice store4", "alice@example.com store4"));
  moves_.clear();
  Send(State::kModify, 1, "alice");
  EXPECT_THAT(moves_,
              ElementsAre("alice default", "alice@example.com default"));
}

TEST_F(LiveMapTest, TellsThatAMailboxMovesNoLonger) {
  Load();
  Send(State::kModify, 1, "alice", "store1", "TRUE");
  Send(State::kModify, 1, "alice", "store1", "FALSE");
  EXPECT_THAT(moves_, ElementsAre("alice store1", "alice@example.com store1"));
}

TEST_F(LiveMapTest, LeavesUnusualEntriesToTheDirectory) {
  Load();
  Send(State::kAdd, 3, "al\xc2\xadice", "store9");
  EXPECT_EQ(Find("alice"), "?") << "LDAP finds both";
  EXPECT_EQ(Find("j\xc3\xb6rg"), "?");
  EXPECT_EQ(Find("bob"), "bob store2;");
  Send(State::kDelete, 3);
  EXPECT_EQ(Find("alice"), "alice store1;");
}

TEST_F(LiveMapTest, LeavesTheUnknownToTheDirectoryWherePartsAreElsewhere) {
  Load();
  LdapSyncEntry reference;
  reference.sync.state = State::kAdd;
  reference.sync.uuid = Uuid(8);
  reference.is_reference = true;
  map_->OnEntry(std::move(reference));
  EXPECT_EQ(Find("carol"), "?");
  EXPECT_EQ(Find("alice"), "alice store1;");
}

}  // namespace
}  // namespace gatehouse
