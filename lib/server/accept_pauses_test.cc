#include "lib/server/accept_pauses.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "lib/testing/recording_log.h"

namespace gatehouse {
namespace {

using Events = std::vector<std::string>;

TEST(AcceptPausesTest, WritesALineForAllListenersTogether) {
  RecordingLog log;
  AcceptPauses pauses(log, "imap");
  pauses.OnAcceptPaused("Too many open files");
  pauses.OnAcceptPaused("Too many open files");
  pauses.OnAcceptResumed();
  EXPECT_EQ(log.events(), Events{"accept_paused"});
  pauses.OnAcceptResumed();
  EXPECT_EQ(log.events(), (Events{"accept_paused", "accept_resumed"}));
  EXPECT_NE(log.text().find("detail=Too many open files\n"), std::string::npos);
}

TEST(AcceptPausesTest, TellsOfEachPauseAnew) {
  RecordingLog log;
  AcceptPauses pauses(log, "imap");
  for (int i = 0; i < 2; ++i) {
    pauses.OnAcceptPaused("Too many open files");
    pauses.OnAcceptResumed();
  }
  EXPECT_EQ(log.events().size(), 4u);
}

}  // namespace
}  // namespace gatehouse
