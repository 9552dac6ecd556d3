#include "lib/net/tls_engine.h"

#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/net/tls_settings.h"
#include "lib/testing/test_certificate.h"

namespace gatehouse {
namespace {

using Status = TlsEngine::Status;
using ::testing::HasSubstr;

const TestAuthority& Authority() {
  static const TestAuthority* const made = new TestAuthority;
  return *made;
}

TlsServerContext::Certificate Files(const TestAuthority::Subject& subject) {
  const TestCertificate made = Authority().Issue(subject);
  return {made.certificate_file, made.private_key_file};
}

TlsServerContext::Options DefaultOptions() {
  TlsServerContext::Options options;
  options.certificates = {
      Files({.common_name = "first", .dns_names = {"mail.example.com"}}),
      Files({.common_name = "second",
             .dns_names = {"*.example.org", "example.org"}})};
  return options;
}

// A peer with settings of its own, over a BIO pair: what our own client
// wouldn't do.
class RawClient {
 public:
  RawClient() : context_(SSL_CTX_new(TLS_method())) {}

  SSL_CTX* context() { return context_.get(); }
  SSL* ssl() {
    if (ssl_ == nullptr) Connect();
    return ssl_.get();
  }
  std::string TakeRecords() {
    std::string records(BIO_ctrl_pending(outside_.get()), '\0');
    BIO_read(outside_.get(), records.data(), records.size());
    return records;
  }
  void Feed(std::string_view records) {
    BIO_write(outside_.get(), records.data(), records.size());
  }

 private:
  void Connect() {
    ssl_.reset(SSL_new(context_.get()));
    BIO *inside, *outside;
    BIO_new_bio_pair(&inside, 1 << 20, &outside, 1 << 20);
    SSL_set_bio(ssl_.get(), inside, inside);
    outside_.reset(outside);
    SSL_set_connect_state(ssl_.get());
  }

  bssl::UniquePtr<SSL_CTX> context_;
  bssl::UniquePtr<SSL> ssl_;
  bssl::UniquePtr<BIO> outside_;
};

class TlsEngineTest : public ::testing::Test {
 protected:
  void StartServer(const TlsServerContext::Options& options) {
    auto context = TlsServerContext::Create(options);
    ASSERT_TRUE(context.ok()) << context.status();
    context_ = *std::move(context);
    server_ = TlsEngine::ForServer(*context_);
  }

  // Feeds each side until neither has anything to say.
  Status Shake() {
    Status status = Status::kNeedsInput;
    for (int i = 0; i < 10 && status == Status::kNeedsInput; ++i) {
      SSL_do_handshake(client_.ssl());
      const std::string records = client_.TakeRecords();
      server_->Feed(records);
      std::string reply;
      status = server_->Handshake(reply);
      server_->HoldInput();
      client_.Feed(reply);
    }
    SSL_do_handshake(client_.ssl());
    return status;
  }

  // What the server knows of a client with this certificate.
  std::unique_ptr<TlsSession> SessionWith(const TestAuthority::Subject& subject,
                                          const std::string& client_identity) {
    TlsServerContext::Options options = DefaultOptions();
    options.client_ca_file = Authority().ca_file();
    options.client_identity = client_identity;
    StartServer(options);
    client_ = RawClient();
    const auto files = Files(subject);
    SSL_CTX_use_certificate_chain_file(client_.context(),
                                       files.certificate_file.c_str());
    SSL_CTX_use_PrivateKey_file(
        client_.context(), files.private_key_file.c_str(), SSL_FILETYPE_PEM);
    EXPECT_EQ(Shake(), Status::kOk) << server_->error_text();
    return server_->Session();
  }

  std::string ServerReads() {
    const std::string records = client_.TakeRecords();
    server_->Feed(records);
    std::string text(64 * 1024, '\0');
    size_t count = 0;
    status_ = server_->Read(text.data(), text.size(), count, reply_);
    server_->HoldInput();
    client_.Feed(std::exchange(reply_, {}));
    text.resize(count);
    return text;
  }

  std::string ClientReads() {
    std::string text(64 * 1024, '\0');
    const int count = SSL_read(client_.ssl(), text.data(), text.size());
    text.resize(std::max(count, 0));
    return text;
  }

  std::string ChosenCertificate(const std::string& server_name) {
    StartServer(DefaultOptions());
    client_.~RawClient();
    new (&client_) RawClient;
    SSL_set_tlsext_host_name(client_.ssl(), server_name.c_str());
    EXPECT_EQ(Shake(), Status::kOk) << server_->error_text();
    bssl::UniquePtr<X509> shown(SSL_get_peer_certificate(client_.ssl()));
    char name[64];
    X509_NAME_get_text_by_NID(X509_get_subject_name(shown.get()),
                              NID_commonName, name, sizeof(name));
    return name;
  }

  std::unique_ptr<TlsServerContext> context_;
  std::unique_ptr<TlsEngine> server_;
  RawClient client_;
  Status status_ = Status::kOk;
  std::string reply_;
};

TEST_F(TlsEngineTest, ChoosesTheCertificateByName) {
  EXPECT_EQ(ChosenCertificate("mail.example.com"), "first");
  EXPECT_EQ(ChosenCertificate("example.org"), "second");
  EXPECT_EQ(ChosenCertificate("IMAP.Example.ORG"), "second");
  EXPECT_EQ(ChosenCertificate("a.b.example.org"), "first") << "two labels";
  EXPECT_EQ(ChosenCertificate("unknown.test"), "first");
}

TEST_F(TlsEngineTest, OddNamesGetTheDefaultCertificate) {
  for (const std::string name : {"../../etc", "trailing\\", "\xff\xfe", "a..b",
                                 ".", "*.example.org x"}) {
    EXPECT_EQ(ChosenCertificate(name), "first") << name;
  }
  EXPECT_EQ(ChosenCertificate(std::string(255, 'a')), "first");
}

TEST_F(TlsEngineTest, AlpnAcceptsOurProtocolAndNoAlpnAtAll) {
  TlsServerContext::Options options = DefaultOptions();
  options.alpn = {"imap"};
  StartServer(options);
  const uint8_t offered[] = "\4http\4imap";
  SSL_CTX_set_alpn_protos(client_.context(), offered, 10);
  EXPECT_EQ(Shake(), Status::kOk);
  const uint8_t* chosen;
  unsigned size;
  SSL_get0_alpn_selected(client_.ssl(), &chosen, &size);
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(chosen), size), "imap");
}

TEST_F(TlsEngineTest, AlpnOfOtherProtocolsIsRefused) {
  TlsServerContext::Options options = DefaultOptions();
  options.alpn = {"imap"};
  StartServer(options);
  const uint8_t offered[] = "\10http/1.1";
  SSL_CTX_set_alpn_protos(client_.context(), offered, 9);
  EXPECT_EQ(Shake(), Status::kFailed);
  EXPECT_THAT(server_->error_text(), HasSubstr("no application protocol"));
}

TEST_F(TlsEngineTest, RefusesTls11) {
  StartServer(DefaultOptions());
  SSL_CTX_set_min_proto_version(client_.context(), TLS1_VERSION);
  SSL_CTX_set_max_proto_version(client_.context(), TLS1_1_VERSION);
  EXPECT_EQ(Shake(), Status::kFailed);
  EXPECT_EQ(server_->error_text(), "TLS: unsupported protocol");
}

TEST_F(TlsEngineTest, RefusesTls12WhereOnly13IsAllowed) {
  TlsServerContext::Options options = DefaultOptions();
  options.minimum_version = "TLSv1.3";
  StartServer(options);
  SSL_CTX_set_max_proto_version(client_.context(), TLS1_2_VERSION);
  EXPECT_EQ(Shake(), Status::kFailed);
}

TEST_F(TlsEngineTest, SpeaksTls12WithForwardSecrecyOnly) {
  StartServer(DefaultOptions());
  SSL_CTX_set_max_proto_version(client_.context(), TLS1_2_VERSION);
  ASSERT_EQ(Shake(), Status::kOk) << server_->error_text();
  EXPECT_EQ(server_->Session()->version, "TLSv1.2");
  EXPECT_THAT(server_->Session()->cipher, HasSubstr("TLS_ECDHE_ECDSA_WITH"));
  EXPECT_THAT(server_->Session()->cipher, HasSubstr("GCM"));
}

TEST_F(TlsEngineTest, RefusesCbcCiphers) {
  StartServer(DefaultOptions());
  SSL_CTX_set_max_proto_version(client_.context(), TLS1_2_VERSION);
  SSL_CTX_set_cipher_list(client_.context(),
                          "ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA");
  EXPECT_EQ(Shake(), Status::kFailed);
  EXPECT_EQ(server_->error_text(), "TLS: no shared cipher");
}

TEST_F(TlsEngineTest, KeyUpdateIsAnsweredAndAFloodOfThemRefused) {
  StartServer(DefaultOptions());
  ASSERT_EQ(Shake(), Status::kOk);
  SSL_key_update(client_.ssl(), SSL_KEY_UPDATE_REQUESTED);
  SSL_write(client_.ssl(), "one", 3);
  EXPECT_EQ(ServerReads(), "one");
  server_->Write("two", reply_);
  client_.Feed(std::exchange(reply_, {}));
  EXPECT_EQ(ClientReads(), "two");
  for (int i = 0; i < 100; ++i) {
    SSL_key_update(client_.ssl(), SSL_KEY_UPDATE_NOT_REQUESTED);
    // Only a write sends it.
    SSL_write(client_.ssl(), "", 0);
  }
  for (int i = 0; i < 3 && status_ != Status::kFailed; ++i) ServerReads();
  EXPECT_EQ(status_, Status::kFailed);
}

TEST_F(TlsEngineTest, ResumesWithATicket) {
  static bssl::UniquePtr<SSL_SESSION> ticket;
  StartServer(DefaultOptions());
  SSL_CTX_set_session_cache_mode(client_.context(), SSL_SESS_CACHE_CLIENT);
  SSL_CTX_sess_set_new_cb(client_.context(), [](SSL*, SSL_SESSION* session) {
    ticket.reset(session);
    return 1;
  });
  ASSERT_EQ(Shake(), Status::kOk);
  EXPECT_FALSE(server_->Session()->resumed);
  // Tickets go out with the first data.
  server_->Write("* OK", reply_);
  client_.Feed(std::exchange(reply_, {}));
  EXPECT_EQ(ClientReads(), "* OK");
  ASSERT_NE(ticket, nullptr);
  EXPECT_EQ(SSL_SESSION_early_data_capable(ticket.get()), 0) << "0-RTT";

  RawClient again;
  SSL_set_session(again.ssl(), ticket.get());
  server_ = TlsEngine::ForServer(*context_);
  for (int i = 0; i < 4; ++i) {
    SSL_do_handshake(again.ssl());
    const std::string records = again.TakeRecords();
    server_->Feed(records);
    std::string reply;
    server_->Handshake(reply);
    server_->HoldInput();
    again.Feed(reply);
  }
  ASSERT_TRUE(server_->established());
  EXPECT_TRUE(server_->Session()->resumed);
  ticket.reset();
}

TEST_F(TlsEngineTest, BytesOneByOneGiveTheSame) {
  StartServer(DefaultOptions());
  for (int round = 0; round < 4 && !server_->established(); ++round) {
    SSL_do_handshake(client_.ssl());
    const std::string records = client_.TakeRecords();
    std::string reply;
    for (const char& octet : records) {
      server_->Feed(std::string_view(&octet, 1));
      if (!server_->established()) server_->Handshake(reply);
      server_->HoldInput();
    }
    client_.Feed(reply);
  }
  ASSERT_TRUE(server_->established()) << server_->error_text();
  SSL_write(client_.ssl(), "hello", 5);
  const std::string records = client_.TakeRecords();
  std::string got;
  for (const char& octet : records) {
    server_->Feed(std::string_view(&octet, 1));
    std::string text(20000, '\0');
    size_t count = 0;
    server_->Read(text.data(), text.size(), count, reply_);
    server_->HoldInput();
    got.append(text, 0, count);
  }
  EXPECT_EQ(got, "hello");
}

TEST_F(TlsEngineTest, AClientCertificateTellsItsNames) {
  const auto session =
      SessionWith({.common_name = "J\xc3\xb6rg, B",
                   .rfc822_names = {"bob@example.com", "b@example.org"}},
                  "rfc822Name");
  EXPECT_TRUE(session->peer_verified);
  EXPECT_EQ(session->peer_subject, "CN=J\xc3\xb6rg\\, B");
  EXPECT_EQ(session->peer_identity, "bob@example.com");
}

TEST_F(TlsEngineTest, AClientIsWhomTheChosenAttributeNames) {
  const TestAuthority::Subject subject = {
      .common_name = "bob",
      .rfc822_names = {"bob@example.com"},
      .attributes = {{"emailAddress", "bob@example.org"},
                     {"UID",
                      "b\xc3\xb6"
                      "b"},
                     {"1.3.6.1.4.1.99999.1", "b-4711"}}};
  const std::pair<const char*, const char*> kIdentities[] = {
      {"rfc822Name", "bob@example.com"},
      {"commonName", "bob"},
      {"emailAddress", "bob@example.org"},
      {"UID",
       "b\xc3\xb6"
       "b"},
      {"1.3.6.1.4.1.99999.1", "b-4711"},
      {"2.5.4.3", "bob"},
      {"organizationName", ""},
      {"1.3.6.1.4.1.99999.2", ""},
  };
  for (const auto& [identity, name] : kIdentities) {
    EXPECT_EQ(SessionWith(subject, identity)->peer_identity, name) << identity;
  }
}

TEST_F(TlsEngineTest, ACertificateThatNamesTwoOrHidesANulNamesNobody) {
  EXPECT_EQ(SessionWith({.common_name = "bob", .attributes = {{"CN", "root"}}},
                        "commonName")
                ->peer_identity,
            "");
  EXPECT_EQ(
      SessionWith({.common_name = std::string("bob\0.evil", 9)}, "commonName")
          ->peer_identity,
      "");
}

TEST_F(TlsEngineTest, RefusesAnIdentityThatIsNoAttribute) {
  TlsServerContext::Options options = DefaultOptions();
  options.client_identity = "mailbox of the bearer";
  const auto context = TlsServerContext::Create(options);
  EXPECT_EQ(context.status().message(),
            "clientIdentity: \"mailbox of the bearer\" is neither rfc822Name "
            "nor a subject\'s attribute");
}

TEST_F(TlsEngineTest, AClientCertificateOfAnotherAuthorityIsRefused) {
  TlsServerContext::Options options = DefaultOptions();
  options.client_ca_file = Authority().ca_file();
  StartServer(options);
  const TestAuthority stranger;
  const TestCertificate files = stranger.Issue({});
  SSL_CTX_use_certificate_chain_file(client_.context(),
                                     files.certificate_file.c_str());
  SSL_CTX_use_PrivateKey_file(client_.context(), files.private_key_file.c_str(),
                              SSL_FILETYPE_PEM);
  EXPECT_EQ(Shake(), Status::kFailed);
  EXPECT_THAT(server_->error_text(),
              HasSubstr("the certificate is not accepted"));
}

TEST_F(TlsEngineTest, ContextsServeAllThreadsAtOnce) {
  StartServer(DefaultOptions());
  const auto client_context =
      TlsClientContext::Create({.ca_file = Authority().ca_file()});
  ASSERT_TRUE(client_context.ok());
  const auto shake = [&] {
    auto server = TlsEngine::ForServer(*context_);
    auto client = TlsEngine::ForClient(**client_context, "mail.example.com");
    std::string to_server, to_client;
    for (int i = 0; i < 4; ++i) {
      client->Feed(to_client);
      to_server.clear();
      if (!client->established()) client->Handshake(to_server);
      client->HoldInput();
      server->Feed(to_server);
      to_client.clear();
      if (!server->established()) server->Handshake(to_client);
      server->HoldInput();
    }
    EXPECT_TRUE(server->established()) << server->error_text();
    EXPECT_TRUE(client->established()) << client->error_text();
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 25; ++j) shake();
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace gatehouse
