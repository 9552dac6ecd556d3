#include "lib/session/session.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "lib/testing/fake_network.h"
#include "lib/testing/one_user_directory.h"
#include "lib/testing/recording_log.h"
#include "lib/testing/toy_protocol.h"

namespace gatehouse {
namespace {

class SessionTest : public testing::Test, public SessionOwner {
 protected:
  SessionTest() {
    auto settings = std::make_shared<SessionSettings>();
    settings->protocol = &ToyProtocol();
    settings->plaintext_login = PlaintextLogin::kAlways;
    settings->directory = std::make_shared<OneUserDirectory>(network_);
    settings->upstream.port = 7;
    auto listener = std::make_shared<ListenerSettings>();
    listener->name = "front:7";
    network_.ScriptConnect(*SocketAddress::Parse("10.0.0.1", 7),
                           FakeNetwork::ConnectScript::kAccept,
                           [](FakePeer& peer) { peer.Deliver("HELLO\n"); });
    auto [stream, peer] =
        network_.NewStream(*SocketAddress::Parse("192.0.2.7", 5555),
                           *SocketAddress::Parse("192.0.2.1", 7));
    client_ = peer;
    session_ = std::make_unique<Session>(network_, log_, settings, listener,
                                         std::move(stream), *this);
    session_->Start();
    network_.RunUntilIdle();
  }

  void Join() {
    client_->Deliver("LOGIN alice secret\n");
    network_.RunUntilIdle();
    store().Deliver("OK\n");
    network_.RunUntilIdle();
  }
  FakePeer& store() { return *network_.connected().back(); }

  void OnJoined(ClientSession& session) override { ++joined_; }
  void OnLoginRefused(LoginRefusal::Kind kind) override { ++refused_; }
  void OnEnded(ClientSession& session) override {
    ++ended_;
    session_.reset();
  }

  FakeNetwork network_;
  RecordingLog log_;
  std::shared_ptr<FakePeer> client_;
  std::unique_ptr<Session> session_;
  int joined_ = 0;
  int refused_ = 0;
  int ended_ = 0;
};

TEST_F(SessionTest, LeavesOneRecordThatTellsItsWholeStory) {
  Join();
  EXPECT_EQ(joined_, 1);
  store().Deliver("mail");
  client_->Deliver("FETCH");
  client_->DeliverEof();
  network_.RunUntilIdle();
  store().DeliverEof();
  network_.RunUntilIdle();
  EXPECT_EQ(ended_, 1);
  EXPECT_EQ(log_.events(), std::vector<std::string>{"session"});
  for (const char* line :
       {"service=toy\n", "listener=front:7\n", "peer=192.0.2.7:5555\n",
        "user=alice\n", "upstream=10.0.0.1:7\n", "mechanism=LOGIN\n",
        "end=client_closed\n"}) {
    EXPECT_NE(log_.text().find(line), std::string::npos) << line;
  }
  EXPECT_EQ(log_.text().find("secret"), std::string::npos);
}

TEST_F(SessionTest, TellsItsOwnerOfEachRefusal) {
  client_->Deliver("LOGIN alice wrong\n");
  network_.RunUntilIdle();
  EXPECT_EQ(refused_, 1);
  EXPECT_EQ(ended_, 0);
}

TEST_F(SessionTest, DrainsBeforeTheLoginAtOnceAndAfterItInPeace) {
  Join();
  session_->EndUnlessJoined(DownstreamMachine::ShutdownReason::kDraining);
  network_.RunUntilIdle();
  EXPECT_EQ(ended_, 0);
  EXPECT_TRUE(session_->joined());
  session_->EndJoined();
  network_.Advance(absl::Seconds(1));
  EXPECT_EQ(ended_, 1);
  EXPECT_EQ(client_->Sent(), "HELLO\nOK\nBYE now\n");
}

TEST_F(SessionTest, SaysGoodByeWhenDrainedBeforeTheLogin) {
  session_->EndUnlessJoined(DownstreamMachine::ShutdownReason::kDraining);
  EXPECT_EQ(ended_, 1);
  EXPECT_EQ(client_->Sent(), "HELLO\nBYE draining\n");
  EXPECT_EQ(joined_, 0);
}

TEST_F(SessionTest, CutsBothSidesWhenDestroyed) {
  Join();
  session_.reset();
  EXPECT_EQ(client_->end(), FakePeer::End::kDropped);
  EXPECT_EQ(store().end(), FakePeer::End::kDropped);
  EXPECT_EQ(network_.timers(), 0u);
}

}  // namespace
}  // namespace gatehouse
