#ifndef GATEHOUSE_LIB_SESSION_MAIL_FAN_OUT_FIXTURE_H_
#define GATEHOUSE_LIB_SESSION_MAIL_FAN_OUT_FIXTURE_H_

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/protocol/smtp/smtp_protocol.h"
#include "lib/session/mail_fan_out.h"
#include "lib/session/upstream_pool.h"
#include "lib/testing/fake_network.h"
#include "lib/testing/recording_log.h"

namespace gatehouse {

inline const SocketAddress kStore1 = *SocketAddress::Parse("10.0.0.1", 25);
inline const SocketAddress kStore2 = *SocketAddress::Parse("10.0.0.2", 25);
inline const SocketAddress kRelay = *SocketAddress::Parse("10.0.0.9", 25);

inline constexpr std::string_view kMessage = "Subject: x\r\n\r\nhello\r\n";

// Plays the client's session and all upstreams of one message.
class MailFanOutTest : public testing::Test, private MailFanOut::Owner {
 protected:
  MailFanOutTest() {
    settings_.protocol = &SmtpProtocol();
    settings_.host_name = "front.example.com";
    mail_.pool = std::make_shared<UpstreamPool>(network_, UpstreamPoolLimits());
    mail_.spool_folder = testing::TempDir();
    for (const SocketAddress& host : {kStore1, kStore2, kRelay}) {
      network_.ScriptConnect(
          host, FakeNetwork::ConnectScript::kAccept,
          [](FakePeer& peer) { peer.Deliver("220 store\r\n"); });
    }
    envelope_.sender = ParseSmtpAddress("x@example.net");
  }
  // The pool holds things of the network's.
  ~MailFanOutTest() override {
    fan_out_.reset();
    mail_.pool.reset();
  }

  // The stores are spoken to so.
  void UseLmtp() {
    settings_.protocol = &LmtpProtocol();
    mail_.lmtp = true;
  }

  void UseRelay() {
    auto relay = std::make_shared<MailRelay>();
    relay->protocol = &SmtpProtocol();
    relay->endpoint = {"10.0.0.9", 25};
    mail_.fallback_relay = std::move(relay);
    mail_.fan_out = RecipientFanOut::kStream;
  }

  void Begin() {
    fan_out_ = std::make_unique<MailFanOut>(context_, envelope_,
                                            static_cast<Owner&>(*this));
  }

  // Plays the server's part up to the answer to RCPT.
  void Greet(const SocketAddress& host) {
    Say(host, "250 store\r\n");
    Say(host, "250 2.1.0 Ok\r\n");
  }

  FakePeer& Peer(const SocketAddress& host) {
    FakePeer* last = nullptr;
    for (const auto& peer : network_.connected()) {
      if (peer->address() == host) last = peer.get();
    }
    EXPECT_NE(last, nullptr) << host.ToString();
    return *last;
  }
  void Say(const SocketAddress& host, std::string_view line) {
    Peer(host).Deliver(line);
    network_.RunUntilIdle();
  }

  void Ask(const SocketAddress& host, std::string_view recipient) {
    answer_.reset();
    SmtpRcpt rcpt;
    rcpt.recipient = *ParseSmtpAddress(recipient);
    MailRoute route;
    route.host = {settings_.protocol,
                  &settings_.upstream,
                  {{host.AddressText(), host.port()}, TlsMode::kNone},
                  nullptr,
                  mail_.lmtp};
    route.rcpt = rcpt;
    fan_out_->AddRecipient(route, rcpt);
    network_.RunUntilIdle();
  }

  // The same of somebody else's recipient, for the relay.
  void AskRelay(std::string_view recipient) {
    answer_.reset();
    SmtpRcpt rcpt;
    rcpt.recipient = *ParseSmtpAddress(recipient);
    fan_out_->AddRecipient({HostOf(*mail_.fallback_relay), rcpt}, rcpt);
    network_.RunUntilIdle();
  }

  void OpenBody() {
    fan_out_->BeginBody();
    network_.RunUntilIdle();
  }
  void SendBody(std::string_view body = kMessage) {
    fan_out_->Body(body);
    fan_out_->EndBody();
    network_.RunUntilIdle();
  }

  // bob at store 1 and carol at store 2, both accepted, the relay willing.
  void AcceptTwo() {
    UseRelay();
    Begin();
    Ask(kStore1, "bob@example.com");
    Greet(kStore1);
    Say(kStore1, "250 2.1.5 Ok\r\n");
    Ask(kStore2, "carol@example.com");
    Greet(kRelay);
    Say(kRelay, "250 2.1.5 Ok\r\n");
    Greet(kStore2);
    Say(kStore2, "250 2.1.5 Ok\r\n");
    ASSERT_TRUE(answer_);
    ASSERT_EQ(answer_->code, 250);
  }
  // Then the message, but for the answers to it.
  void TakeTwo(std::string_view body = kMessage) {
    AcceptTwo();
    OpenBody();
    Say(kStore1, "354 go\r\n");
    Say(kStore2, "354 go\r\n");
    ASSERT_TRUE(open_);
    SendBody(body);
  }

  static bool Ended(const FakePeer& peer) {
    return peer.Sent().find("\r\n.\r\n") != std::string::npos;
  }

  FakeNetwork network_;
  RecordingLog log_;
  SessionSettings settings_;
  MailSettings mail_;
  SmtpMail envelope_;
  MailContext context_{network_, log_, settings_, mail_, {}};
  std::optional<SmtpReply> answer_;
  std::optional<SmtpReply> refusal_;
  std::optional<SmtpReply> done_;
  std::vector<SmtpReply> each_;
  bool open_ = false;
  std::unique_ptr<MailFanOut> fan_out_;

 private:
  void OnRecipient(const SmtpReply& reply) override { answer_ = reply; }
  void OnBody(const std::optional<SmtpReply>& refusal) override {
    refusal_ = refusal;
    open_ = !refusal;
  }
  void OnRoom() override {}
  void OnDone(const SmtpReply& reply) override {
    done_ = reply;
    if (fan_out_->answers_each()) {
      for (const auto& recipient : fan_out_->recipients()) {
        each_.push_back(*recipient.outcome);
      }
    }
    fan_out_.reset();
  }
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_SESSION_MAIL_FAN_OUT_FIXTURE_H_
