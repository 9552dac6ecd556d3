#include "lib/net/uv_stream.h"

#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <memory>
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

TEST_F(UvStreamTest, AnIdleStreamIsSmall) { EXPECT_LE(sizeof(UvStream), 104u); }

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

TEST_F(UvStreamTest, WhatWaitsForMoreGoesWithTheEndInOnePacket) {
  b_.stream->WriteMore("last reply");
  b_.stream->ShutdownWrite();
  a_.handler.on_data = [&] { EXPECT_TRUE(a_.stream->ends()); };
  a_.stream->ResumeReading();
  ASSERT_TRUE(RunUntil([&] { return a_.handler.eof; }));
  EXPECT_EQ(a_.handler.data, "last reply");
}

TEST_F(UvStreamTest, WhatWaitsForMoreInVainGoesSoon) {
  a_.stream->ResumeReading();
  b_.stream->WriteMore("no more");
  ASSERT_TRUE(RunUntil([&] { return a_.handler.data == "no more"; }));
  EXPECT_FALSE(a_.stream->ends());
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
  Stream::AbortAfterFlush(std::move(b_.stream));
  ASSERT_TRUE(RunUntil([&] { return a_.handler.failure.has_value(); }));
  EXPECT_EQ(a_.handler.failure->kind, Failure::Kind::kReset);
  EXPECT_EQ(a_.handler.failure->side, Failure::Side::kDownstream);
  EXPECT_FALSE(a_.handler.eof);
}

// More than the kernels of both take, from one who reads late.
TEST_F(UvStreamTest, AnAbortComesBehindAllThatWasSent) {
  constexpr size_t kSent = 16 * kMiB;
  b_.stream->Write(std::string(kSent, 'x'));
  ASSERT_GT(b_.stream->queued_bytes(), 0u);
  Stream::AbortAfterFlush(std::move(b_.stream));
  RunFor(absl::Milliseconds(50));
  EXPECT_FALSE(a_.handler.failure.has_value());
  a_.stream->ResumeReading();
  ASSERT_TRUE(RunUntil([&] { return a_.handler.failure.has_value(); }));
  EXPECT_EQ(a_.handler.failure->kind, Failure::Kind::kReset);
  EXPECT_EQ(a_.handler.data.size(), kSent);
  EXPECT_FALSE(a_.handler.eof);
}

TEST_F(UvStreamTest, APausedStreamHearsOfAReset) {
  Stream::AbortAfterFlush(std::move(b_.stream));
  ASSERT_TRUE(RunUntil([&] { return a_.handler.failure.has_value(); }));
}

TEST_F(UvStreamTest, AResetAfterTheHalfCloseIsHeard) {
  a_.stream->ResumeReading();
  b_.stream->ShutdownWrite();
  ASSERT_TRUE(RunUntil([&] { return a_.handler.eof; }));
  Stream::AbortAfterFlush(std::move(b_.stream));
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
  // Who closes with input unread resets.
  a_.stream->Write("unread");
  RunFor(absl::Milliseconds(10));
  b_.stream->Write("BYE");
  a_.handler.on_data = [&] { EXPECT_FALSE(a_.stream->ends()); };
  a_.stream->ResumeReading();
  b_.stream.reset();
  ASSERT_TRUE(RunUntil([&] { return a_.handler.failure.has_value(); }));
  EXPECT_EQ(a_.handler.data, "BYE");
  EXPECT_FALSE(a_.handler.eof);
}

TEST_F(UvStreamTest, AFinBeforeTheResetIsStillAnEof) {
  b_.stream->Write("BYE");
  b_.stream.reset();
  // Written to nobody: answered by a reset.
  a_.stream->Write("NOOP");
  RunFor(absl::Milliseconds(10));
  a_.stream->Write("NOOP");
  a_.stream->ResumeReading();
  ASSERT_TRUE(RunUntil([&] { return a_.handler.failure.has_value(); }));
  EXPECT_EQ(a_.handler.data, "BYE");
  EXPECT_TRUE(a_.handler.eof);
}

TEST_F(UvStreamTest, BytesGivenBackAreReadAgainFirst) {
  a_.handler.on_data = [&] {
    a_.handler.on_data = {};
    const std::string given_back = a_.handler.data.substr(3);
    a_.handler.data.resize(3);
    a_.stream->Unread(given_back);
  };
  a_.stream->ResumeReading();
  b_.stream->Write("onetwo");
  ASSERT_TRUE(RunUntil([&] { return !a_.handler.on_data; }));
  b_.stream->Write("three");
  ASSERT_TRUE(RunUntil([&] { return a_.handler.data.size() == 11; }));
  EXPECT_EQ(a_.handler.data, "onetwothree");
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
  Stream::AbortAfterFlush(std::move(b_.stream));
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

// Writes to the other stream what it hears, and counts what it doesn't.
class Forwarder : public RecordingHandler {
 public:
  explicit Forwarder(Stream* to) : to_(to) {}
  void OnData(std::string_view bytes) override {
    to_->Write(bytes);
    if (on_any) on_any();
  }
  Stream* BulkSink() override { return to_; }
  void OnBulkPassed(size_t bytes) override {
    passed += bytes;
    if (on_passed) on_passed();
    if (on_any) on_any();
  }
  size_t passed = 0;
  std::function<void()> on_passed, on_any;

 private:
  Stream* to_;
};

// b_ sends to a_, whose bulk goes to c_, the peer of d_.
class BulkTest : public UvStreamTest {
 protected:
  void SetUp() override {
    UvStreamTest::SetUp();
    Join(c_, d_);
    forwarder_ = std::make_unique<Forwarder>(c_.stream.get());
    a_.stream->set_handler(forwarder_.get());
    a_.stream->ResumeReading();
  }

  static std::string Pattern(size_t size) {
    std::string text(size, '\0');
    uint32_t state = 1;
    for (char& octet : text) {
      state = state * 1664525 + 1013904223;
      octet = static_cast<char>(state >> 24);
    }
    return text;
  }

  TestEnd c_, d_;
  std::unique_ptr<Forwarder> forwarder_;
};

TEST_F(BulkTest, GoesToTheSinkUnseenAndUnchanged) {
  const std::string bulk = Pattern(32 * kMiB);
  d_.stream->ResumeReading();
  b_.stream->Write(bulk);
  ASSERT_TRUE(RunUntil([&] { return d_.handler.data.size() == bulk.size(); }));
  EXPECT_TRUE(d_.handler.data == bulk);
  EXPECT_GT(forwarder_->passed, kMiB);
}

TEST_F(BulkTest, WaitsWithASinkThatIsFull) {
  const std::string bulk = Pattern(32 * kMiB);
  const int before = OpenDescriptors();
  forwarder_->on_any = [&] {
    if (c_.stream->queued_bytes() > 0) a_.stream->PauseReading();
  };
  c_.handler.on_drained = [&] { a_.stream->ResumeReading(); };
  b_.stream->Write(bulk);
  RunFor(absl::Milliseconds(50));
  EXPECT_LT(c_.stream->queued_bytes(), kMiB);
  d_.stream->ResumeReading();
  ASSERT_TRUE(RunUntil([&] { return d_.handler.data.size() == bulk.size(); }));
  EXPECT_TRUE(d_.handler.data == bulk);
  EXPECT_EQ(c_.stream->queued_bytes(), 0u);
  EXPECT_LE(OpenDescriptors(), before + 8) << "pipes are shared";
}

TEST_F(BulkTest, KeepsItsOrderWithWhatIsWritten) {
  const std::string bulk = Pattern(8 * kMiB);
  forwarder_->on_passed = [&] {
    c_.stream->Write("|");
    a_.stream->PauseReading();
  };
  b_.stream->Write(bulk);
  ASSERT_TRUE(RunUntil([&] { return forwarder_->passed > 0; }));
  c_.stream->ShutdownWrite();
  d_.stream->ResumeReading();
  ASSERT_TRUE(RunUntil([&] { return d_.handler.eof; }));
  EXPECT_EQ(d_.handler.data.back(), '|');
  d_.handler.data.pop_back();
  EXPECT_TRUE(bulk.starts_with(d_.handler.data));
}

TEST_F(BulkTest, ASinkWhosePeerHasGoneFailsAndRaisesNoSignal) {
  d_.stream.reset();
  c_.stream->ResumeReading();
  b_.stream->Write(Pattern(8 * kMiB));
  ASSERT_TRUE(RunUntil([&] { return c_.handler.failure.has_value(); }));
}

TEST_F(BulkTest, WhatIsInThePipeIsFlushedByAStreamThatIsGivenAway) {
  const std::string bulk = Pattern(8 * kMiB);
  b_.stream->Write(bulk);
  forwarder_->on_passed = [&] {
    if (c_.stream->queued_bytes() == 0) return;
    a_.stream->PauseReading();
  };
  ASSERT_TRUE(RunUntil([&] { return c_.stream->queued_bytes() > 0; }));
  a_.stream.reset();
  Stream::CloseAfterFlush(std::move(c_.stream));
  d_.stream->ResumeReading();
  ASSERT_TRUE(RunUntil([&] { return d_.handler.eof; }));
  EXPECT_TRUE(bulk.starts_with(d_.handler.data));
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
