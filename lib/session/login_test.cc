#include "lib/session/login.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "lib/protocol/pop3/pop3_protocol.h"
#include "lib/session/login_fixture.h"
#include "lib/session/upstreams_met.h"

namespace gatehouse {
namespace {

TEST_F(LoginTest, JoinsClientAndStore) {
  Begin();
  EXPECT_EQ(client_->TakeSent(), "HELLO\n");
  Say("LOGIN alice secret\n");
  EXPECT_EQ(store().TakeSent(), "LOGIN alice secret\n");
  StoreSays("OK SORT THREAD\n");
  ASSERT_TRUE(joined());
  EXPECT_EQ(client_->Sent(), "OK SORT THREAD\n");
  EXPECT_EQ(record_.user, "alice");
  EXPECT_EQ(record_.upstream, "10.0.0.1:7");
  EXPECT_EQ(network_.timers(), 0u);
}

TEST_F(LoginTest, NotesTheStoreThatLetItInAndNoOther) {
  settings_.upstreams_met = std::make_shared<UpstreamsMet>();
  Begin();
  Say("LOGIN alice secret\n");
  StoreSays("NO unavailable\n");
  EXPECT_TRUE(settings_.upstreams_met->Since(absl::InfinitePast()).empty());
  Say("LOGIN alice secret\n");
  StoreSays("OK\n");
  ASSERT_TRUE(joined());
  EXPECT_TRUE(settings_.upstreams_met->Since(absl::InfinitePast())
                  .contains("10.0.0.1:7"));
}

TEST_F(LoginTest, HandsOnWhatBothSidesSentBehindTheLogin) {
  Begin();
  Say("LOGIN alice secret\nSELECT inbox\nFETCH");
  StoreSays("OK\n* 5 EXISTS\n");
  ASSERT_TRUE(joined());
  EXPECT_EQ(join().to_store, "SELECT inbox\nFETCH");
  EXPECT_EQ(join().to_client, "* 5 EXISTS\n");
  EXPECT_FALSE(client_->reading());
  EXPECT_FALSE(store().reading());
}

TEST_F(LoginTest, GivesTheStoreTheCanonicalNameOnly) {
  directory_->location.user = "Alice.Canonical";
  settings_.authenticate_on_proxy = false;
  Begin();
  Say("LOGIN alice secret\n");
  EXPECT_EQ(store().Sent(), "LOGIN Alice.Canonical secret\n");
  EXPECT_EQ(record_.user, "Alice.Canonical");
}

TEST_F(LoginTest, LogsInAsMasterUserWhereConfigured) {
  settings_.upstream.login = UpstreamSettings::Login::kMasterUser;
  settings_.upstream.master_user = "gate";
  settings_.upstream.master_password = Secret("m4ster");
  Begin();
  Say("LOGIN alice secret\n");
  EXPECT_EQ(store().Sent(), "MASTER gate alice m4ster\n");
}

TEST_F(LoginTest, LogsInByNameAloneWhereTheStoreTrustsUs) {
  settings_.upstream.login = UpstreamSettings::Login::kXclient;
  Begin();
  Say("LOGIN alice secret\n");
  EXPECT_EQ(store().Sent(), "XCLIENT alice\n");
}

// The store would never hear the password, and let everybody in.
TEST_F(LoginTest, ChecksThePasswordItselfWhereTheStoreCannot) {
  settings_.authenticate_on_proxy = false;
  settings_.upstream.master_user = "gate";
  for (const auto login : {UpstreamSettings::Login::kMasterUser,
                           UpstreamSettings::Login::kXclient}) {
    settings_.upstream.login = login;
    record_ = {};
    Begin();
    client_->TakeSent();
    Say("LOGIN alice wrong\n");
    network_.Advance(settings_.failure_delay);
    EXPECT_EQ(client_->Sent(), "NO credentials\n");
    EXPECT_TRUE(network_.connected().empty());
  }
}

TEST_F(LoginTest, HandsTokensThroughWithoutABind) {
  settings_.token_mechanisms = true;
  Begin();
  Say("TOKEN alice t0ken\n");
  EXPECT_EQ(store().Sent(), "TOKEN alice t0ken\n");
  EXPECT_EQ(directory_->authentications, 0);
}

TEST_F(LoginTest, VerifiesTheNameThatTheDirectoryGave) {
  directory_->location.host = Endpoint{"store1.example.com", 0};
  network_.ScriptResolve("store1.example.com",
                         std::vector<SocketAddress>{kStore});
  settings_.upstream.tls = TlsMode::kImplicit;
  Begin();
  Say("LOGIN alice secret\n");
  EXPECT_EQ(store().verify_name(), "store1.example.com");
  EXPECT_TRUE(store().tls_established());
  EXPECT_EQ(store().Sent(), "LOGIN alice secret\n");
}

TEST_F(LoginTest, SendsNoPasswordBeforeTheStoresTls) {
  settings_.upstream.tls = TlsMode::kStartTls;
  before_greeting_ = [](FakePeer& peer) {
    peer.ScriptTls(FakePeer::TlsScript::kFail);
  };
  Begin();
  Say("LOGIN alice secret\n");
  EXPECT_EQ(store().Sent(), "TLS\n");
  StoreSays("OK\n");
  EXPECT_EQ(store().Sent(), "TLS\n");
  EXPECT_EQ(client_->Sent(), "HELLO\nNO unavailable\n");
  EXPECT_EQ(network_.asked().size(), 1u) << "no second attempt in plain";
}

TEST_F(LoginTest, RefusesThePasswordOverPlaintext) {
  settings_.plaintext_login = PlaintextLogin::kLoopback;
  Begin();
  Say("LOGIN alice secret\n");
  EXPECT_EQ(client_->Sent(), "HELLO\nNO privacy\n");
  EXPECT_EQ(directory_->authentications, 0);
}

TEST_F(LoginTest, StartsTlsAndForgetsWhatCameBefore) {
  settings_.plaintext_login = PlaintextLogin::kNever;
  listener_.tls = TlsMode::kStartTls;
  Begin();
  Say("TLS\nLOGIN mallory injected\n");
  EXPECT_TRUE(client_->tls_established());
  EXPECT_EQ(directory_->authentications, 0);
  Say("LOGIN alice secret\n");
  StoreSays("OK\n");
  ASSERT_TRUE(joined());
  EXPECT_EQ(record_.tls, "TLSv1.3");
}

TEST_F(LoginTest, GreetsAfterImplicitTlsOnly) {
  listener_.tls = TlsMode::kImplicit;
  before_start_ = [](FakePeer& client) {
    client.ScriptTls(FakePeer::TlsScript::kStall);
  };
  Begin();
  EXPECT_EQ(client_->Sent(), "");
  client_->FinishTls(FakePeer::TlsScript::kSucceed);
  network_.RunUntilIdle();
  EXPECT_EQ(client_->Sent(), "HELLO\n");
}

TEST_F(LoginTest, EndsQuietlyWhenTheClientsHandshakeFails) {
  listener_.tls = TlsMode::kImplicit;
  before_start_ = [](FakePeer& client) {
    client.ScriptTls(FakePeer::TlsScript::kFail);
  };
  Begin();
  EXPECT_TRUE(ended());
  EXPECT_EQ(record_.end, "tls_failed");
  EXPECT_EQ(client_->Sent(), "");
}

TEST_F(LoginTest, AnswersWrongUserAndWrongPasswordAlikeAndAtTheSameTime) {
  for (const char* line : {"LOGIN alice wrong\n", "LOGIN nobody secret\n"}) {
    outcome_.reset();
    record_ = {};
    Begin();
    client_->TakeSent();
    Say(line);
    network_.Advance(settings_.failure_delay - absl::Milliseconds(1));
    EXPECT_EQ(client_->Sent(), "") << line;
    network_.Advance(absl::Milliseconds(1));
    EXPECT_EQ(client_->Sent(), "NO credentials\n") << line;
    // The second refusal of a session is twice as late.
    client_->TakeSent();
    Say(line);
    network_.Advance(settings_.failure_delay * 2 - absl::Milliseconds(1));
    EXPECT_EQ(client_->Sent(), "") << line;
    network_.Advance(absl::Milliseconds(1));
    EXPECT_EQ(client_->Sent(), "NO credentials\n") << line;
    login_.reset();
  }
}

TEST_F(LoginTest, EndsAfterTooManyFailedLogins) {
  settings_.failure_delay = absl::ZeroDuration();
  Begin();
  for (int i = 0; i < settings_.limits.failed_logins; ++i) {
    EXPECT_FALSE(ended());
    client_->Deliver("LOGIN alice wrong\n");
    network_.Advance(absl::ZeroDuration());
  }
  EXPECT_TRUE(ended());
  EXPECT_EQ(record_.end, "too_many_failed_logins");
  EXPECT_EQ(client_->end(), FakePeer::End::kFinished);
}

TEST_F(LoginTest, NeverCallsAnOutageAWrongPassword) {
  directory_->mood = OneUserDirectory::Mood::kDown;
  Begin();
  Say("LOGIN alice secret\n");
  network_.Advance(absl::ZeroDuration());
  EXPECT_EQ(client_->Sent(), "HELLO\nNO unavailable\n");
  EXPECT_EQ(log_.events(), std::vector<std::string>{"directory_failure"});
  directory_->mood = OneUserDirectory::Mood::kWell;
  Say("LOGIN alice secret\n");
  StoreSays("OK\n");
  EXPECT_TRUE(joined()) << "the session goes on when the directory is back";
}

TEST_F(LoginTest, WordsWhatTheStoreRefusesByWhoseFaultItIs) {
  const struct {
    bool checked_here;
    UpstreamSettings::Login login;
    const char* store_says;
    const char* client_hears;
    bool forgets_password = false;
  } kCases[] = {
      {true, UpstreamSettings::Login::kReplay, "NO credentials\n",
       "NO contact_admin\n", true},
      {true, UpstreamSettings::Login::kReplay, "NO authorization\n",
       "NO contact_admin\n", true},
      {true, UpstreamSettings::Login::kReplay, "NO unavailable\n",
       "NO unavailable\n"},
      {true, UpstreamSettings::Login::kReplay, "NO in_use\n", "NO in_use\n"},
      {true, UpstreamSettings::Login::kMasterUser, "NO credentials\n",
       "NO contact_admin\n"},
      {false, UpstreamSettings::Login::kMasterUser, "NO credentials\n",
       "NO contact_admin\n"},
      {false, UpstreamSettings::Login::kReplay, "NO credentials\n",
       "NO credentials\n"},
      {false, UpstreamSettings::Login::kReplay, "NO unavailable\n",
       "NO unavailable\n"},
  };
  for (const auto& c : kCases) {
    settings_.authenticate_on_proxy = c.checked_here;
    settings_.upstream.login = c.login;
    outcome_.reset();
    record_ = {};
    directory_->forgotten = 0;
    Begin();
    client_->TakeSent();
    Say("LOGIN alice secret\n");
    StoreSays(c.store_says);
    network_.Advance(settings_.failure_delay);
    EXPECT_EQ(client_->Sent(), c.client_hears);
    EXPECT_EQ(directory_->forgotten, c.forgets_password ? 1 : 0);
    EXPECT_EQ(store().end(), FakePeer::End::kFinished);
    login_.reset();
  }
}

TEST_F(LoginTest, SendsUnknownAccountsToTheDefaultUpstream) {
  settings_.authenticate_on_proxy = false;
  settings_.default_upstream = Endpoint{"10.0.0.1", 7};
  Begin();
  Say("LOGIN nobody secret\n");
  EXPECT_EQ(store().Sent(), "LOGIN nobody secret\n");
}

TEST_F(LoginTest, RefusesUnknownAccountsWithoutADefaultUpstream) {
  settings_.authenticate_on_proxy = false;
  Begin();
  Say("LOGIN nobody secret\n");
  network_.Advance(settings_.failure_delay);
  EXPECT_EQ(client_->Sent(), "HELLO\nNO credentials\n");
  EXPECT_TRUE(network_.asked().empty());
}

TEST_F(LoginTest, WaitsForAMailboxThatIsBeingMoved) {
  directory_->location.moving = true;
  Begin();
  Say("LOGIN alice secret\n");
  network_.Advance(absl::Seconds(5));
  EXPECT_TRUE(network_.asked().empty());
  directory_->location.moving = false;
  network_.Advance(absl::Seconds(1));
  EXPECT_EQ(store().Sent(), "LOGIN alice secret\n");
}

TEST_F(LoginTest, LooksForItsMailboxAtOnceWhenToldOfAMove) {
  directory_->location.moving = true;
  Begin();
  login_->LookAgain();  // there is nothing that it waits for yet
  Say("LOGIN alice secret\n");
  directory_->location.moving = false;
  login_->LookAgain();
  network_.RunUntilIdle();
  EXPECT_EQ(store().Sent(), "LOGIN alice secret\n");
  login_->LookAgain();  // no more
  network_.RunUntilIdle();
  EXPECT_EQ(network_.connected().size(), 1u);
}

TEST_F(LoginTest, DoesntWaitForAMoveForEver) {
  directory_->location.moving = true;
  Begin();
  Say("LOGIN alice secret\n");
  network_.Advance(settings_.move_hold + absl::Seconds(1));
  EXPECT_EQ(client_->Sent(), "HELLO\nNO unavailable\n");
}

TEST_F(LoginTest, ConnectsOnlyWhereTheRulesAllow) {
  const struct {
    const char* host;
    uint16_t port;
    bool allowed;
  } kCases[] = {
      {"10.0.0.1", 0, true},
      {"10.0.0.1", 7777, false},
      {"192.0.2.66", 0, false},
      {"store1.example.com", 0, true},
      {"evil.example.net", 0, false},
      {"rebound.example.net", 0, true},  // resolves into the block
  };
  settings_.upstream.rules.hosts = {*HostPattern::Parse(".example.com"),
                                    *HostPattern::Parse("10.0.0.0/8")};
  settings_.upstream.rules.ports = {7};
  network_.ScriptResolve("store1.example.com",
                         std::vector<SocketAddress>{kStore});
  network_.ScriptResolve(
      "evil.example.net",
      std::vector<SocketAddress>{*SocketAddress::Parse("127.0.0.1", 0)});
  network_.ScriptResolve("rebound.example.net",
                         std::vector<SocketAddress>{kStore});
  for (const auto& c : kCases) {
    directory_->location.host = Endpoint{c.host, c.port};
    const size_t before = network_.asked().size();
    Begin();
    client_->TakeSent();
    Say("LOGIN alice secret\n");
    network_.Advance(absl::ZeroDuration());
    EXPECT_EQ(network_.asked().size() > before, c.allowed) << c.host;
    EXPECT_EQ(client_->Sent(), c.allowed ? "" : "NO contact_admin\n") << c.host;
    login_.reset();
  }
}

TEST_F(LoginTest, RefusesALoopToItsOwnListener) {
  settings_.upstream.rules.own_listeners = {kStore};
  Begin();
  Say("LOGIN alice secret\n");
  network_.Advance(absl::ZeroDuration());
  EXPECT_EQ(store().Sent(), "");
  EXPECT_EQ(client_->Sent(), "HELLO\nNO contact_admin\n");
}

TEST_F(LoginTest, RefusesAForeignAuthorizationIdentityUnasked) {
  Begin();
  Say("LOGIN alice secret admin\n");
  network_.Advance(settings_.failure_delay);
  EXPECT_EQ(client_->Sent(), "HELLO\nNO authorization\n");
  EXPECT_EQ(refusals_, std::vector{LoginRefusal::Kind::kAuthorization});
  EXPECT_EQ(directory_->authentications, 0);
}

TEST_F(LoginTest, SendsNoNameWithAMasterSeparatorToTheDefaultUpstream) {
  settings_.authenticate_on_proxy = false;
  settings_.default_upstream = Endpoint{"10.0.0.1", 7};
  Begin();
  Say("LOGIN victim*master secret\n");
  network_.Advance(settings_.failure_delay);
  Say("TOKEN victim*master secret\n");
  network_.Advance(2 * settings_.failure_delay);
  EXPECT_EQ(client_->Sent(), "HELLO\nNO credentials\nNO credentials\n");
  EXPECT_TRUE(network_.asked().empty());
}

TEST_F(LoginTest, GivesTheDefaultUpstreamNormalisedNamesOnly) {
  settings_.names.default_domain = "example.com";
  settings_.names.lower_case_local = true;
  settings_.authenticate_on_proxy = false;
  settings_.default_upstream = Endpoint{"10.0.0.1", 7};
  Begin();
  Say("LOGIN NoBody secret\n");
  EXPECT_EQ(store().Sent(), "LOGIN nobody@example.com secret\n");
}

TEST_F(LoginTest, OpensAnothersMailboxWithAMastersPassword) {
  settings_.masters = {"*", {"alice"}};
  settings_.default_upstream = Endpoint{"10.0.0.1", 7};
  Begin();
  Say("LOGIN bob*alice secret\n");
  EXPECT_EQ(directory_->authentications, 1);
  EXPECT_EQ(store().TakeSent(), "MASTER alice bob secret\n");
  StoreSays("OK\n");
  ASSERT_TRUE(joined());
  EXPECT_EQ(record_.user, "bob");
  EXPECT_EQ(std::string_view(record_.master), "alice");
}

TEST_F(LoginTest, LetsNobodyBeMasterWithAWrongPassword) {
  settings_.masters = {"*", {"alice"}};
  settings_.default_upstream = Endpoint{"10.0.0.1", 7};
  Begin();
  Say("LOGIN bob*alice wrong\n");
  network_.Advance(settings_.failure_delay);
  EXPECT_EQ(client_->Sent(), "HELLO\nNO credentials\n");
  EXPECT_TRUE(network_.asked().empty());
}

TEST_F(LoginTest, SaysGoodByeWhenTheLoginTakesTooLong) {
  Begin();
  network_.Advance(settings_.login_timeout);
  EXPECT_EQ(client_->Sent(), "HELLO\nBYE timeout\n");
  EXPECT_TRUE(ended());
  EXPECT_TRUE(std::string_view(record_.detail).starts_with("no login in time"));
  EXPECT_EQ(network_.timers(), 0u);
}

TEST_F(LoginTest, IsNotHeldOpenByClientsThatKeepTalking) {
  Begin();
  for (int i = 0; i < 70 && !ended(); ++i) {
    Say("NOOP\n");
    network_.Advance(absl::Seconds(1));
  }
  EXPECT_TRUE(ended());
}

TEST_F(LoginTest, SaysGoodByeWhenDraining) {
  Begin();
  login_->Shutdown(DownstreamMachine::ShutdownReason::kDraining);
  EXPECT_EQ(client_->Sent(), "HELLO\nBYE draining\n");
  EXPECT_TRUE(ended());
}

TEST_F(LoginTest, StopsReadingAClientThatLeavesItsRepliesUnread) {
  Begin();
  client_->set_send_capacity(0);
  std::string many;
  for (int i = 0; i < 10000; ++i) many += "NOOP\n";
  Say(many);
  EXPECT_FALSE(client_->reading());
  client_->set_send_capacity(1 << 20);
  network_.RunUntilIdle();
  EXPECT_TRUE(client_->reading());
}

TEST_F(LoginTest, TakesTheClientsAddressFromABalancer) {
  listener_.proxy_protocol_from = {*Cidr::Parse("192.0.2.0/24")};
  Begin();
  EXPECT_EQ(client_->Sent(), "") << "no greeting before the header";
  Say("PROXY TCP4 198.51.100.9 203.0.113.1 4444 7\r\nQUIT\n");
  EXPECT_EQ(client_->Sent(), "HELLO\nBYE\n");
  EXPECT_EQ(record_.peer.ToString(), "198.51.100.9:4444");
  EXPECT_EQ(clients_named_, 1);
}

// A balancer on this machine: only its own health checks come from here.
TEST_F(LoginTest, AClientWhomTheBalancerDoesNotKnowIsNotFromThisMachine) {
  settings_.plaintext_login = PlaintextLogin::kLoopback;
  client_address_ = *SocketAddress::Parse("127.0.0.1", 5555);
  listener_.proxy_protocol_from = {*Cidr::Parse("127.0.0.0/8")};
  const std::string v2("\r\n\r\n\0\r\nQUIT\n", 12);
  const std::string local = v2 + std::string("\x20\0\0\0", 4);
  const std::string unspecified = v2 + std::string("\x21\0\0\0", 4);
  const std::string from_unix =
      v2 + std::string("\x21\x31\0\xd8", 4) + std::string(216, 'x');
  for (const std::string& header :
       {std::string("PROXY UNKNOWN\r\n"), unspecified, from_unix}) {
    record_ = {};
    Begin();
    Say(header + "LOGIN alice secret\n");
    EXPECT_TRUE(network_.connected().empty());
    EXPECT_FALSE(record_.peer.is_set());
    login_.reset();
  }
  EXPECT_EQ(clients_named_, 3);
  record_ = {};
  Begin();
  Say(local + "LOGIN alice secret\n");
  EXPECT_EQ(store().Sent(), "LOGIN alice secret\n");
  EXPECT_EQ(record_.peer, client_address_);
  EXPECT_EQ(clients_named_, 3);
}

TEST_F(LoginTest, RefusesABalancerWithoutHeaderAndAHeaderFromElsewhere) {
  listener_.proxy_protocol_from = {*Cidr::Parse("192.0.2.0/24")};
  Begin();
  Say("LOGIN alice secret\n");
  EXPECT_TRUE(ended());
  EXPECT_EQ(record_.end, "violation");

  listener_.proxy_protocol_from = {*Cidr::Parse("198.51.100.0/24")};
  outcome_.reset();
  Begin();
  Say("PROXY TCP4 198.51.100.9 203.0.113.1 4444 7\r\n");
  EXPECT_EQ(client_->Sent(), "HELLO\n");
  EXPECT_TRUE(ended());
  EXPECT_EQ(record_.end, "violation");
  EXPECT_EQ(record_.peer, kClient);
}

TEST_F(LoginTest, TellsEachStoreTheClientsAddressInItsOwnWay) {
  using ForwardClient = UpstreamSettings::ForwardClient;
  settings_.upstream.forward_client = ForwardClient::kProtocol;
  settings_.upstream.hosts = {
      {*HostPattern::Parse("quiet.example.com"), ForwardClient::kNone},
      {*HostPattern::Parse(".example.com"), ForwardClient::kProxyV2},
      {*HostPattern::Parse("10.1.0.0/16"), ForwardClient::kNone}};
  const struct {
    const char* host;
    const char* address;
    ForwardClient way;
  } kCases[] = {
      {"10.0.0.1", "10.0.0.1", ForwardClient::kProtocol},
      {"10.1.0.1", "10.1.0.1", ForwardClient::kNone},
      {"Quiet.Example.com.", "10.0.0.2", ForwardClient::kNone},
      {"store.example.com", "10.0.0.3", ForwardClient::kProxyV2},
      // Its name counts, not where it leads to.
      {"store.example.net", "10.1.0.2", ForwardClient::kProtocol},
  };
  for (const auto& c : kCases) {
    const SocketAddress address = *SocketAddress::Parse(c.address, 7);
    network_.ScriptConnect(address, FakeNetwork::ConnectScript::kAccept,
                           [](FakePeer& peer) { peer.Deliver("HELLO\n"); });
    network_.ScriptResolve(c.host, std::vector<SocketAddress>{address});
    directory_->location.host = Endpoint{c.host, 0};
    Begin();
    Say("LOGIN alice secret\n");
    const std::string login = "LOGIN alice secret\n";
    const std::string sent = store().Sent();
    if (c.way == ForwardClient::kProxyV2) {
      EXPECT_TRUE(sent.starts_with("\r\n\r\n")) << c.host;
      EXPECT_TRUE(sent.ends_with(login)) << c.host;
    } else {
      EXPECT_EQ(sent, c.way == ForwardClient::kProtocol
                          ? "CLIENT 192.0.2.7\n" + login
                          : login)
          << c.host;
    }
  }
}

TEST_F(LoginTest, AsksNoStoreForWhatAllAreKnownToOffer) {
  settings_.protocol = &Pop3Protocol();
  settings_.capabilities =
      std::make_shared<CapabilitiesView>(std::make_shared<LearnedCapabilities>(
          std::make_shared<const std::vector<std::string>>(
              std::vector<std::string>{"SASL PLAIN"})));
  store_greets_ = false;
  before_greeting_ = [](FakePeer& peer) { peer.Deliver("+OK\r\n"); };
  Begin();
  Say("USER alice\r\nPASS secret\r\n");
  EXPECT_EQ(store().Sent(), "AUTH PLAIN AGFsaWNlAHNlY3JldA==\r\n");
}

TEST_F(LoginTest, TellsTheStoreTheClientsAddressByProxyHeader) {
  settings_.upstream.forward_client = UpstreamSettings::ForwardClient::kProxyV2;
  Begin();
  Say("LOGIN alice secret\n");
  const std::string sent = store().Sent();
  ProxyHeaderParser parser;
  size_t consumed = 0;
  ASSERT_EQ(parser.Feed(sent, consumed), ProxyHeaderParser::Status::kDone);
  EXPECT_EQ(parser.header().source, kClient);
  EXPECT_EQ(sent.substr(consumed), "LOGIN alice secret\n");
}

}  // namespace
}  // namespace gatehouse
