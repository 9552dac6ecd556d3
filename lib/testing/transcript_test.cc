#include "lib/testing/transcript.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/testing/chop.h"
#include "lib/testing/toy_protocol.h"

namespace gatehouse {
namespace {

using ::testing::HasSubstr;

// The toy protocol ends its lines in LF.
constexpr std::string_view kLogin = R"(% downstream
% plaintext_login_allowed
S- HELLO\n
C- LOGIN bob pw\n
= LoginAttempt LOGIN user=bob secret=pw
= Paused
! refuse credentials
S- NO credentials\n
C- LOGIN bob pw2\n
= LoginAttempt LOGIN user=bob secret=pw2
! accept A | B
S- OK A B\n
)";

TEST(TranscriptTest, PlaysALoginThreeWays) {
  for (const Chopping chopping :
       {Chopping::kWhole, Chopping::kByteByByte, Chopping::kTrailing}) {
    EXPECT_EQ(PlayTranscript(ToyProtocol(), kLogin, chopping), "");
  }
}

TEST(TranscriptTest, ChecksWhatTrails) {
  const std::string text = std::string(kLogin) + "! trailing NOOP\\n\n";
  EXPECT_THAT(PlayTranscript(ToyProtocol(), text, Chopping::kWhole),
              HasSubstr("trailing: expected NOOP"));
}

TEST(TranscriptTest, PlaysUpstreams) {
  constexpr std::string_view kUpstream = R"(% upstream
% login password bob pw
S- HELLO\n
C- LOGIN bob pw\n
S- NO credentials\n
= Failed credentials refused
)";
  EXPECT_EQ(PlayTranscript(ToyProtocol(), kUpstream, Chopping::kByteByByte),
            "");
}

TEST(TranscriptTest, NamesTheLineThatDiffers) {
  const std::string fault = PlayTranscript(
      ToyProtocol(), "% downstream\n\nS- HELLO\\n\nC- QUIT\\n\nS- HA\\n\n",
      Chopping::kWhole);
  EXPECT_THAT(fault, HasSubstr("5: expected HA\\n"));
}

TEST(TranscriptTest, NoticesWhatWasNotExpected) {
  EXPECT_THAT(PlayTranscript(ToyProtocol(), "% downstream\n", Chopping::kWhole),
              HasSubstr("unexpected: HELLO"));
}

TEST(ChopTest, LosesNothing) {
  const std::string_view bytes = "abcdefghij";
  for (size_t size = 1; size < 12; ++size) {
    std::string joined;
    for (std::string_view piece : ChopEvery(bytes, size)) joined += piece;
    EXPECT_EQ(joined, bytes);
    joined.clear();
    for (std::string_view piece : ChopRandomly(bytes, size, 7)) joined += piece;
    EXPECT_EQ(joined, bytes);
  }
}

}  // namespace
}  // namespace gatehouse
