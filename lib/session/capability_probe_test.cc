#include "lib/session/capability_probe.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "lib/protocol/pop3/pop3_protocol.h"
#include "lib/protocol/proxy_header.h"
#include "lib/session/upstreams_met.h"
#include "lib/testing/fake_network.h"
#include "lib/testing/one_user_directory.h"
#include "lib/testing/recording_log.h"

namespace gatehouse {
namespace {

using Lines = std::vector<std::string>;

constexpr absl::Duration kInterval = absl::Minutes(10);

UpstreamTarget Target(std::string_view host) {
  return {Endpoint{std::string(host), 110}, TlsMode::kNone};
}

class CapabilityProbeTest : public testing::Test {
 protected:
  CapabilityProbeTest() {
    settings_->protocol = &Pop3Protocol();
    settings_->default_upstream = Endpoint{"10.0.0.1", 0};
    settings_->upstream.port = 110;
    settings_->capabilities = std::make_shared<CapabilitiesView>(
        std::make_shared<LearnedCapabilities>());
    settings_->upstreams_met = std::make_shared<UpstreamsMet>();
  }

  void Store(std::string_view host, FakeNetwork::ConnectScript script =
                                        FakeNetwork::ConnectScript::kAccept) {
    network_.ScriptConnect(*SocketAddress::Parse(host, 110), script,
                           [](FakePeer& peer) { peer.Deliver("+OK hi\r\n"); });
  }

  void Begin() {
    probe_ =
        std::make_unique<CapabilityProbe>(network_, log_, settings_, kInterval);
    probe_->Start();
    network_.RunUntilIdle();
  }

  // Answers the store's last unanswered CAPA.
  void Answer(std::string_view host, std::string_view lines) {
    for (const auto& peer : network_.connected()) {
      if (peer->address().AddressText() != host || peer->Sent() != "CAPA\r\n") {
        continue;
      }
      peer->TakeSent();
      peer->Deliver("+OK\r\n" + std::string(lines) + ".\r\n");
      network_.RunUntilIdle();
      EXPECT_EQ(peer->Sent(), "QUIT\r\n");
      EXPECT_EQ(peer->end(), FakePeer::End::kFinished);
      return;
    }
    FAIL() << host << " wasn't asked";
  }

  Lines Learned() const {
    const auto learned = settings_->capabilities->Get();
    return learned == nullptr ? Lines{"unknown"} : *learned;
  }

  size_t Asked(std::string_view host) const {
    return std::count_if(
        network_.asked().begin(), network_.asked().end(),
        [&](const SocketAddress& a) { return a.AddressText() == host; });
  }

  FakeNetwork network_;
  RecordingLog log_;
  std::shared_ptr<SessionSettings> settings_ =
      std::make_shared<SessionSettings>();
  std::unique_ptr<CapabilityProbe> probe_;
};

TEST_F(CapabilityProbeTest, AsksTheDefaultUpstreamAtOnce) {
  Store("10.0.0.1");
  Begin();
  EXPECT_EQ(Learned(), Lines{"unknown"});
  Answer("10.0.0.1", "TOP\r\nUIDL\r\n");
  EXPECT_EQ(Learned(), (Lines{"TOP", "UIDL"}));
  EXPECT_EQ(log_.events(), Lines{"capabilities_learned"});
}

TEST_F(CapabilityProbeTest, PublishesWhatAllHaveInCommon) {
  Store("10.0.0.1");
  Store("10.0.0.2");
  settings_->upstreams_met->Note(Target("10.0.0.2"), network_.Now());
  Begin();
  Answer("10.0.0.1", "TOP\r\nUIDL\r\nEXPIRE 30\r\nUTF8\r\n");
  Answer("10.0.0.2", "utf8\r\nTOP\r\nEXPIRE 60\r\n");
  EXPECT_EQ(Learned(), (Lines{"TOP", "UTF8"}));
}

// Whatever order they answer in, nothing is promised and then taken back.
TEST_F(CapabilityProbeTest, PublishesNothingBeforeAllWereHeard) {
  Store("10.0.0.1");
  Store("10.0.0.2");
  settings_->upstreams_met->Note(Target("10.0.0.2"), network_.Now());
  settings_->upstreams_met->Note(Target("10.0.0.3"), network_.Now());
  Begin();
  Answer("10.0.0.1", "TOP\r\nUIDL\r\n");
  EXPECT_EQ(Learned(), Lines{"unknown"});
  Answer("10.0.0.2", "UIDL\r\n");
  EXPECT_EQ(Learned(), Lines{"UIDL"});
}

// A directory that knows hosts without asking, as a file does.
class ListingDirectory : public OneUserDirectory {
 public:
  using OneUserDirectory::OneUserDirectory;
  std::vector<Location> SampleLocations(size_t most) override {
    return locations;
  }
  void Add(const std::string& host) {
    Location location;
    location.host = Endpoint{host, 0};
    locations.push_back(location);
  }
  std::vector<Location> locations;
};

TEST_F(CapabilityProbeTest, AsksTheHostsThatTheDirectoryNames) {
  Store("10.0.0.2");
  Store("10.0.0.3");
  auto directory = std::make_shared<ListingDirectory>(network_);
  directory->Add("10.0.0.2");
  directory->Add("10.0.0.3");
  directory->Add("10.0.0.2");
  settings_->directory = directory;
  settings_->default_upstream.reset();
  Begin();
  Answer("10.0.0.2", "TOP\r\nUIDL\r\n");
  Answer("10.0.0.3", "TOP\r\n");
  EXPECT_EQ(Learned(), Lines{"TOP"});
  directory->locations.pop_back();  // still named once
  directory->locations.pop_back();
  network_.Advance(absl::Minutes(1));
  EXPECT_EQ(Learned(), (Lines{"TOP", "UIDL"}));
}

TEST_F(CapabilityProbeTest, AsksTheNamesThatAreAllowed) {
  settings_->default_upstream.reset();
  settings_->upstream.rules.hosts = {*HostPattern::Parse("store1.example.com"),
                                     *HostPattern::Parse(".example.org"),
                                     *HostPattern::Parse("10.0.0.0/8")};
  network_.ScriptResolve(
      "store1.example.com",
      std::vector<SocketAddress>{*SocketAddress::Parse("10.0.0.2", 0)});
  Store("10.0.0.2");
  Begin();
  Answer("10.0.0.2", "TOP\r\n");
  EXPECT_EQ(Learned(), Lines{"TOP"});
  EXPECT_EQ(network_.asked().size(), 1u);
}

TEST_F(CapabilityProbeTest, AsksFewAtATimeAndNotWithoutEnd) {
  auto directory = std::make_shared<ListingDirectory>(network_);
  for (int i = 1; i <= 200; ++i) {
    Store("10.0.1." + std::to_string(i), FakeNetwork::ConnectScript::kStall);
    directory->Add("10.0.1." + std::to_string(i));
  }
  settings_->directory = directory;
  Store("10.0.0.1");
  Begin();
  EXPECT_EQ(network_.asked().size(), 4u);
  Answer("10.0.0.1", "TOP\r\n");
  EXPECT_EQ(network_.asked().size(), 5u);
  // Each is given up in its time: all have been asked once in the first round.
  std::set<std::string> asked;
  network_.Advance(absl::Minutes(10));
  for (const SocketAddress& address : network_.asked()) {
    asked.insert(address.AddressText());
  }
  EXPECT_EQ(asked.size(), UpstreamsMet::kMost);
  EXPECT_EQ(Learned(), Lines{"TOP"});
}

// A fresh node before a directory that can't be listed: the first login tells
// it of a store.
TEST_F(CapabilityProbeTest, WhileNothingIsKnownTheFirstHostMetIsAskedAtOnce) {
  settings_->default_upstream.reset();
  Store("10.0.0.2");
  Begin();
  network_.Advance(absl::Hours(1));
  settings_->upstreams_met->Note(Target("10.0.0.2"), network_.Now());
  network_.Advance(absl::Seconds(1));
  Answer("10.0.0.2", "UIDL\r\n");
  EXPECT_EQ(Learned(), Lines{"UIDL"});
}

TEST_F(CapabilityProbeTest, OneThatHasNeverAnsweredIsAskedAgainEachMinute) {
  Begin();
  Store("10.0.0.1");
  network_.Advance(absl::Minutes(1));
  Answer("10.0.0.1", "TOP\r\n");
  EXPECT_EQ(Learned(), Lines{"TOP"});
}

TEST_F(CapabilityProbeTest, AsksAgainAfterTheInterval) {
  Store("10.0.0.1");
  Begin();
  Answer("10.0.0.1", "TOP\r\n");
  network_.Advance(kInterval - absl::Minutes(1));
  EXPECT_EQ(Asked("10.0.0.1"), 1u);
  network_.Advance(absl::Minutes(1));
  EXPECT_EQ(Asked("10.0.0.1"), 2u);
  Answer("10.0.0.1", "UIDL\r\n");
  EXPECT_EQ(Learned(), Lines{"UIDL"});
}

TEST_F(CapabilityProbeTest, AnUpstreamThatIsDownKeepsItsLastAnswer) {
  Store("10.0.0.1");
  Store("10.0.0.2");
  settings_->upstreams_met->Note(Target("10.0.0.2"), network_.Now());
  Begin();
  Answer("10.0.0.1", "TOP\r\nUIDL\r\n");
  Answer("10.0.0.2", "TOP\r\n");
  Store("10.0.0.2", FakeNetwork::ConnectScript::kRefuse);
  for (int round = 0; round < 5; ++round) {
    network_.Advance(kInterval);
    Answer("10.0.0.1", "TOP\r\nUIDL\r\n");
    EXPECT_EQ(Learned(), Lines{"TOP"});
  }
  EXPECT_EQ(Asked("10.0.0.2"), 6u);
  // One line for the change, one for the outage.
  EXPECT_EQ(std::count(log_.events().begin(), log_.events().end(),
                       "capability_probe_failed"),
            1);
}

TEST_F(CapabilityProbeTest, OneThatNeverAnsweredIsNotCounted) {
  Store("10.0.0.1");
  settings_->upstreams_met->Note(Target("10.0.0.2"), network_.Now());
  Begin();
  Answer("10.0.0.1", "TOP\r\n");
  EXPECT_EQ(Learned(), Lines{"TOP"});
}

TEST_F(CapabilityProbeTest, UnknownWhileNobodyAnswers) {
  Begin();
  EXPECT_EQ(Learned(), Lines{"unknown"});
  network_.Advance(kInterval);
  EXPECT_EQ(Learned(), Lines{"unknown"});
  Store("10.0.0.1");
  network_.Advance(absl::Minutes(1));
  Answer("10.0.0.1", "TOP\r\n");
  EXPECT_EQ(Learned(), Lines{"TOP"});
}

TEST_F(CapabilityProbeTest, AStoreThatStallsIsGivenUp) {
  Store("10.0.0.1");
  Begin();
  network_.Advance(settings_->upstream.login_timeout);
  EXPECT_EQ(network_.connected()[0]->end(), FakePeer::End::kFinished);
  network_.Advance(absl::Minutes(1));
  EXPECT_EQ(Asked("10.0.0.1"), 2u);
}

TEST_F(CapabilityProbeTest, NewHostsAreAskedWithinAMinute) {
  Store("10.0.0.1");
  Store("10.0.0.2");
  Begin();
  Answer("10.0.0.1", "TOP\r\nUIDL\r\n");
  network_.Advance(absl::Seconds(1));
  settings_->upstreams_met->Note(Target("10.0.0.2"), network_.Now());
  network_.Advance(absl::Minutes(1));
  Answer("10.0.0.2", "UIDL\r\n");
  EXPECT_EQ(Learned(), Lines{"UIDL"});
  EXPECT_EQ(Asked("10.0.0.1"), 1u);
}

TEST_F(CapabilityProbeTest, HostsThatNobodyMeetsAreForgotten) {
  Store("10.0.0.1");
  Store("10.0.0.2");
  settings_->upstreams_met->Note(Target("10.0.0.2"), network_.Now());
  Begin();
  Answer("10.0.0.1", "TOP\r\nUIDL\r\n");
  Answer("10.0.0.2", "TOP\r\n");
  EXPECT_EQ(Learned(), Lines{"TOP"});
  Store("10.0.0.2", FakeNetwork::ConnectScript::kRefuse);
  network_.Advance(absl::Hours(25));
  EXPECT_EQ(Learned(), (Lines{"TOP", "UIDL"}));
}

TEST_F(CapabilityProbeTest, SendsNoCredentialsAndLeavesNothingBehind) {
  Store("10.0.0.1");
  settings_->upstream.login = UpstreamSettings::Login::kMasterUser;
  settings_->upstream.master_user = "gate";
  settings_->upstream.master_password = Secret("m4ster");
  Begin();
  Answer("10.0.0.1", "SASL PLAIN\r\n");
  probe_.reset();
  EXPECT_EQ(network_.timers(), 0u);
}

// A listener that wants a header hears nobody without one.
TEST_F(CapabilityProbeTest, SpeaksForItselfAsEachUpstreamIsSpokenTo) {
  using ForwardClient = UpstreamSettings::ForwardClient;
  Store("10.0.0.1");
  Store("10.0.0.2");
  settings_->upstreams_met->Note(Target("10.0.0.2"), network_.Now());
  settings_->upstream.forward_client = ForwardClient::kProtocol;
  settings_->upstream.hosts = {
      {*HostPattern::Parse("10.0.0.2"), ForwardClient::kProxyV2}};
  Begin();
  Answer("10.0.0.1", "XCLIENT\r\n");  // and isn't told of a client
  const std::string sent = network_.connected()[1]->Sent();
  ProxyHeaderParser parser;
  size_t consumed = 0;
  ASSERT_EQ(parser.Feed(sent, consumed), ProxyHeaderParser::Status::kDone);
  EXPECT_TRUE(parser.header().local);
  EXPECT_EQ(sent.substr(consumed), "CAPA\r\n");
}

TEST_F(CapabilityProbeTest, CanBeDestroyedInTheMiddleOfAsking) {
  Store("10.0.0.1");
  Begin();
  probe_.reset();
  network_.RunUntilIdle();
  EXPECT_NE(network_.connected()[0]->end(), FakePeer::End::kOpen);
  EXPECT_EQ(network_.timers(), 0u);
}

TEST(UpstreamsMetTest, TheOneMetLongestAgoMakesRoom) {
  UpstreamsMet met;
  const absl::Time start = absl::FromUnixSeconds(1000);
  for (size_t i = 0; i <= UpstreamsMet::kMost; ++i) {
    met.Note(Target("10.0.1." + std::to_string(i)), start + absl::Seconds(i));
  }
  const auto all = met.Since(absl::InfinitePast());
  EXPECT_EQ(all.size(), UpstreamsMet::kMost);
  EXPECT_FALSE(all.contains("10.0.1.0:110"));
}

TEST(UpstreamsMetTest, OneHostWithAndWithoutTlsIsTwo) {
  UpstreamsMet met;
  UpstreamTarget target = Target("10.0.0.1");
  met.Note(target, absl::UnixEpoch());
  met.Note(target, absl::UnixEpoch());
  target.tls = TlsMode::kImplicit;
  met.Note(target, absl::UnixEpoch());
  EXPECT_EQ(met.Since(absl::InfinitePast()).size(), 2u);
  EXPECT_TRUE(met.Since(absl::FromUnixSeconds(1)).empty());
}

}  // namespace
}  // namespace gatehouse
