// Every fault of every host of a message, alone and in pairs: nothing that a
// client was told is untrue, no recipient is lost, and nobody gets a message
// twice but where mail_fan_out.h says so.
#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "lib/protocol/smtp/smtp_protocol.h"
#include "lib/session/faulty_mail_host.h"
#include "lib/session/mail_fan_out.h"
#include "lib/session/upstream_pool.h"
#include "lib/testing/fake_network.h"
#include "lib/testing/recording_log.h"
#include "lib/testing/test_tls_contexts.h"

namespace gatehouse {
namespace {

const SocketAddress kAddresses[] = {*SocketAddress::Parse("10.0.0.1", 25),
                                    *SocketAddress::Parse("10.0.0.2", 25),
                                    *SocketAddress::Parse("10.0.0.9", 25)};
enum Host { kStore1, kStore2, kRelay };
constexpr Host kAllHosts[] = {kStore1, kStore2, kRelay};

// RFC 5321 §4.5.3.2: what a client waits for the answer to RCPT, for more of
// its message to be read, and for the answer to its end.
constexpr absl::Duration kCommandPatience = absl::Minutes(5);
constexpr absl::Duration kBlockPatience = absl::Minutes(3);
constexpr absl::Duration kCommitPatience = absl::Minutes(10);

struct HostFault {
  Host host;
  FaultyMailHost::Injection injection;

  bool IsAt(MailStep step) const { return injection.step == step; }
};

std::ostream& operator<<(std::ostream& out, const HostFault& fault) {
  return out << "host " << fault.host << " step "
             << static_cast<int>(fault.injection.step) << " fault "
             << static_cast<int>(fault.injection.fault) << " turn "
             << fault.injection.turn;
}

struct Setup {
  bool lmtp = false;
  bool prdr = false;
  bool fallback = true;
  bool encrypted = false;  // STARTTLS, XCLIENT and AUTH are gone through, too
  size_t line_bytes = 10;
};

struct Person {
  const char* address;
  Host host;
};
constexpr int kLines = 10;
constexpr Person kPeople[] = {{"bob@example.com", kStore1},
                              {"beth@example.com", kStore1},
                              {"carol@example.com", kStore2}};

// One client's connection, its transactions, and all hosts.
class World : private MailFanOut::Owner {
 public:
  World(const Setup& setup, const std::vector<HostFault>& faults)
      : setup_(setup), faults_(faults) {
    settings_.protocol = setup.lmtp ? &LmtpProtocol() : &SmtpProtocol();
    settings_.host_name = "front.example.com";
    mail_.pool = std::make_shared<UpstreamPool>(network_, UpstreamPoolLimits());
    mail_.spool_folder = testing::TempDir();
    mail_.lmtp = setup.lmtp;
    mail_.fan_out = RecipientFanOut::kStream;
    context_.client.session_id = "session";
    envelope_.prdr = setup.prdr;
    if (setup.fallback) mail_.fallback_relay = Relay();
    for (const Host host : kAllHosts) {
      hosts_.push_back(std::make_unique<FaultyMailHost>(
          network_, kAddresses[host], OptionsOf(host)));
    }
    for (const HostFault& fault : faults) {
      hosts_[fault.host]->Inject(fault.injection);
    }
    if (!setup.encrypted) return;
    settings_.upstream.tls = TlsMode::kStartTls;
    settings_.upstream.tls_context = TestClientTls();
    settings_.upstream.forward_client =
        UpstreamSettings::ForwardClient::kProtocol;
  }
  ~World() {
    fan_out_.reset();
    mail_.pool.reset();
    EXPECT_EQ(network_.timers(), 0u);
  }

  // A message to everybody.
  void Send() {
    message_ = "Subject: " + std::to_string(++messages_) + "\r\n\r\n";
    for (int i = 0; i < kLines; ++i) {
      message_ += "." + std::string(setup_.line_bytes, 'x') + "\r\n";
    }
    SendAgain();
  }

  // As a client does that was told 451, or nothing.
  void SendAgain() {
    taken_.clear();
    told_.clear();
    body_answer_.reset();
    done_.reset();
    fan_out_ = std::make_unique<MailFanOut>(context_, envelope_,
                                            static_cast<Owner&>(*this));
    for (const Person& person : kPeople) {
      Ask(person);
      if (testing::Test::HasFatalFailure()) return;
    }
    if (!taken_.empty()) SendBody();
    fan_out_.reset();
    Serve();
  }

  void CheckWhatCameOfIt() const {
    for (const Person& person : kPeople) {
      const auto told = told_.find(person.address);
      const bool promised = told != told_.end() && told->second;
      const int copies = Copies(person.address);
      if (promised) {
        EXPECT_GE(copies, 1) << person.address << " is lost";
      }
      if (!MayDouble()) {
        EXPECT_EQ(copies, promised ? 1 : 0) << person.address;
      }
    }
  }

  int Copies(std::string_view address) const {
    int copies = 0;
    for (const auto& host : hosts_) {
      copies += host->Copies(address, message_);
    }
    return copies;
  }
  // "bob 1, beth 1, carol 2"
  std::string AllCopies() const {
    std::string all;
    for (const Person& person : kPeople) {
      const std::string address = person.address;
      if (!all.empty()) all += ", ";
      all += address.substr(0, address.find('@')) + " " +
             std::to_string(Copies(address));
    }
    return all;
  }

  bool promised_to_all() const {
    return told_.size() == std::size(kPeople) &&
           std::all_of(told_.begin(), told_.end(),
                       [](const auto& told) { return told.second; });
  }
  size_t delivered_by_relay() const { return hosts_[kRelay]->deliveries(); }

 private:
  // The cases of mail_fan_out.h: an answer is lost behind an acceptance; or
  // what one host leaves over meets a relay that fails behind its own answers.
  bool MayDouble() const {
    bool relay_fails = false;
    for (const HostFault& fault : faults_) {
      if (fault.IsAt(MailStep::kAnswer)) return true;
      relay_fails = relay_fails || fault.host == kRelay;
    }
    return relay_fails && faults_.size() > 1;
  }

  FaultyMailHost::Options OptionsOf(Host host) const {
    FaultyMailHost::Options options;
    options.lmtp = setup_.lmtp && host != kRelay;
    options.start_tls = setup_.encrypted;
    options.xclient = setup_.encrypted && host != kRelay;
    options.auth = setup_.encrypted && host == kRelay;
    return options;
  }

  std::shared_ptr<MailRelay> Relay() const {
    auto relay = std::make_shared<MailRelay>();
    relay->protocol = &SmtpProtocol();
    relay->endpoint = {kAddresses[kRelay].AddressText(), 25};
    if (!setup_.encrypted) return relay;
    relay->upstream.tls = TlsMode::kStartTls;
    relay->upstream.tls_context = TestClientTls();
    relay->user = "front";
    relay->password = Secret("secret");
    return relay;
  }

  void Serve() {
    for (bool more = true; more;) {
      more = network_.RunUntilIdle();
      for (const auto& host : hosts_) more = host->Serve() || more;
    }
  }

  // Until it is there, as long as a client would wait.
  template <typename Condition>
  void Await(absl::Duration patience, Condition there) {
    Serve();
    constexpr absl::Duration kStep = absl::Seconds(20);
    for (absl::Duration waited; !there(); waited += kStep) {
      ASSERT_LT(waited, patience) << "the client has given up";
      network_.Advance(kStep);
      Serve();
    }
  }

  void Ask(const Person& person) {
    SmtpRcpt rcpt;
    rcpt.recipient = *ParseSmtpAddress(person.address);
    const SocketAddress& address = kAddresses[person.host];
    MailRoute route;
    route.host = {
        settings_.protocol,
        &settings_.upstream,
        {{address.AddressText(), address.port()}, settings_.upstream.tls},
        nullptr,
        mail_.lmtp};
    route.rcpt = rcpt;
    answer_.reset();
    fan_out_->AddRecipient(route, rcpt);
    Await(kCommandPatience, [this] { return answer_.has_value(); });
    if (answer_ && answer_->positive()) taken_.push_back(person.address);
  }

  void SendBody() {
    fan_out_->BeginBody();
    Await(kCommandPatience, [this] { return body_answer_.has_value(); });
    if (!body_answer_ || !body_answer_->positive()) return;
    for (size_t at = 0; at < message_.size();) {
      Await(kBlockPatience, [this] { return fan_out_->room(); });
      if (testing::Test::HasFatalFailure()) return;
      const std::string piece = message_.substr(at, 64 << 10);
      fan_out_->Body(piece);
      at += piece.size();
      Serve();
    }
    fan_out_->EndBody();
    Await(kCommitPatience, [this] { return done_.has_value(); });
  }

  void OnRecipient(const SmtpReply& reply) override { answer_ = reply; }
  void OnBody(const std::optional<SmtpReply>& refusal) override {
    body_answer_ = refusal.value_or(MakeSmtpReply(250, "", ""));
  }
  void OnRoom() override {}
  void OnDone(const SmtpReply& reply) override {
    done_ = reply;
    const bool each = fan_out_->answers_each();
    const auto& recipients = fan_out_->recipients();
    ASSERT_EQ(recipients.size(), taken_.size());
    bool any = false;
    for (size_t i = 0; i < recipients.size(); ++i) {
      const bool positive =
          each ? recipients[i].outcome->positive() : reply.positive();
      any = any || positive;
      told_[taken_[i]] = positive;
    }
    // Clients that see a refusal in the end take all for refused.
    EXPECT_EQ(reply.positive(), any);
    fan_out_.reset();
  }

  const Setup setup_;
  const std::vector<HostFault> faults_;
  FakeNetwork network_;
  RecordingLog log_;
  SessionSettings settings_;
  MailSettings mail_;
  SmtpMail envelope_;
  MailContext context_{network_, log_, settings_, mail_, {}};
  std::vector<std::unique_ptr<FaultyMailHost>> hosts_;
  std::unique_ptr<MailFanOut> fan_out_;

  int messages_ = 0;
  std::string message_;
  std::optional<SmtpReply> answer_, body_answer_, done_;
  std::vector<std::string> taken_;    // 250 behind RCPT
  std::map<std::string, bool> told_;  // those: whether 250 behind the message
};

// Two messages, so that kept connections are met as well.
void SendTwo(const Setup& setup, const std::vector<HostFault>& faults) {
  std::string which;
  for (const HostFault& fault : faults) {
    which += testing::PrintToString(fault) + "; ";
  }
  SCOPED_TRACE(which);
  World world(setup, faults);
  for (int i = 0; i < 2; ++i) {
    world.Send();
    world.CheckWhatCameOfIt();
  }
}

void AddFaults(Host host, MailStep step, int turn,
               std::vector<HostFault>& faults) {
  for (const MailFault fault : kAllMailFaults) {
    if (CanHappen(step, fault)) faults.push_back({host, {step, fault, turn}});
  }
}

class MailFaultMatrixTest : public testing::TestWithParam<Setup> {};

TEST_P(MailFaultMatrixTest, ServesEverybodyOnceWithoutFaults) {
  World world(GetParam(), {});
  for (int i = 0; i < 2; ++i) {
    world.Send();
    world.CheckWhatCameOfIt();
    const bool units_apart = GetParam().fallback || GetParam().prdr;
    EXPECT_EQ(world.promised_to_all(), units_apart);
    EXPECT_EQ(world.delivered_by_relay(), 0u);
  }
}

TEST_P(MailFaultMatrixTest, OneFaultLosesAndDoublesNothing) {
  std::vector<HostFault> faults;
  for (const Host host : kAllHosts) {
    for (const MailStep step : kAllMailSteps) {
      for (const int turn : {FaultyMailHost::kEachTime, 0, 1, 2}) {
        AddFaults(host, step, turn, faults);
      }
    }
  }
  for (const HostFault& fault : faults) SendTwo(GetParam(), {fault});
}

std::string SetupName(const testing::TestParamInfo<Setup>& info) {
  std::string name = info.param.lmtp ? "Lmtp" : "Smtp";
  if (info.param.prdr) name += "Prdr";
  if (!info.param.fallback) name += "Alone";
  if (info.param.encrypted) name += "Encrypted";
  if (info.param.line_bytes > 1000) name += "BeyondMemory";
  return name;
}

INSTANTIATE_TEST_SUITE_P(Each, MailFaultMatrixTest,
                         testing::Values(Setup{}, Setup{.lmtp = true},
                                         Setup{.prdr = true},
                                         Setup{.lmtp = true, .prdr = true},
                                         Setup{.fallback = false},
                                         Setup{.encrypted = true},
                                         Setup{.lmtp = true, .encrypted = true},
                                         Setup{.line_bytes = 40000}),
                         SetupName);

// --- Where a message is doubled ----------------------------------------------
// The cases of mail_fan_out.h that are the hosts' making, each at its work.

TEST(MailDoubledTest, WhenTheRelayFailsForWhatOneHostLeftOver) {
  for (const MailStep step : {MailStep::kRcpt, MailStep::kDot}) {
    const int met_before = step == MailStep::kRcpt ? 1 : 0;
    World world({}, {{kStore2, {MailStep::kDot, MailFault::kRefuse, 0}},
                     {kRelay, {step, MailFault::kRefuse, met_before}}});
    world.Send();
    EXPECT_FALSE(world.promised_to_all());
    EXPECT_EQ(world.AllCopies(), "bob 1, beth 1, carol 0");
    world.SendAgain();
    EXPECT_TRUE(world.promised_to_all());
    EXPECT_EQ(world.AllCopies(), "bob 2, beth 2, carol 1");
  }
}

TEST(MailDoubledTest, WhenAHostsAnswerIsLostBehindItsAcceptance) {
  World first({}, {{kStore1, {MailStep::kAnswer, MailFault::kCut, 0}}});
  first.Send();
  EXPECT_FALSE(first.promised_to_all());
  EXPECT_EQ(first.AllCopies(), "bob 1, beth 1, carol 0");
  first.SendAgain();
  EXPECT_TRUE(first.promised_to_all());
  EXPECT_EQ(first.AllCopies(), "bob 2, beth 2, carol 1");

  // What the second host has accepted unheard is left over to the relay.
  World second({}, {{kStore2, {MailStep::kAnswer, MailFault::kStall, 0}}});
  second.Send();
  EXPECT_TRUE(second.promised_to_all());
  EXPECT_EQ(second.AllCopies(), "bob 1, beth 1, carol 2");

  World relay({}, {{kStore2, {MailStep::kDot, MailFault::kRefuse, 0}},
                   {kRelay, {MailStep::kAnswer, MailFault::kCut, 0}}});
  relay.Send();
  EXPECT_FALSE(relay.promised_to_all());
  EXPECT_EQ(relay.AllCopies(), "bob 1, beth 1, carol 1");
}

TEST(MailDoubledTest, WhenAnLmtpHostsAnswerForOneRecipientIsLost) {
  World world({.lmtp = true},
              {{kStore1, {MailStep::kAnswer, MailFault::kCut, 1}}});
  world.Send();
  EXPECT_TRUE(world.promised_to_all());
  EXPECT_EQ(world.AllCopies(), "bob 1, beth 2, carol 1");
}

// --- Two faults --------------------------------------------------------------

class MailTwoFaultsTest : public testing::TestWithParam<Setup> {};

// The relay is met twice, when it is asked beforehand and for what is left
// over; its turn 1 is the second.
TEST_P(MailTwoFaultsTest, LoseNothing) {
  using S = MailStep;
  std::vector<HostFault> faults;
  for (const Host host : kAllHosts) {
    for (const MailStep step : {S::kConnect, S::kRcpt, S::kBody, S::kDot,
                                S::kNextAnswer, S::kAnswer, S::kAfter}) {
      AddFaults(host, step, FaultyMailHost::kEachTime, faults);
      if (host == kRelay) AddFaults(host, step, 1, faults);
    }
  }
  for (const HostFault& one : faults) {
    for (const HostFault& other : faults) {
      if (one.host < other.host) SendTwo(GetParam(), {one, other});
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Each, MailTwoFaultsTest,
                         testing::Values(Setup{}, Setup{.lmtp = true},
                                         Setup{.lmtp = true, .prdr = true}),
                         SetupName);

}  // namespace
}  // namespace gatehouse
