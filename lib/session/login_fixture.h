#ifndef GATEHOUSE_LIB_SESSION_LOGIN_FIXTURE_H_
#define GATEHOUSE_LIB_SESSION_LOGIN_FIXTURE_H_

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/session/login.h"
#include "lib/testing/fake_network.h"
#include "lib/testing/one_user_directory.h"
#include "lib/testing/recording_log.h"
#include "lib/testing/test_tls_contexts.h"
#include "lib/testing/toy_protocol.h"

namespace gatehouse {

inline const SocketAddress kClient = *SocketAddress::Parse("192.0.2.7", 5555);
inline const SocketAddress kFrontEnd = *SocketAddress::Parse("192.0.2.1", 7);
inline const SocketAddress kStore = *SocketAddress::Parse("10.0.0.1", 7);

// Plays the client and the store of one login in the toy protocol.
class LoginTest : public testing::Test {
 protected:
  LoginTest() : directory_(std::make_shared<OneUserDirectory>(network_)) {
    settings_.protocol = &ToyProtocol();
    settings_.host_name = "front.example.com";
    settings_.plaintext_login = PlaintextLogin::kAlways;
    settings_.directory = directory_;
    settings_.upstream.port = 7;
    settings_.tls_context = TestServerTls();
    settings_.upstream.tls_context = TestClientTls();
    listener_.name = "test";
    network_.ScriptConnect(kStore, FakeNetwork::ConnectScript::kAccept,
                           [this](FakePeer& peer) {
                             if (before_greeting_) before_greeting_(peer);
                             if (store_greets_) peer.Deliver("HELLO\n");
                           });
  }

  void Begin() {
    auto [stream, peer] = network_.NewStream(client_address_, kFrontEnd);
    client_ = peer;
    if (before_start_) before_start_(*client_);
    record_.peer = client_address_;
    record_.id = "s1";
    record_.began = network_.Now();
    login_ = std::make_unique<Login>(
        network_, log_, settings_, listener_, record_, std::move(stream),
        [this](LoginRefusal::Kind kind) { refusals_.push_back(kind); },
        [this] { ++clients_named_; },
        [this](Login::Outcome outcome) {
          outcome_ = std::move(outcome);
          login_.reset();
        });
    login_->Start();
    network_.RunUntilIdle();
  }

  void Say(std::string_view line) {
    client_->Deliver(line);
    network_.RunUntilIdle();
  }
  void StoreSays(std::string_view line) {
    store().Deliver(line);
    network_.RunUntilIdle();
  }
  FakePeer& store() { return *network_.connected().back(); }
  bool joined() const {
    return outcome_ && std::holds_alternative<Login::Joined>(*outcome_);
  }
  bool ended() const {
    return outcome_ && std::holds_alternative<Login::Ended>(*outcome_);
  }
  Login::Joined& join() { return std::get<Login::Joined>(*outcome_); }

  FakeNetwork network_;
  RecordingLog log_;
  std::shared_ptr<OneUserDirectory> directory_;
  SessionSettings settings_;
  ListenerSettings listener_;
  SessionRecord record_;
  SocketAddress client_address_ = kClient;
  std::function<void(FakePeer&)> before_greeting_;
  std::function<void(FakePeer&)> before_start_;
  bool store_greets_ = true;
  std::shared_ptr<FakePeer> client_;
  std::vector<LoginRefusal::Kind> refusals_;
  int clients_named_ = 0;
  std::optional<Login::Outcome> outcome_;
  std::unique_ptr<Login> login_;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_SESSION_LOGIN_FIXTURE_H_
