#ifndef GATEHOUSE_LIB_SESSION_MAIL_SESSION_FIXTURE_H_
#define GATEHOUSE_LIB_SESSION_MAIL_SESSION_FIXTURE_H_

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "lib/protocol/smtp/smtp_protocol.h"
#include "lib/session/mail_session.h"
#include "lib/session/upstream_pool.h"
#include "lib/testing/fake_directory.h"
#include "lib/testing/fake_network.h"
#include "lib/testing/recording_log.h"

namespace gatehouse {

inline const SocketAddress kStore1 = *SocketAddress::Parse("10.0.0.1", 25);
inline const SocketAddress kStore2 = *SocketAddress::Parse("10.0.0.2", 25);
inline const SocketAddress kRelay = *SocketAddress::Parse("10.0.0.9", 25);

// A server that takes everything but what it is told not to.
struct FakeStore {
  std::map<std::string, std::string> answers;  // to a line that begins so
  std::string messages;                        // with their envelopes
  bool in_message = false;
  std::string unread;

  std::string Answer(const std::string& line) {
    if (in_message) {
      messages += line + "\n";
      if (line != ".") return "";
      in_message = false;
    }
    for (const auto& [begin, answer] : answers) {
      if (line.starts_with(begin)) return answer;
    }
    if (line.starts_with("EHLO")) return "250-store\r\n250 PIPELINING\r\n";
    if (line == "DATA") {
      in_message = true;
      return "354 go\r\n";
    }
    if (line.starts_with("MAIL") || line.starts_with("RCPT")) {
      messages += line + "\n";
    }
    return "250 2.0.0 fine\r\n";
  }

  std::string Hear(std::string_view bytes) {
    unread += bytes;
    std::string answer;
    for (size_t end; (end = unread.find("\r\n")) != std::string::npos;) {
      answer += Answer(unread.substr(0, end));
      unread.erase(0, end + 2);
    }
    return answer;
  }
};

// Plays a client and all upstreams of its session.
class MailSessionTest : public testing::Test, public SessionOwner {
 protected:
  MailSessionTest() {
    settings_ = std::make_shared<SessionSettings>();
    settings_->protocol = &SmtpProtocol();
    settings_->host_name = "mx.example.com";
    settings_->plaintext_login = PlaintextLogin::kAlways;
    directory_ = std::make_shared<FakeDirectory>(network_);
    settings_->directory = directory_;
    settings_->upstream.port = 25;
    mail_ = std::make_shared<MailSettings>();
    mail_->local_domains = {"example.com"};
    mail_->spool_folder = testing::TempDir();
    mail_->pool =
        std::make_shared<UpstreamPool>(network_, UpstreamPoolLimits());
    listener_ = std::make_shared<ListenerSettings>();
    listener_->name = "front:25";
    for (const SocketAddress& host : {kStore1, kStore2, kRelay}) {
      network_.ScriptConnect(
          host, FakeNetwork::ConnectScript::kAccept,
          [](FakePeer& peer) { peer.Deliver("220 store\r\n"); });
    }
    AddUser("alice", kStore1);
    AddUser("bob", kStore2);
  }
  // The pool holds things of the network's.
  ~MailSessionTest() override {
    session_.reset();
    mail_->pool.reset();
  }

  void AddUser(const std::string& name, const SocketAddress& host) {
    const std::string address = name + "@example.com";
    Location location;
    location.user = address;
    location.host = Endpoint{host.AddressText(), 0};
    location.addresses = {address};
    directory_->AddUser(address, "secret", location);
  }

  void NewClient() {
    auto [stream, peer] =
        network_.NewStream(*SocketAddress::Parse("192.0.2.7", 5555),
                           *SocketAddress::Parse("192.0.2.1", 25));
    client_ = peer;
    session_ = std::make_unique<MailSession>(network_, log_, settings_, mail_,
                                             listener_, std::move(stream),
                                             static_cast<SessionOwner&>(*this));
  }
  void Connect() {
    NewClient();
    session_->Start();
    Run();
  }
  // Greeted, and EHLO said.
  void Begin() {
    Connect();
    client_->TakeSent();
    Hears("EHLO client.example.net\r\n");
  }

  // Lets everybody answer until nobody has anything to say.
  void Run() {
    for (bool more = true; more;) {
      network_.RunUntilIdle();
      more = false;
      for (const auto& peer : network_.connected()) {
        if (peer->Sent().empty()) continue;
        FakeStore& store = stores_[peer->address().ToString()];
        const std::string answer = store.Hear(peer->TakeSent());
        if (!answer.empty()) peer->Deliver(answer);
        more = true;
      }
    }
  }

  std::string Hears(std::string_view said) {
    client_->Deliver(said);
    Run();
    return client_->TakeSent();
  }
  FakeStore& store(const SocketAddress& host) {
    return stores_[host.ToString()];
  }

  void UseRelays() {
    auto relay = std::make_shared<MailRelay>();
    relay->protocol = &SmtpProtocol();
    relay->endpoint = {"10.0.0.9", 25};
    mail_->relay_host = relay;
    mail_->fallback_relay = relay;
    mail_->fan_out = RecipientFanOut::kStream;
  }

  void OnLoginRefused(LoginRefusal::Kind kind) override { ++refused_; }
  void OnMessage(ClientSession& session, int code) override { code_ = code; }
  void OnEnded(ClientSession& session) override {
    ++ended_;
    session_.reset();
  }

  FakeNetwork network_;
  RecordingLog log_;
  std::shared_ptr<SessionSettings> settings_;
  std::shared_ptr<MailSettings> mail_;
  std::shared_ptr<ListenerSettings> listener_;
  std::shared_ptr<FakeDirectory> directory_;
  std::map<std::string, FakeStore> stores_;
  std::shared_ptr<FakePeer> client_;
  std::unique_ptr<MailSession> session_;
  int refused_ = 0;
  int ended_ = 0;
  int code_ = 0;
};

inline constexpr std::string_view kMail = "MAIL FROM:<x@example.net>\r\n";
inline constexpr std::string_view kToAlice = "RCPT TO:<alice@example.com>\r\n";
inline constexpr std::string_view kToBob = "RCPT TO:<bob@example.com>\r\n";
inline constexpr std::string_view kBody = "Subject: hi\r\n\r\n..dots\r\n.\r\n";

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_SESSION_MAIL_SESSION_FIXTURE_H_
