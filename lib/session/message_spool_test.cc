#include "lib/session/message_spool.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "lib/testing/fake_network.h"

namespace gatehouse {
namespace {

class MessageSpoolTest : public testing::Test {
 protected:
  MessageSpoolTest()
      : spool_(network_, testing::TempDir(), [this] { ++told_; }) {}

  MessageSpool::ReadResult ReadAt(const MessageSpool& spool, uint64_t offset,
                                  size_t most) {
    std::optional<MessageSpool::ReadResult> result;
    const auto reading = spool.Read(
        offset, most,
        [&](MessageSpool::ReadResult read) { result = std::move(read); });
    EXPECT_FALSE(result) << "never from inside the call";
    network_.RunUntilIdle();
    return result.value();
  }

  std::string ReadAll(size_t piece) {
    std::string all;
    for (;;) {
      const auto read = ReadAt(spool_, all.size(), piece);
      const std::string& octets = std::get<std::string>(read);
      if (octets.empty()) return all;
      EXPECT_LE(octets.size(), piece);
      all += octets;
    }
  }

  static std::string Message(size_t bytes) {
    std::string message;
    while (message.size() < bytes) {
      message += "line " + std::to_string(message.size()) + "\r\n";
    }
    message.resize(bytes);
    return message;
  }

  FakeNetwork network_;
  int told_ = 0;
  MessageSpool spool_;
};

TEST_F(MessageSpoolTest, KeepsWhatFitsIntoMemoryThere) {
  const std::string message = Message(MessageSpool::kMemoryBytes);
  spool_.Append(message.substr(0, 1000));
  spool_.Append(message.substr(1000));
  EXPECT_EQ(spool_.pending_bytes(), 0u);
  EXPECT_FALSE(network_.RunUntilIdle()) << "no file";
  EXPECT_EQ(ReadAll(10000), message);
}

TEST_F(MessageSpoolTest, GivesBackMoreFromAFileWithoutAName) {
  const std::string message = Message(1'000'003);
  for (size_t at = 0; at < message.size(); at += 40000) {
    spool_.Append(std::string_view(message).substr(at, 40000));
    if (at % 3 == 0) network_.RunUntilIdle();
  }
  network_.RunUntilIdle();
  EXPECT_EQ(spool_.pending_bytes(), 0u);
  EXPECT_EQ(spool_.size(), message.size());
  EXPECT_GT(told_, 0);
  EXPECT_EQ(ReadAll(65536), message);
}

TEST_F(MessageSpoolTest, SaysWhatIsStillOnItsWayToTheDisk) {
  network_.HoldOffLoop(true);
  spool_.Append(Message(MessageSpool::kMemoryBytes + 500));
  EXPECT_EQ(spool_.pending_bytes(), 500u);
  spool_.Append("more");
  network_.RunUntilIdle();
  EXPECT_EQ(spool_.pending_bytes(), 504u);
  EXPECT_EQ(told_, 0);
  network_.HoldOffLoop(false);
  network_.RunUntilIdle();
  EXPECT_EQ(spool_.pending_bytes(), 0u);
  EXPECT_EQ(told_, 2);
}

TEST_F(MessageSpoolTest, FailsWhereTheFolderIsNotFit) {
  MessageSpool spool(network_, "/nonexistent", [this] { ++told_; });
  spool.Append(Message(MessageSpool::kMemoryBytes));
  network_.RunUntilIdle();
  EXPECT_EQ(spool.failure(), nullptr) << "nothing needed the disk";
  spool.Append("x");
  network_.RunUntilIdle();
  ASSERT_NE(spool.failure(), nullptr);
  EXPECT_EQ(spool.pending_bytes(), 0u);
  EXPECT_EQ(told_, 1);
  spool.Append(Message(1 << 20));
  EXPECT_EQ(spool.pending_bytes(), 0u) << "nothing is heaped up for nothing";
  EXPECT_TRUE(std::holds_alternative<Failure>(ReadAt(spool, 0, 100)));
}

TEST_F(MessageSpoolTest, MayGoWhileAJobIsUnderWay) {
  network_.HoldOffLoop(true);
  {
    MessageSpool spool(network_, testing::TempDir(), [this] { ++told_; });
    spool.Append(Message(1 << 20));
  }
  network_.HoldOffLoop(false);
  network_.RunUntilIdle();
  EXPECT_EQ(told_, 0);
}

}  // namespace
}  // namespace gatehouse
