// The splice on real sockets: with and without TLS, in bulk, and against
// clients that don't read.
#include <fstream>
#include <memory>
#include <optional>
#include <string>

#include "lib/net/loop_test_kit.h"
#include "lib/net/tls_context.h"
#include "lib/splice/splice.h"
#include "lib/testing/test_certificate.h"

namespace gatehouse {
namespace {

constexpr size_t kMiB = 1024 * 1024;

// An endless text, as the octets of a block whose length divides nothing.
class EndlessText {
 public:
  EndlessText() : block_(65537, '\0') {
    uint32_t state = 1;
    for (char& octet : block_) {
      state = state * 1664525 + 1013904223;
      octet = static_cast<char>(state >> 24);
    }
  }

  // What follows at the position, at least one octet of it and at most `most`.
  std::string_view At(size_t position, size_t most) const {
    return std::string_view(block_).substr(position % block_.size(), most);
  }
  bool Matches(size_t position, std::string_view bytes) const {
    while (!bytes.empty()) {
      const std::string_view expected = At(position, bytes.size());
      if (!bytes.starts_with(expected)) return false;
      bytes.remove_prefix(expected.size());
      position += expected.size();
    }
    return true;
  }

 private:
  std::string block_;
};

// Sends so many octets of the text, as fast as they are taken, and checks
// those that come.
class Talker : public StreamHandler {
 public:
  Talker(Stream* stream, size_t to_send) : stream_(stream), left_(to_send) {
    stream_->set_handler(this);
  }
  void Speak() {
    while (left_ > 0 && stream_->queued_bytes() == 0) {
      const std::string_view chunk = text_.At(sent, left_);
      sent += chunk.size();
      left_ -= chunk.size();
      stream_->Write(chunk);
    }
    if (left_ == 0) stream_->ShutdownWrite();
  }
  void OnData(std::string_view bytes) override {
    intact = intact && text_.Matches(received, bytes);
    received += bytes.size();
  }
  void OnEof() override { eof = true; }
  void OnDrained() override { Speak(); }
  void OnFailure(const Failure& reason) override { failure = reason; }

  size_t sent = 0;
  size_t received = 0;
  bool intact = true;
  bool eof = false;
  std::optional<Failure> failure;

 private:
  EndlessText text_;
  Stream* stream_;
  size_t left_;
};

size_t ResidentBytes() {
  size_t total = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> total >> resident;
  return resident * 4096;
}

class SpliceLoopTest : public LoopTest, public SpliceOwner {
 protected:
  void SetUp() override {
    Join(downstream_, client_);
    Join(upstream_, store_);
  }

  void BeginTls(TestEnd& server, TestEnd& client) {
    server.stream->StartServerTls(*server_tls_);
    client.stream->StartClientTls(*client_tls_, "mail.example.com");
    ASSERT_TRUE(RunUntil([&] {
      return server.handler.established && client.handler.established;
    }));
  }

  void StartSplice() {
    splice_ = std::make_unique<Splice>(
        *network_, std::move(downstream_.stream), std::move(upstream_.stream),
        options_, *this);
    splice_->Start("", "");
  }

  std::string_view LastWords() const override { return ""; }
  void OnSpliceEnd(const SpliceResult& result) override {
    result_ = result;
    splice_.reset();
  }

  void CarryBothWays(size_t bytes) {
    StartSplice();
    Talker client(client_.stream.get(), bytes);
    Talker store(store_.stream.get(), 2 * bytes);
    client_.stream->ResumeReading();
    store_.stream->ResumeReading();
    client.Speak();
    store.Speak();
    ASSERT_TRUE(RunUntil([&] { return client.eof && store.eof; }));
    EXPECT_EQ(client.received, 2 * bytes);
    EXPECT_EQ(store.received, bytes);
    EXPECT_TRUE(client.intact && store.intact);
    ASSERT_TRUE(RunUntil([&] { return result_.has_value(); }));
    EXPECT_EQ(result_->bytes_from_downstream, bytes);
    EXPECT_EQ(result_->bytes_from_upstream, 2 * bytes);
  }

  static const TestAuthority& authority() {
    static const TestAuthority* const made = new TestAuthority;
    return *made;
  }
  static std::unique_ptr<TlsServerContext> NewServerTls() {
    const TestCertificate files =
        authority().Issue({.dns_names = {"mail.example.com"}});
    TlsServerContext::Options options;
    options.certificates = {{files.certificate_file, files.private_key_file}};
    return *TlsServerContext::Create(options);
  }
  static std::unique_ptr<TlsClientContext> NewClientTls() {
    TlsClientContext::Options options;
    options.ca_file = authority().ca_file();
    return *TlsClientContext::Create(options);
  }

  std::unique_ptr<TlsServerContext> server_tls_ = NewServerTls();
  std::unique_ptr<TlsClientContext> client_tls_ = NewClientTls();
  TestEnd client_, downstream_, upstream_, store_;
  std::optional<SpliceResult> result_;
  const SpliceOptions options_;
  std::unique_ptr<Splice> splice_;
};

TEST_F(SpliceLoopTest, CarriesBulkBothWays) { CarryBothWays(24 * kMiB + 5); }

TEST_F(SpliceLoopTest, CarriesBulkWithTlsDownstream) {
  BeginTls(downstream_, client_);
  CarryBothWays(8 * kMiB + 5);
}

TEST_F(SpliceLoopTest, CarriesBulkWithTlsOnBothSides) {
  BeginTls(downstream_, client_);
  BeginTls(store_, upstream_);
  CarryBothWays(8 * kMiB + 5);
}

TEST_F(SpliceLoopTest, AClientThatDoesNotReadCostsBoundedMemory) {
  for (const bool tls : {false, true}) {
    client_ = {}, downstream_ = {}, upstream_ = {}, store_ = {};
    SetUp();
    if (tls) BeginTls(downstream_, client_);
    StartSplice();
    Talker store(store_.stream.get(), 256 * kMiB);
    const size_t before = ResidentBytes();
    store.Speak();
    RunFor(absl::Milliseconds(300));
    EXPECT_LT(store.sent, 64 * kMiB);
    EXPECT_LT(ResidentBytes(), before + 24 * kMiB);
    splice_.reset();
  }
}

TEST_F(SpliceLoopTest, ATruncatedTlsSideIsHandedOnAsAReset) {
  BeginTls(store_, upstream_);
  StartSplice();
  Talker client(client_.stream.get(), 0);
  client_.stream->ResumeReading();
  store_.stream->Write("half a message");
  ASSERT_TRUE(RunUntil([&] { return client.received > 0; }));
  store_.stream.reset();
  ASSERT_TRUE(RunUntil([&] { return client.failure.has_value(); }));
  EXPECT_FALSE(client.eof);
  EXPECT_EQ(result_->end, SpliceResult::End::kUpstreamFailed);
}

TEST_F(SpliceLoopTest, AClientThatWritesAfterTheStoresEndStillGetsTheEnd) {
  StartSplice();
  client_.stream->ResumeReading();
  store_.stream->Write("* BYE\r\n");
  store_.stream.reset();
  client_.stream->Write("a NOOP\r\n");
  ASSERT_TRUE(RunUntil([&] { return client_.handler.eof; }));
  client_.stream->Write("b NOOP\r\n");
  ASSERT_TRUE(RunUntil([&] { return result_.has_value(); }));
  EXPECT_EQ(client_.handler.data, "* BYE\r\n");
  EXPECT_EQ(result_->end, SpliceResult::End::kUpstreamClosed);
}

}  // namespace
}  // namespace gatehouse
