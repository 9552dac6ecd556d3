#include "lib/splice/splice.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "lib/testing/fake_network.h"

namespace gatehouse {
namespace {

class SpliceTest : public testing::Test, public SpliceOwner {
 protected:
  SpliceTest() { Renew(); }

  void Renew() {
    auto [client_stream, client] = network_.NewStream();
    auto [store_stream, store] = network_.NewStream();
    client_ = client;
    store_ = store;
    splice_ =
        std::make_unique<Splice>(network_, std::move(client_stream),
                                 std::move(store_stream), options_, *this);
  }

  std::string_view LastWords() const override { return "* BYE\r\n"; }
  // As of IMAP and POP3 together.
  AnswerProgress AfterCommand(std::string_view line) const override {
    if (line == "a COMPRESS DEFLATE") return AnswerProgress::kOpaque;
    return line.starts_with("RETR") ? AnswerProgress::kInside
                                    : AnswerProgress::kBetween;
  }
  AnswerProgress AfterAnswer(AnswerProgress before,
                             std::string_view line) const override {
    if (line.starts_with("+ ")) return AnswerProgress::kAsks;
    if (line.ends_with("}")) return AnswerProgress::kInside;
    const bool ends =
        line.starts_with("a OK") || line == "." || line.starts_with("-ERR");
    return ends ? AnswerProgress::kBetween : before;
  }
  void OnSpliceEnd(const SpliceResult& result) override {
    result_ = result;
    splice_.reset();
  }

  void Start(std::string_view to_client = "", std::string_view to_store = "") {
    splice_->Start(to_client, to_store);
    network_.RunUntilIdle();
  }
  void ClientSays(std::string_view bytes) {
    client_->Deliver(bytes);
    network_.RunUntilIdle();
  }
  void StoreSays(std::string_view bytes) {
    store_->Deliver(bytes);
    network_.RunUntilIdle();
  }

  FakeNetwork network_;
  SpliceOptions options_;
  std::shared_ptr<FakePeer> client_;
  std::shared_ptr<FakePeer> store_;
  std::optional<SpliceResult> result_;
  std::unique_ptr<Splice> splice_;
};

// Every idle session keeps one: growth must be noticed.
TEST_F(SpliceTest, IsSmall) { EXPECT_LE(sizeof(Splice), 120u); }

TEST_F(SpliceTest, PassesBytesBothWaysLeftoversFirst) {
  Start("left for client,", "left for store,");
  StoreSays("more");
  ClientSays("more");
  EXPECT_EQ(client_->Sent(), "left for client,more");
  EXPECT_EQ(store_->Sent(), "left for store,more");
}

TEST_F(SpliceTest, LetsTheLastReplyWaitForTheEndBehindIt) {
  Start();
  store_->Deliver("reply");
  network_.RunUntilIdle();
  EXPECT_FALSE(client_->more_promised());
  store_->Deliver("last reply");
  store_->DeliverEof();
  network_.RunUntilIdle();
  EXPECT_TRUE(client_->more_promised());
  EXPECT_TRUE(client_->write_shut_down());
}

TEST_F(SpliceTest, StopsReadingTheSideWhoseBytesNobodyTakes) {
  Start();
  client_->set_send_capacity(0);
  const std::string chunk(64 * 1024, 'x');
  int delivered = 0;
  while (store_->reading()) {
    ASSERT_LT(delivered, 10) << "memory must stay bounded";
    StoreSays(chunk);
    ++delivered;
  }
  EXPECT_TRUE(client_->reading()) << "the other direction goes on";
  client_->set_send_capacity(1 << 30);
  network_.RunUntilIdle();
  EXPECT_TRUE(store_->reading());
  EXPECT_EQ(client_->Sent().size(), delivered * chunk.size());
}

TEST_F(SpliceTest, HandsAHalfCloseOnAndKeepsTheOtherDirection) {
  Start();
  client_->DeliverEof();
  network_.RunUntilIdle();
  EXPECT_TRUE(store_->write_shut_down());
  EXPECT_FALSE(result_);
  StoreSays("last reply");
  EXPECT_EQ(client_->Sent(), "last reply");
  store_->DeliverEof();
  network_.RunUntilIdle();
  ASSERT_TRUE(result_);
  EXPECT_EQ(result_->end, SpliceResult::End::kDownstreamClosed);
  EXPECT_EQ(result_->bytes_from_upstream, 10u);
  EXPECT_EQ(client_->end(), FakePeer::End::kFinished);
  EXPECT_EQ(store_->end(), FakePeer::End::kFinished);
}

TEST_F(SpliceTest, HandsAnAbruptEndOnAsAnAbruptEnd) {
  Start();
  store_->DeliverFailure({Failure::Side::kUpstream, Failure::Kind::kReset,
                          Failure::Retry::kNo, "cut"});
  network_.RunUntilIdle();
  ASSERT_TRUE(result_);
  EXPECT_EQ(result_->end, SpliceResult::End::kUpstreamFailed);
  EXPECT_EQ(result_->detail, "cut");
  EXPECT_EQ(client_->end(), FakePeer::End::kAborted);
}

TEST_F(SpliceTest, KeepsAliveWhatLastsLong) {
  Start();
  EXPECT_FALSE(store_->kept_alive());
  network_.Advance(absl::Minutes(2));
  EXPECT_TRUE(store_->kept_alive());
  EXPECT_FALSE(result_);
}

// As of a client that ends without TLS's close_notify before a slow store.
TEST_F(SpliceTest, AnAbruptEndComesBehindAllThatCameBeforeIt) {
  Start();
  store_->set_send_capacity(0);
  ClientSays("DELE 1\r\nQUIT\r\n");
  client_->DeliverFailure({Failure::Side::kDownstream, Failure::Kind::kReset,
                           Failure::Retry::kNo, "cut"});
  network_.RunUntilIdle();
  StoreSays("+OK to nobody\r\n");
  EXPECT_FALSE(result_);
  EXPECT_EQ(store_->end(), FakePeer::End::kOpen);
  store_->set_send_capacity(1 << 30);
  network_.Advance(absl::Seconds(1));
  ASSERT_TRUE(result_);
  EXPECT_EQ(result_->end, SpliceResult::End::kDownstreamFailed);
  EXPECT_EQ(result_->detail, "cut");
  EXPECT_EQ(store_->Sent(), "DELE 1\r\nQUIT\r\n");
  EXPECT_EQ(store_->end(), FakePeer::End::kAborted);
  EXPECT_EQ(result_->bytes_from_downstream, 14u);
}

TEST_F(SpliceTest, CountsWhatWasTakenOfADeadSide) {
  for (const bool store_fails : {false, true}) {
    SCOPED_TRACE(store_fails);
    Start();
    store_->set_send_capacity(5);
    ClientSays("DELE 1\r\n");
    client_->DeliverFailure({Failure::Side::kDownstream, Failure::Kind::kReset,
                             Failure::Retry::kNo, "cut"});
    network_.RunUntilIdle();
    splice_->EndInPause();
    if (store_fails) {
      store_->DeliverFailure({Failure::Side::kUpstream, Failure::Kind::kReset,
                              Failure::Retry::kNo, "gone"});
    }
    network_.Advance(absl::Seconds(5));
    ASSERT_TRUE(result_);
    EXPECT_EQ(result_->end, SpliceResult::End::kDownstreamFailed);
    EXPECT_EQ(result_->bytes_from_downstream, 5u);
    EXPECT_EQ(network_.timers(), 0u);
    result_.reset();
    Renew();
  }
}

TEST_F(SpliceTest, EndsWhenNobodySpeaksForLong) {
  Start();
  network_.Advance(options_.idle_limit - absl::Seconds(1));
  ClientSays("DONE\r\n");
  network_.Advance(options_.idle_limit - absl::Seconds(1));
  EXPECT_FALSE(result_) << "a byte begins the wait anew";
  network_.Advance(absl::Seconds(1));
  ASSERT_TRUE(result_);
  EXPECT_EQ(result_->end, SpliceResult::End::kIdle);
  EXPECT_EQ(client_->Sent(), "* BYE\r\n");
  EXPECT_EQ(network_.timers(), 0u);
}

TEST_F(SpliceTest, DoesntWaitLongForASilentHalf) {
  Start();
  store_->DeliverEof();
  network_.RunUntilIdle();
  network_.Advance(absl::Minutes(3));
  ASSERT_TRUE(result_);
  EXPECT_EQ(client_->Sent(), "");
}

TEST_F(SpliceTest, SaysLastWordsInAPauseOnly) {
  Start();
  StoreSays("* 1 FETCH (BODY {100}\r\nhalf a mess");
  splice_->EndInPause();
  network_.Advance(absl::Seconds(1));
  EXPECT_FALSE(result_) << "in the middle of a message";
  StoreSays("age)\r\na OK\r\n");
  network_.Advance(absl::Milliseconds(50));
  EXPECT_FALSE(result_);
  network_.Advance(absl::Milliseconds(200));
  ASSERT_TRUE(result_);
  EXPECT_EQ(result_->end, SpliceResult::End::kEnded);
  EXPECT_TRUE(client_->Sent().ends_with("a OK\r\n* BYE\r\n"));
}

TEST_F(SpliceTest, LeavesLastWordsOutWhereNoPauseComes) {
  Start();
  StoreSays("half a mess");
  splice_->EndInPause();
  network_.Advance(absl::Seconds(25));
  EXPECT_FALSE(result_) << "a message is let pass";
  network_.Advance(absl::Seconds(6));
  ASSERT_TRUE(result_);
  EXPECT_EQ(client_->Sent(), "half a mess");
}

TEST_F(SpliceTest, BeginsNoCommandOfAClientThatNeverPauses) {
  Start();
  ClientSays("a NOOP\r\n");
  splice_->EndInPause();
  StoreSays("a OK\r\n");
  for (int i = 0; i < 5; ++i) {
    ClientSays("a NOOP\r\n");
    network_.Advance(absl::Milliseconds(50));
  }
  ASSERT_TRUE(result_);
  EXPECT_TRUE(client_->Sent().ends_with("a OK\r\n* BYE\r\n"));
  EXPECT_EQ(store_->Sent(), "a NOOP\r\n");
}

TEST_F(SpliceTest, AwaitsTheAnswerToTheCurrentCommandForLessThanASecond) {
  for (const bool answers : {true, false}) {
    result_.reset();
    Renew();
    Start();
    ClientSays("RETR 1\r\n");
    splice_->EndInPause();
    network_.Advance(absl::Milliseconds(500));
    EXPECT_FALSE(result_);
    if (answers) StoreSays("-ERR\r\n");
    network_.Advance(absl::Milliseconds(answers ? 250 : 350));
    ASSERT_TRUE(result_);
    EXPECT_EQ(client_->Sent(), answers ? "-ERR\r\n* BYE\r\n" : "* BYE\r\n");
  }
}

TEST_F(SpliceTest, LetsAnUploadPassBeforeItEnds) {
  Start();
  ClientSays("a APPEND INBOX {1000000}\r\n");
  StoreSays("+ \r\n");
  ClientSays("part");
  splice_->EndInPause();
  for (int i = 0; i < 50; ++i) {
    network_.Advance(absl::Milliseconds(60));
    ClientSays("part");
  }
  EXPECT_FALSE(result_);
  StoreSays("a OK\r\n");
  network_.Advance(absl::Milliseconds(250));
  ASSERT_TRUE(result_);
  EXPECT_TRUE(client_->Sent().ends_with("a OK\r\n* BYE\r\n"));
}

TEST_F(SpliceTest, LetsAMessagePassWhoseStoreStopsForAWhile) {
  struct {
    std::string_view command, begin, middle, end;
  } const cases[] = {{"a FETCH\r\n", "* 1 FETCH (BODY[] {99}\r\n",
                      "line\r\nline\r\n", ")\r\na OK\r\n"},
                     {"RETR 1\r\n", "+OK\r\n", "line\r\n", ".\r\n"}};
  for (const auto& message : cases) {
    SCOPED_TRACE(message.command);
    result_.reset();
    Renew();
    Start();
    ClientSays(message.command);
    StoreSays(message.begin);
    splice_->EndInPause();
    for (const std::string_view part : {message.middle, message.end}) {
      network_.Advance(absl::Seconds(5));
      ASSERT_FALSE(result_);
      StoreSays(part);
    }
    network_.Advance(absl::Milliseconds(250));
    ASSERT_TRUE(result_);
    EXPECT_TRUE(
        client_->Sent().ends_with(std::string(message.end) + "* BYE\r\n"));
  }
}

TEST_F(SpliceTest, LetsAnUploadPassWhoseClientStopsForAWhile) {
  for (const bool asked : {true, false}) {
    SCOPED_TRACE(asked);
    result_.reset();
    Renew();
    Start();
    if (asked) {
      ClientSays("a APPEND INBOX {9999}\r\n");
      StoreSays("+ \r\n");
      ClientSays("part\r\n");
    } else {
      ClientSays("a APPEND INBOX {9999+}\r\n" + std::string(5000, 'x'));
    }
    splice_->EndInPause();
    network_.Advance(absl::Seconds(20));
    EXPECT_FALSE(result_);
    ClientSays("the rest\r\n");
    network_.Advance(absl::Seconds(5));
    EXPECT_FALSE(result_) << "the store has it to write";
    StoreSays("a OK\r\n");
    network_.Advance(absl::Milliseconds(250));
    ASSERT_TRUE(result_);
    EXPECT_TRUE(client_->Sent().ends_with("a OK\r\n* BYE\r\n"));
  }
}

TEST_F(SpliceTest, LeavesLastWordsOutInAMessageThatNeverEnds) {
  Start();
  ClientSays("RETR 1\r\n");
  StoreSays("+OK\r\nline\r\n");
  splice_->EndInPause();
  network_.Advance(absl::Seconds(31));
  ASSERT_TRUE(result_);
  EXPECT_EQ(client_->Sent(), "+OK\r\nline\r\n");
}

TEST_F(SpliceTest, EndsWhatItCannotReadInTimeAndWithoutAWord) {
  for (const std::string_view octets : {"\x01\x02", "\x01\n"}) {
    for (const bool idle : {true, false}) {
      SCOPED_TRACE(idle);
      result_.reset();
      Renew();
      Start();
      ClientSays("a COMPRESS DEFLATE\r\n");
      StoreSays("a OK\r\n");
      ClientSays(octets);
      StoreSays(octets);
      if (idle) {
        network_.Advance(options_.idle_limit);
      } else {
        splice_->EndInPause();
        network_.Advance(absl::Milliseconds(400));
        EXPECT_FALSE(result_) << "it may be in a message";
        network_.Advance(absl::Milliseconds(500));
      }
      ASSERT_TRUE(result_);
      EXPECT_EQ(client_->Sent(), "a OK\r\n" + std::string(octets));
    }
  }
}

TEST_F(SpliceTest, EndsWhoWaitsForNewsInTime) {
  Start();
  ClientSays("a IDLE\r\n");
  StoreSays("+ idling\r\n");
  splice_->EndInPause();
  network_.Advance(absl::Milliseconds(250));
  ASSERT_TRUE(result_);
  EXPECT_EQ(client_->Sent(), "+ idling\r\n* BYE\r\n");
}

TEST_F(SpliceTest, EndsInTimeAlsoWhenOneSideHasEnded) {
  Start();
  splice_->EndInPause();
  client_->DeliverEof();
  network_.RunUntilIdle();
  network_.Advance(absl::Seconds(1));
  EXPECT_TRUE(result_);
}

}  // namespace
}  // namespace gatehouse
