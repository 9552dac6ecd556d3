#include "lib/server/local_map_file.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "lib/server/local_map_watch.h"
#include "lib/testing/recording_log.h"

namespace gatehouse {
namespace {

TEST(LocalMapFileTest, NamesThePlaceAndTheFault) {
  const struct {
    const char* text;
    const char* fault;
  } kCases[] = {
      {R"({"users": {"a@b": {"host": "0177.1"}}})",
       "u.json: /users/a@b/host: \"0177.1\" is not a host (\"name\", "
       "\"name:port\", \"imaps://name:port\")"},
      {R"({"users": {"a@b": {"host": "gopher://x"}}})",
       "u.json: /users/a@b/host: \"gopher://x\" is not a host (\"name\", "
       "\"name:port\", \"imaps://name:port\")"},
      {R"({"patterns": [{"match": "(", "host": "x"}]})",
       "u.json: /patterns/0/match: missing ): ("},
      {R"({"patterns": [{"host": "x"}]})",
       "u.json: /patterns/0/match: missing"},
      {R"({"users": {"a@b": {"hots": "x"}}})",
       "u.json: /users/a@b/hots: unknown key"},
      {R"({"users": {"a@b": 1}})",
       "u.json: /users/a@b: a number (should be an object)"},
      {R"({"users": {"a@b": {}, "A@B": {}}})",
       "u.json: /users/a@b: stands here twice (case doesn't count)"},
      {R"({"users": {"@b": {"password": "x"}}})",
       "u.json: /users/@b/password: an entry for a whole domain has none"},
      {R"({"user": {}})", "u.json: /user: unknown key"},
  };
  for (const auto& c : kCases) {
    EXPECT_EQ(ParseLocalMap(c.text, "imap", "u.json").faults,
              std::vector<std::string>{c.fault});
  }
}

TEST(LocalMapFileTest, ReadsUris) {
  const auto map = ParseLocalMap(
                       R"({"users": {"a@b": {"host": "imaps://x:9993"},
                                     "c@d": {"host": "imap://y"},
                                     "e@f": {"host": "pop3s://z:995"}}})",
                       "imap", "u.json")
                       .map;
  ASSERT_TRUE(map);
  EXPECT_EQ(map->Find("a@b")->location->host, (Endpoint{"x", 9993}));
  EXPECT_TRUE(*map->Find("a@b")->location->implicit_tls);
  EXPECT_FALSE(map->Find("c@d")->location->implicit_tls.has_value());
  EXPECT_EQ(map->Find("e@f")->location->host, (Endpoint{"z", 0}));
}

// The host that `name` is routed to by `text`; "" where there is none.
std::string HostOf(std::string_view text, std::string_view name) {
  const LocalMapResult result = ParseLocalMap(std::string(text), "imap", "t");
  EXPECT_TRUE(result.faults.empty()) << result.faults.front();
  if (result.map == nullptr) return "";
  const LocalMap::Entry* entry = result.map->Find(name);
  if (entry == nullptr || !entry->location->host) return "";
  return entry->location->host->ToString();
}

TEST(LocalMapFileTest, AsksTheNameThenThePatternsInOrderThenTheDomain) {
  constexpr char kJson[] = R"(// As JSON.
      {"users": {"amy@a": {"host": "x1:1"}, "@a": {"host": "x4:4"}},
       "patterns": [{"match": "a.*@a", "host": "x2:2"},
                    {"match": ".b*@a", "host": "x3:3"}]})";
  constexpr char kTable[] =
      "# As a table.\n"
      "amy@a x1:1\r\n"
      "\n"
      "/a.*@a/\tx2:2\n"
      "/.b*@a/   x3:3\n"
      "  @a x4:4";
  for (const char* text : {kJson, kTable}) {
    EXPECT_EQ(HostOf(text, "AMY@a"), "x1:1");
    EXPECT_EQ(HostOf(text, "Abb@a"), "x2:2");
    EXPECT_EQ(HostOf(text, "bbb@a"), "x3:3");
    EXPECT_EQ(HostOf(text, "carl@a"), "x4:4");
    // The whole name is to match, not a part of it.
    EXPECT_EQ(HostOf(text, "amy@a.evil"), "");
  }
}

TEST(LocalMapFileTest, ReadsTablesOfNamesHostsAndHashes) {
  const auto map = ParseLocalMap(
                       "Alice@a imaps://x:9993 $6$x\n"
                       "bob@a - $1$y\n"
                       "@a x\n",
                       "imap", "t")
                       .map;
  ASSERT_TRUE(map);
  const LocalMap::Entry* alice = map->FindExact("alice@A");
  ASSERT_NE(alice, nullptr);
  EXPECT_EQ(alice->user, "Alice@a");
  EXPECT_EQ(alice->LocationOf("alice@A")->addresses,
            std::vector<std::string>{"Alice@a"});
  EXPECT_EQ(alice->location->host, (Endpoint{"x", 9993}));
  EXPECT_EQ(alice->location->implicit_tls, true);
  EXPECT_EQ(alice->password_hash, "$6$x");
  const LocalMap::Entry* bob = map->FindExact("bob@a");
  ASSERT_NE(bob, nullptr);
  EXPECT_EQ(bob->location->host, std::nullopt);
  EXPECT_EQ(bob->password_hash, "$1$y");
}

TEST(LocalMapFileTest, NamesTheLineOfATablesFault) {
  const struct {
    const char* text;
    const char* fault;
  } kCases[] = {
      {"a@b x\n\nc@d\n", "t: line 3: a name without a host (\"-\" for none)"},
      {"a@b 0177.1",
       "t: line 1: \"0177.1\" is not a host (\"name\", \"name:port\", "
       "\"imaps://name:port\")"},
      {"a@b x $1$ y",
       "t: line 1: more than a name, a host and a password's hash"},
      {"a@b x\nA@b y", "t: line 2: \"A@b\" stands here twice"},
      {"@b x $1$y", "t: line 1: an entry for many names has no password"},
      {"/a/ x $1$y", "t: line 1: an entry for many names has no password"},
      {"/a x", "t: line 1: an expression that doesn't end in a slash"},
      {"/a(/ x", "t: line 1: missing ): a("},
      {"", "t: no entries"},
      {"# nothing\n", "t: no entries"},
  };
  for (const auto& c : kCases) {
    const LocalMapResult result = ParseLocalMap(c.text, "imap", "t");
    EXPECT_EQ(result.map, nullptr);
    EXPECT_EQ(result.faults, std::vector<std::string>{c.fault});
  }
}

TEST(LocalMapFileTest, StopsLookingAfterSomeFaults) {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += "not a table line at all\n";
  const LocalMapResult result = ParseLocalMap(text, "imap", "t");
  EXPECT_LT(result.faults.size(), 30u);
  EXPECT_EQ(result.faults.back(), "t: too many faults to look further");
}

// "user host" for each move from one table to another, in order.
std::vector<std::string> MovesOf(std::string_view before,
                                 std::string_view after) {
  const auto from = ParseLocalMap(std::string(before), "imap", "t").map;
  const auto to = ParseLocalMap(std::string(after), "imap", "t").map;
  std::vector<std::string> moves;
  for (const Move& move : to->MovesFrom(*from)) {
    moves.push_back(move.user + " " +
                    (move.host ? move.host->ToString() : "default"));
  }
  std::sort(moves.begin(), moves.end());
  return moves;
}

TEST(LocalMapFileTest, TellsWhichAccountsHaveMoved) {
  using List = std::vector<std::string>;
  EXPECT_EQ(
      MovesOf("Amy@a x1\nbob@a x1\n@a x1\n", "amy@a x2\nbob@a x1\n@a x1\n"),
      List{"Amy@a x2"})
      << "by the name that her sessions have";
  EXPECT_EQ(MovesOf("amy@a x1:143\n", "amy@a x1:1143\n"),
            List{"amy@a x1:1143"});
  // Entries that come and go, where a domain or a pattern has the name too.
  EXPECT_EQ(MovesOf("@a x1\n", "@a x1\namy@a x2\nbob@a x1\n"),
            List{"amy@a x2"});
  EXPECT_EQ(MovesOf("amy@a x1\nbob@a x1\n", "/a.*/ x2\n@b x1\n"),
            List{"amy@a x2"});
  EXPECT_EQ(MovesOf("amy@a x1\n", "amy@a -\n"), List{"amy@a default"});
  // Nobody can say where he is now.
  EXPECT_EQ(MovesOf("bob@a x1\n", "amy@a x1\n"), List{});
}

class LocalMapReloaderTest : public testing::Test {
 protected:
  LocalMapReloaderTest() {
    Write("a@b x1\n");
    LocalMapResult read = ReadLocalMap(path_, "imap");
    file_->file = path_;
    file_->version = read.version;
    file_->map.Store(read.map);
  }

  // Each file has a time of its own, however quickly they follow.
  void Write(std::string_view text) {
    std::ofstream(path_, std::ios::binary) << text;
    Age();
  }
  void Age() {
    std::filesystem::last_write_time(
        path_,
        std::filesystem::file_time_type() + std::chrono::seconds(++writes_));
  }

  std::string Host() const {
    const auto map = file_->map.published().Load();
    return map->Find("a@b")->location->host->ToString();
  }

  const std::string path_ =
      std::string(std::getenv("TEST_TMPDIR")) + "/map.table";
  int writes_ = 0;
  std::shared_ptr<LocalMapFile> file_ = std::make_shared<LocalMapFile>();
  RecordingLog log_;
};

TEST_F(LocalMapReloaderTest, ReadsAChangedFileOnceItStandsStill) {
  LocalMapReloader reloader({file_}, log_);
  reloader.Look();
  reloader.Look();
  EXPECT_TRUE(log_.events().empty());
  Write("a@b x2");  // half of what is to come
  reloader.Look();
  Write("a@b x22\n");
  reloader.Look();
  EXPECT_EQ(Host(), "x1");
  reloader.Look();
  EXPECT_EQ(Host(), "x22");
  EXPECT_EQ(log_.events(), std::vector<std::string>{"local_map_reloaded"});
}

TEST_F(LocalMapReloaderTest, KeepsTheOldMapAndSaysWhereTheFaultIs) {
  LocalMapReloader reloader({file_}, log_);
  Write("a@b x2\nc@d\n");
  for (int i = 0; i < 4; ++i) reloader.Look();
  EXPECT_EQ(Host(), "x1");
  EXPECT_EQ(log_.events(), std::vector<std::string>{"local_map_refused"})
      << "said once";
  EXPECT_NE(log_.text().find("map.table: line 2: a name without a host"),
            std::string::npos)
      << log_.text();
  std::filesystem::remove(path_);
  for (int i = 0; i < 4; ++i) reloader.Look();
  EXPECT_EQ(Host(), "x1");
  Write("a@b x3\n");
  for (int i = 0; i < 2; ++i) reloader.Look();
  EXPECT_EQ(Host(), "x3");
}

TEST_F(LocalMapReloaderTest, SeesAFilePutInThePlaceOfAnother) {
  LocalMapReloader reloader({file_}, log_);
  std::ofstream(path_ + ".new") << "a@b x4\n";
  std::filesystem::rename(path_ + ".new", path_);
  for (int i = 0; i < 2; ++i) reloader.Look();
  EXPECT_EQ(Host(), "x4");
}

TEST_F(LocalMapReloaderTest, TheThreadLooksByItselfAndEnds) {
  LocalMapWatch watch({file_}, log_);
  Write("a@b x5\n");
  for (int i = 0; i < 1000 && Host() != "x5"; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_EQ(Host(), "x5");
}

}  // namespace
}  // namespace gatehouse
