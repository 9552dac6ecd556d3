#include "lib/net/uv_stream.h"

#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

#include "lib/net/loop_test_kit.h"

namespace gatehouse {
namespace {

constexpr size_t kMiB = 1024 * 1024;

class UvStreamTest : public LoopTest {
 protected:
  void SetUp() override { Join(a_, b_); }

  TestEnd a_, b_;
};

TEST_F(UvStreamTest, AnIdleStreamIsSmall) { EXPECT_LE(sizeof(UvStream), 160); }

TEST_F(UvStreamTest, CarriesBytesBothWays) {
  a_.stream->ResumeReading();
  b_.stream->ResumeReading();
  a_.stream->Write("hello");
  b_.stream->Write("world");
  ASSERT_TRUE(RunUntil([&] {
    return a_.handler.data == "world" && b_.handler.data == "hello";
  }));
}

TEST_F(UvStreamTest, BeginsPausedAndTellsNeitherDataNorEofMeanwhile) {
  b_.stream->Write("early");
  b_.stream->ShutdownWrite();
  RunFor(absl::Milliseconds(30));
  EXPECT_EQ(a_.handler.data, "");
  EXPECT_FALSE(a_.handler.eof);
  a_.stream->ResumeReading();
  EXPECT_EQ(a_.handler.data, "") << "a callback inside a call";
  ASSERT_TRUE(RunUntil([&] { return a_.handler.eof; }));
  EXPECT_EQ(a_.handler.data, "early");
}

TEST_F(UvStreamTest, PausingInTheMiddleHoldsTheRestBack) {
  a_.handler.on_data = [&] { a_.stream->PauseReading(); };
  a_.stream->ResumeReading();
  b_.stream->Write("one");
  ASSERT_TRUE(RunUntil([&] { return a_.handler.data == "one"; }));
  b_.stream->Write("two");
  RunFor(absl::Milliseconds(30));
  EXPECT_EQ(a_.handler.data, "one");
  a_.stream->ResumeReading();
  ASSERT_TRUE(RunUntil([&] { return a_.handler.data == "onetwo"; }));
}

TEST_F(UvStreamTest, AHalfClosedStreamStillCarriesTheOtherWay) {
  a_.stream->ResumeReading();
  b_.stream->ResumeReading();
  b_.stream->ShutdownWrite();
  ASSERT_TRUE(RunUntil([&] { return a_.handler.eof; }));
  a_.stream->Write(std::string(kMiB, 'x'));
  a_.stream->ShutdownWrite();
  ASSERT_TRUE(RunUntil([&] { return b_.handler.eof; }));
  EXPECT_EQ(b_.handler.data, std::string(kMiB, 'x'));
}

TEST_F(UvStreamTest, WhatTheKernelDoesNotTakeIsQueuedAndDrainedLater) {
  const std::string bulk(16 * kMiB, 'x');
  a_.stream->Write(bulk);
  EXPECT_GT(a_.stream->queued_bytes(), 0u);
  EXPECT_EQ(a_.handler.drained, 0);
  b_.stream->ResumeReading();
  ASSERT_TRUE(RunUntil([&] { return b_.handler.data.size() == bulk.size(); }));
  EXPECT_EQ(a_.stream->queued_bytes(), 0u);
  EXPECT_EQ(a_.handler.drained, 1);
}

TEST_F(UvStreamTest, AStoppedReaderLeavesTheRestWithTheKernel) {
  a_.handler.on_data = [&] { a_.stream->PauseReading(); };
  a_.stream->ResumeReading();
  b_.stream->Write(std::string(16 * kMiB, 'x'));
  RunFor(absl::Milliseconds(50));
  EXPECT_LE(a_.handler.data.size(), 64 * 1024u);
  EXPECT_GT(b_.stream->queued_bytes(), 0u);
}

TEST_F(UvStreamTest, AFastPeerDoesNotKeepTheOthersOut) {
  TestEnd c, d;
  Join(c, d);
  a_.stream->ResumeReading();
  c.stream->ResumeReading();
  b_.handler.on_drained = [&] { b_.stream->Write(std::string(kMiB, 'x')); };
  b_.stream->Write(std::string(16 * kMiB, 'x'));
  d.stream->Write("!");
  EXPECT_TRUE(RunUntil([&] { return c.handler.data == "!"; }));
}

TEST_F(UvStreamTest, AnAbortIsAFailureOfThePeerAndNoEof) {
  a_.stream->ResumeReading();
  b_.stream->Abort();
  ASSERT_TRUE(RunUntil([&] { return a_.handler.failure.has_value(); }));
  EXPECT_EQ(a_.handler.failure->kind, Failure::Kind::kReset);
  EXPECT_EQ(a_.handler.failure->side, Failure::Side::kDownstream);
  EXPECT_FALSE(a_.handler.eof);
}

TEST_F(UvStreamTest, APausedStreamHearsOfAReset) {
  b_.stream->Abort();
  ASSERT_TRUE(RunUntil([&] { return a_.handler.failure.has_value(); }));
}

TEST_F(UvStreamTest, AResetAfterTheHalfCloseIsHeard) {
  a_.stream->ResumeReading();
  b_.stream->ShutdownWrite();
  ASSERT_TRUE(RunUntil([&] { return a_.handler.eof; }));
  b_.stream->Abort();
  a_.stream->Write("to nobody");
  ASSERT_TRUE(RunUntil([&] { return a_.handler.failure.has_value(); }));
}

TEST_F(UvStreamTest, WritingToADeadPeerFailsLaterNotInTheCall) {
  a_.stream->ResumeReading();
  b_.stream.reset();
  RunFor(absl::Milliseconds(20));
  EXPECT_TRUE(a_.handler.eof);
  a_.stream->Write("into a closed socket");
  RunFor(absl::Milliseconds(20));
  if (!a_.handler.failure) {
    a_.stream->Write("again");
    EXPECT_FALSE(a_.handler.failure);
  }
  ASSERT_TRUE(RunUntil([&] { return a_.handler.failure.has_value(); }));
  a_.stream->Write("no more");
  a_.stream->ShutdownWrite();
  a_.stream->ResumeReading();
  EXPECT_FALSE(a_.stream->peer().is_set());
}

TEST_F(UvStreamTest, TheLastReplyIsReadBeforeTheReset) {
  // The peer answers, and closes with input of ours unread: its kernel resets.
  a_.stream->Write("unread");
  RunFor(absl::Milliseconds(10));
  b_.stream->Write("BYE");
  b_.stream.reset();
  RunFor(absl::Milliseconds(10));
  EXPECT_TRUE(a_.handler.failure.has_value()) << "paused: told at once";
}

TEST_F(UvStreamTest, DestroysItselfInEachCallback) {
  const auto destroy = [&] { a_.stream.reset(); };
  a_.handler.on_data = destroy;
  a_.stream->ResumeReading();
  b_.stream->Write("x");
  ASSERT_TRUE(RunUntil([&] { return a_.stream == nullptr; }));

  a_ = {}, b_ = {};
  Join(a_, b_);
  a_.handler.on_eof = destroy;
  a_.stream->ResumeReading();
  b_.stream->ShutdownWrite();
  ASSERT_TRUE(RunUntil([&] { return a_.stream == nullptr; }));

  a_ = {}, b_ = {};
  Join(a_, b_);
  a_.handler.on_failure = destroy;
  b_.stream->Abort();
  ASSERT_TRUE(RunUntil([&] { return a_.stream == nullptr; }));

  a_ = {}, b_ = {};
  Join(a_, b_);
  a_.handler.on_drained = destroy;
  b_.stream->ResumeReading();
  a_.stream->Write(std::string(16 * kMiB, 'x'));
  ASSERT_TRUE(RunUntil([&] { return a_.stream == nullptr; }));
}

TEST_F(UvStreamTest, OneStreamsCallbackMayDestroyAnother) {
  a_.handler.on_data = [&] { b_.stream.reset(); };
  b_.handler.on_data = [&] { a_.stream.reset(); };
  a_.stream->ResumeReading();
  b_.stream->ResumeReading();
  a_.stream->Write("x");
  b_.stream->Write("y");
  ASSERT_TRUE(RunUntil([&] { return !a_.stream || !b_.stream; }));
  RunFor(absl::Milliseconds(10));
}

TEST_F(UvStreamTest, FinishingDeliversAllThatIsQueued) {
  const std::string bulk(16 * kMiB, 'x');
  a_.stream->Write(bulk);
  Stream::CloseAfterFlush(std::move(a_.stream));
  b_.stream->ResumeReading();
  ASSERT_TRUE(RunUntil([&] { return b_.handler.eof; }));
  EXPECT_EQ(b_.handler.data.size(), bulk.size());
  EXPECT_FALSE(b_.handler.failure);
}

TEST_F(UvStreamTest, FinishingWithInputUnreadDoesNotDestroyTheLastReply) {
  b_.stream->Write(std::string(kMiB, 'x'));
  RunFor(absl::Milliseconds(10));
  a_.stream->Write("BYE");
  Stream::CloseAfterFlush(std::move(a_.stream));
  RunFor(absl::Milliseconds(10));
  b_.stream->Write("more, and late");
  RunFor(absl::Milliseconds(10));
  b_.stream->ResumeReading();
  ASSERT_TRUE(RunUntil([&] { return b_.handler.eof; }));
  EXPECT_EQ(b_.handler.data, "BYE");
}

TEST_F(UvStreamTest, FinishingEndsWhenThePeerHasEnded) {
  const int before = OpenDescriptors();
  b_.stream->ShutdownWrite();
  RunFor(absl::Milliseconds(10));
  Stream::CloseAfterFlush(std::move(a_.stream));
  EXPECT_TRUE(RunUntil([&] { return OpenDescriptors() == before - 1; }));
}

TEST_F(UvStreamTest, FinishingGivesUpOnAPeerThatNeitherReadsNorEnds) {
  const int before = OpenDescriptors();
  a_.stream->Write(std::string(16 * kMiB, 'x'));
  Stream::CloseAfterFlush(std::move(a_.stream));
  EXPECT_TRUE(RunUntil([&] { return OpenDescriptors() == before - 1; }));
}

TEST_F(UvStreamTest, FinishingInsideACallbackIsSafe) {
  a_.handler.on_data = [&] {
    a_.stream->Write("BYE");
    Stream::CloseAfterFlush(std::move(a_.stream));
  };
  a_.stream->ResumeReading();
  b_.stream->ResumeReading();
  b_.stream->Write("LOGOUT");
  ASSERT_TRUE(RunUntil([&] { return b_.handler.eof; }));
  EXPECT_EQ(b_.handler.data, "BYE");
}

TEST_F(UvStreamTest, WhatStillFinishesGoesWithTheNetwork) {
  const int before = OpenDescriptors();
  a_.stream->Write(std::string(16 * kMiB, 'x'));
  Stream::CloseAfterFlush(std::move(a_.stream));
  b_.stream.reset();
  network_.reset();
  EXPECT_LT(OpenDescriptors(), before);
}

TEST_F(UvStreamTest, TheHandlerMayBeChangedAtAnyTime) {
  RecordingHandler second;
  a_.handler.on_data = [&] { a_.stream->set_handler(&second); };
  a_.stream->ResumeReading();
  b_.stream->Write("one");
  ASSERT_TRUE(RunUntil([&] { return a_.handler.data == "one"; }));
  b_.stream->Write("two");
  ASSERT_TRUE(RunUntil([&] { return second.data == "two"; }));
}

}  // namespace
}  // namespace gatehouse
