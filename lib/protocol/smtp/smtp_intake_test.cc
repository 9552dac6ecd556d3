#include "lib/protocol/smtp/smtp_intake.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "lib/testing/chop.h"

namespace gatehouse {
namespace {

using namespace std::string_literals;
using Status = SmtpIntake::Status;

constexpr uint64_t kHuge = std::numeric_limits<uint64_t>::max();

// An intake that was fed, and what came of it.
struct Taken {
  explicit Taken(uint64_t most_bytes) : intake(most_bytes) {}

  // Reads until no octets come any more, as the conversation does.
  Status Read(std::string_view bytes) {
    input.Append(bytes);
    for (;;) {
      std::string octets;
      const Status status = intake.Read(input, octets);
      if (octets.empty()) return status;
      message += octets;
    }
  }

  SmtpIntake intake;
  ByteQueue input;
  std::string message;
};

TEST(SmtpIntakeTest, DataEndsAtItsDotAndNotBehindIt) {
  for (const size_t piece : {1, 2, 3, 100}) {
    Taken taken(0);
    taken.intake.BeginData();
    Status status = Status::kNeedData;
    for (const std::string_view part :
         ChopEvery("a\r\n..b\r\n.\r\nQUIT\r\n", piece)) {
      // What comes behind the end stays where it is.
      if (status == Status::kNeedData) {
        status = taken.Read(part);
      } else {
        taken.input.Append(part);
      }
    }
    EXPECT_EQ(status, Status::kEndOfMessage);
    EXPECT_EQ(taken.message, "a\r\n.b\r\n");
    EXPECT_EQ(taken.input.bytes(), "QUIT\r\n");
  }
}

TEST(SmtpIntakeTest, ChunksEndAfterTheirOctets) {
  Taken taken(0);
  taken.intake.BeginChunk({6, false});
  EXPECT_EQ(taken.Read("a\r"), Status::kNeedData);
  EXPECT_EQ(taken.Read("\n.\r\nBDAT"), Status::kEndOfChunk);
  EXPECT_EQ(taken.input.bytes(), "BDAT");
  taken.input.Clear();
  taken.intake.BeginChunk({0, false});
  EXPECT_EQ(taken.Read("x"), Status::kEndOfChunk);
  taken.input.Clear();
  taken.intake.BeginChunk({1, true});
  EXPECT_EQ(taken.Read(""), Status::kNeedData);
  EXPECT_EQ(taken.Read("b"), Status::kEndOfMessage);
  EXPECT_EQ(taken.message, "a\r\n.\r\nb");
}

TEST(SmtpIntakeTest, CrAtAChunksEndWaitsForItsLf) {
  Taken taken(0);
  taken.intake.BeginChunk({2, false});
  EXPECT_EQ(taken.Read("a\r"), Status::kEndOfChunk);
  EXPECT_EQ(taken.message, "a");
  taken.intake.BeginChunk({1, false});
  EXPECT_EQ(taken.Read("\n"), Status::kEndOfChunk);
  taken.intake.BeginChunk({1, true});
  EXPECT_EQ(taken.Read("\r"), Status::kBroken);
  // And isn't the next message's.
  taken.intake.Restart();
  taken.intake.BeginChunk({1, true});
  EXPECT_EQ(taken.Read("b"), Status::kEndOfMessage);
}

TEST(SmtpIntakeTest, DataThatIsTooBigIsReportedOnceAndReadToItsEnd) {
  for (const size_t piece : {1, 4, 100}) {
    Taken taken(6);
    taken.intake.BeginData();
    std::vector<Status> seen;
    for (const std::string_view part : ChopEvery("..ab\r\nc\r\n.\r\n", piece)) {
      Status status = taken.Read(part);
      if (status == Status::kTooBig) {
        seen.push_back(status);
        EXPECT_TRUE(taken.intake.dropping());
        status = taken.Read("");
      }
      if (status == Status::kEndOfMessage) seen.push_back(status);
    }
    EXPECT_EQ(seen, (std::vector{Status::kTooBig, Status::kEndOfMessage}));
    EXPECT_LE(taken.message.size(), 6u);
  }
}

TEST(SmtpIntakeTest, StuffedDotsAreNotCounted) {
  Taken taken(5);
  taken.intake.BeginData();
  EXPECT_EQ(taken.Read("..ab\r\n.\r\n"), Status::kEndOfMessage);
  EXPECT_EQ(taken.message, ".ab\r\n");
}

TEST(SmtpIntakeTest, DroppedDataMustBeSoundAllTheSame) {
  Taken taken(0);
  taken.intake.BeginData();
  taken.intake.Drop();
  EXPECT_EQ(taken.Read("a\r\n"), Status::kNeedData);
  EXPECT_EQ(taken.Read("b\n.\r\n"), Status::kBroken);
  EXPECT_EQ(taken.message, "");
}

TEST(SmtpIntakeTest, ADroppedChunkIsFramedByItsCountAlone) {
  Taken taken(0);
  taken.intake.BeginChunk({5, false});
  taken.intake.Drop();
  EXPECT_EQ(taken.Read("a\n\0"s), Status::kNeedData);
  EXPECT_EQ(taken.Read("\rbRSET\r\n"), Status::kEndOfMessage);
  EXPECT_EQ(taken.input.bytes(), "RSET\r\n");
  EXPECT_EQ(taken.message, "");
}

TEST(SmtpIntakeTest, AChunkThatDoesntFitIsKnownAtOnce) {
  Taken taken(6);
  taken.intake.BeginChunk({7, false});
  EXPECT_TRUE(taken.intake.chunk_too_big());
  taken.intake.BeginChunk({6, false});
  EXPECT_FALSE(taken.intake.chunk_too_big());
  EXPECT_EQ(taken.Read("abcdef"), Status::kEndOfChunk);
  taken.intake.BeginChunk({0, true});
  EXPECT_FALSE(taken.intake.chunk_too_big());
  taken.intake.BeginChunk({1, true});
  EXPECT_TRUE(taken.intake.chunk_too_big());
  taken.intake.BeginChunk({kHuge, true});
  EXPECT_TRUE(taken.intake.chunk_too_big());
  taken.intake.Restart();
  taken.intake.BeginChunk({6, true});
  EXPECT_FALSE(taken.intake.chunk_too_big());
}

TEST(SmtpIntakeTest, WithoutALimitNothingIsTooBig) {
  Taken taken(0);
  taken.intake.BeginChunk({kHuge, true});
  EXPECT_FALSE(taken.intake.chunk_too_big());
  EXPECT_EQ(taken.Read("a"), Status::kNeedData);
}

}  // namespace
}  // namespace gatehouse
