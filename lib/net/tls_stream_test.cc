#include <string>
#include <vector>

#include "lib/net/loop_test_kit.h"
#include "lib/net/tls_context.h"
#include "lib/testing/test_certificate.h"

namespace gatehouse {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr size_t kMiB = 1024 * 1024;

class TlsStreamTest : public LoopTest {
 protected:
  void SetUp() override { Join(server_, client_); }

  static std::unique_ptr<TlsServerContext> ServerWith(
      const TestAuthority::Subject& subject,
      TlsServerContext::Options options = {}) {
    const TestCertificate files = authority().Issue(subject);
    options.certificates.push_back(
        {files.certificate_file, files.private_key_file});
    auto context = TlsServerContext::Create(options);
    EXPECT_TRUE(context.ok()) << context.status();
    return *std::move(context);
  }

  static std::unique_ptr<TlsClientContext> Client(bool verify = true) {
    auto context = TlsClientContext::Create(
        {.ca_file = authority().ca_file(), .verify = verify});
    EXPECT_TRUE(context.ok()) << context.status();
    return *std::move(context);
  }

  static const TestAuthority& authority() {
    static const TestAuthority* const made = new TestAuthority;
    return *made;
  }

  [[nodiscard]] bool Handshake(std::string_view name = "mail.example.com") {
    server_.stream->StartServerTls(*server_tls_);
    client_.stream->StartClientTls(*client_tls_, name);
    return RunUntil([&] {
      return (server_.handler.established || server_.handler.failure) &&
             (client_.handler.established || client_.handler.failure);
    });
  }

  // What the client says to a server with this certificate.
  std::string Refusal(const TestAuthority::Subject& subject,
                      std::string_view name) {
    server_tls_ = ServerWith(subject);
    EXPECT_TRUE(Handshake(name));
    EXPECT_FALSE(client_.handler.established);
    if (!client_.handler.failure) return "accepted";
    EXPECT_EQ(client_.handler.failure->kind, Failure::Kind::kTls);
    return client_.handler.failure->text;
  }

  std::unique_ptr<TlsServerContext> server_tls_ =
      ServerWith({.dns_names = {"mail.example.com"}});
  std::unique_ptr<TlsClientContext> client_tls_ = Client();
  TestEnd server_, client_;
};

TEST_F(TlsStreamTest, CarriesBytesBothWaysAndEndsWithCloseNotify) {
  ASSERT_TRUE(Handshake());
  ASSERT_TRUE(client_.handler.established && server_.handler.established);
  const std::string bulk(3 * kMiB + 7, 'x');
  server_.stream->Write("* OK\r\n");
  client_.stream->Write(bulk);
  client_.stream->ShutdownWrite();
  server_.stream->ResumeReading();
  client_.stream->ResumeReading();
  ASSERT_TRUE(RunUntil([&] { return server_.handler.eof; }));
  EXPECT_EQ(server_.handler.data, bulk);
  server_.stream->Write("after your end");
  server_.stream->ShutdownWrite();
  ASSERT_TRUE(RunUntil([&] { return client_.handler.eof; }));
  EXPECT_EQ(client_.handler.data, "* OK\r\nafter your end");
}

TEST_F(TlsStreamTest, TellsTheFactsOfTheSession) {
  EXPECT_EQ(client_.stream->tls_session(), nullptr);
  ASSERT_TRUE(Handshake());
  const auto server = server_.stream->tls_session();
  EXPECT_EQ(server->version, "TLSv1.3");
  EXPECT_EQ(server->cipher, "TLS_AES_128_GCM_SHA256");
  EXPECT_EQ(server->server_name, "mail.example.com");
  EXPECT_FALSE(server->resumed);
  EXPECT_FALSE(server->peer_verified);
  const auto client = client_.stream->tls_session();
  EXPECT_TRUE(client->peer_verified);
  EXPECT_EQ(client->peer_subject, "CN=test");
}

TEST_F(TlsStreamTest, WhatWasQueuedBeforeGoesOutUnencrypted) {
  server_.stream->Write("OK begin\r\n");
  server_.stream->StartServerTls(*server_tls_);
  client_.handler.on_data = [&] {
    if (client_.handler.data == "OK begin\r\n") {
      client_.stream->StartClientTls(*client_tls_, "mail.example.com");
    }
  };
  client_.stream->ResumeReading();
  ASSERT_TRUE(RunUntil([&] { return client_.handler.established; }));
}

TEST_F(TlsStreamTest, WhatIsWrittenDuringTheHandshakeIsEncrypted) {
  server_.stream->StartServerTls(*server_tls_);
  server_.stream->Write("* OK\r\n");
  EXPECT_EQ(server_.stream->queued_bytes(), 6u);
  client_.stream->StartClientTls(*client_tls_, "mail.example.com");
  client_.stream->ResumeReading();
  ASSERT_TRUE(RunUntil([&] { return client_.handler.data == "* OK\r\n"; }));
  EXPECT_TRUE(client_.handler.established);
}

TEST_F(TlsStreamTest, APausedStreamShakesHandsAndHoldsDataBack) {
  ASSERT_TRUE(Handshake());
  client_.stream->Write("early");
  RunFor(absl::Milliseconds(20));
  EXPECT_EQ(server_.handler.data, "");
  server_.stream->ResumeReading();
  ASSERT_TRUE(RunUntil([&] { return server_.handler.data == "early"; }));
}

TEST_F(TlsStreamTest, PausingInTheMiddleLosesNothing) {
  ASSERT_TRUE(Handshake());
  const std::string bulk(5 * kMiB, 'x');
  server_.handler.on_data = [&] { server_.stream->PauseReading(); };
  client_.stream->Write(bulk);
  client_.stream->ShutdownWrite();
  std::unique_ptr<Operation> again;
  std::function<void()> resume = [&] {
    server_.stream->ResumeReading();
    again = network_->Defer(resume);
  };
  resume();
  ASSERT_TRUE(RunUntil([&] { return server_.handler.eof; }));
  EXPECT_EQ(server_.handler.data.size(), bulk.size());
}

TEST_F(TlsStreamTest, AFinWithoutCloseNotifyIsAFailureAndNoEof) {
  ASSERT_TRUE(Handshake());
  server_.stream->ResumeReading();
  client_.stream.reset();
  ASSERT_TRUE(RunUntil([&] { return server_.handler.failure.has_value(); }));
  EXPECT_EQ(server_.handler.failure->kind, Failure::Kind::kReset);
  EXPECT_FALSE(server_.handler.eof);
}

TEST_F(TlsStreamTest, RefusesACertificateForAnotherName) {
  EXPECT_EQ(Refusal({.common_name = "mail.example.com",
                     .dns_names = {"other.example.com"}},
                    "mail.example.com"),
            "TLS: the certificate is not accepted: Hostname mismatch");
}

TEST_F(TlsStreamTest, DoesNotTakeTheCommonNameForAHostName) {
  EXPECT_THAT(Refusal({.common_name = "mail.example.com"}, "mail.example.com"),
              HasSubstr("Hostname mismatch"));
}

TEST_F(TlsStreamTest, RefusesAnExpiredCertificate) {
  EXPECT_THAT(Refusal({.dns_names = {"mail.example.com"}, .expired = true},
                      "mail.example.com"),
              HasSubstr("certificate has expired"));
}

TEST_F(TlsStreamTest, RefusesASelfSignedCertificate) {
  EXPECT_THAT(Refusal({.dns_names = {"mail.example.com"}, .self_signed = true},
                      "mail.example.com"),
              HasSubstr("self signed certificate"));
}

TEST_F(TlsStreamTest, ChecksAddressesAgainstAddressesOnly) {
  EXPECT_THAT(Refusal({.dns_names = {"127.0.0.1"}, .addresses = {"127.0.0.2"}},
                      "127.0.0.1"),
              HasSubstr("IP address mismatch"));
}

TEST_F(TlsStreamTest, AcceptsACertificateForTheAddress) {
  server_tls_ = ServerWith({.addresses = {"127.0.0.1", "::1"}});
  ASSERT_TRUE(Handshake("::1"));
  EXPECT_TRUE(client_.handler.established);
  EXPECT_EQ(server_.stream->tls_session()->server_name, "");
}

TEST_F(TlsStreamTest, WithoutVerificationEveryCertificateWillDo) {
  server_tls_ = ServerWith({.expired = true, .self_signed = true});
  client_tls_ = Client(/*verify=*/false);
  ASSERT_TRUE(Handshake());
  EXPECT_TRUE(client_.handler.established);
  EXPECT_FALSE(client_.stream->tls_session()->peer_verified);
}

TEST_F(TlsStreamTest, ANameThatNoCertificateCanHaveIsAFailure) {
  client_.stream->StartClientTls(*client_tls_, std::string_view("a\0b", 3));
  ASSERT_TRUE(RunUntil([&] { return client_.handler.failure.has_value(); }));
  EXPECT_EQ(client_.handler.failure->kind, Failure::Kind::kTls);
}

TEST_F(TlsStreamTest, GarbageInPlaceOfAHandshakeFailsAndIsAnswered) {
  server_.stream->StartServerTls(*server_tls_);
  client_.stream->ResumeReading();
  client_.stream->Write("a LOGIN bob secret\r\n");
  ASSERT_TRUE(RunUntil([&] { return client_.handler.eof; }));
  ASSERT_TRUE(server_.handler.failure);
  EXPECT_EQ(server_.handler.failure->kind, Failure::Kind::kTls);
}

TEST_F(TlsStreamTest, AnEndInTheMiddleOfTheHandshakeIsAFailure) {
  server_.stream->StartServerTls(*server_tls_);
  client_.stream->Write(std::string_view("\x16\x03\x01\x02\x00\x01", 6));
  client_.stream->ShutdownWrite();
  ASSERT_TRUE(RunUntil([&] { return server_.handler.failure.has_value(); }));
  EXPECT_EQ(server_.handler.failure->kind, Failure::Kind::kReset);
}

TEST_F(TlsStreamTest, AThousandRefusedHandshakesLeaveNoDescriptor) {
  const int before = OpenDescriptors();
  for (int i = 0; i < 1000; ++i) {
    TestEnd server, client;
    Join(server, client);
    server.stream->StartServerTls(*server_tls_);
    client.stream->ResumeReading();
    client.stream->Write("GET / HTTP/1.1\r\n\r\n");
    ASSERT_TRUE(
        RunUntil([&] { return server.handler.failure && client.handler.eof; }));
  }
  EXPECT_TRUE(RunUntil([&] { return OpenDescriptors() <= before; }));
}

TEST_F(TlsStreamTest, MayBeDestroyedInEachCallback) {
  server_.handler.on_established = [&] { server_.stream.reset(); };
  server_.stream->StartServerTls(*server_tls_);
  client_.stream->StartClientTls(*client_tls_, "mail.example.com");
  ASSERT_TRUE(RunUntil([&] { return server_.stream == nullptr; }));

  server_ = {}, client_ = {};
  Join(server_, client_);
  server_.handler.on_data = [&] { server_.stream.reset(); };
  ASSERT_TRUE(Handshake());
  server_.stream->ResumeReading();
  client_.stream->Write("x");
  ASSERT_TRUE(RunUntil([&] { return server_.stream == nullptr; }));

  server_ = {}, client_ = {};
  Join(server_, client_);
  server_.handler.on_eof = [&] { server_.stream.reset(); };
  ASSERT_TRUE(Handshake());
  server_.stream->ResumeReading();
  client_.stream->ShutdownWrite();
  ASSERT_TRUE(RunUntil([&] { return server_.stream == nullptr; }));

  server_ = {}, client_ = {};
  Join(server_, client_);
  server_.handler.on_failure = [&] { server_.stream.reset(); };
  server_.stream->StartServerTls(*server_tls_);
  client_.stream->Write("no TLS at all");
  ASSERT_TRUE(RunUntil([&] { return server_.stream == nullptr; }));
}

TEST_F(TlsStreamTest, MayBeGivenAwayInEachState) {
  Stream::CloseAfterFlush(std::move(server_.stream));
  client_.stream->StartClientTls(*client_tls_, "mail.example.com");
  ASSERT_TRUE(RunUntil([&] { return client_.handler.failure.has_value(); }));

  server_ = {}, client_ = {};
  Join(server_, client_);
  server_.handler.on_data = [&] {
    server_.stream->Write("* BYE\r\n");
    Stream::CloseAfterFlush(std::move(server_.stream));
  };
  ASSERT_TRUE(Handshake());
  server_.stream->ResumeReading();
  client_.stream->ResumeReading();
  client_.stream->Write("a LOGOUT\r\n");
  ASSERT_TRUE(RunUntil([&] { return client_.handler.eof; }));
  EXPECT_EQ(client_.handler.data, "* BYE\r\n");
}

TEST_F(TlsStreamTest, AClientCertificateIsAskedForAndNotDemanded) {
  TlsServerContext::Options options;
  options.client_ca_file = authority().ca_file();
  server_tls_ = ServerWith({.dns_names = {"mail.example.com"}}, options);
  ASSERT_TRUE(Handshake());
  EXPECT_TRUE(server_.handler.established) << "a certificate isn't demanded";
  EXPECT_FALSE(server_.stream->tls_session()->peer_verified);
}

}  // namespace
}  // namespace gatehouse
