#ifndef GATEHOUSE_LIB_NET_LOOP_TEST_KIT_H_
#define GATEHOUSE_LIB_NET_LOOP_TEST_KIT_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/net/uv_network.h"

namespace gatehouse {

// Notes what a stream says, and does what a test wants done in the call.
class RecordingHandler : public StreamHandler {
 public:
  void OnData(std::string_view bytes) override {
    data += bytes;
    if (on_data) on_data();
  }
  void OnEof() override {
    eof = true;
    if (on_eof) on_eof();
  }
  void OnDrained() override {
    ++drained;
    if (on_drained) on_drained();
  }
  void OnTlsEstablished() override {
    established = true;
    if (on_established) on_established();
  }
  void OnFailure(const Failure& reason) override {
    failure = reason;
    if (on_failure) on_failure();
  }

  std::string data;
  bool eof = false;
  bool established = false;
  int drained = 0;
  std::optional<Failure> failure;
  std::function<void()> on_data, on_eof, on_drained, on_established, on_failure;
};

// One side of a connection with its handler.
struct TestEnd {
  std::unique_ptr<Stream> stream;
  RecordingHandler handler;

  void Take(std::unique_ptr<Stream> taken) {
    stream = std::move(taken);
    stream->set_handler(&handler);
  }
};

// A real loop on loopback sockets.
class LoopTest : public ::testing::Test {
 protected:
  // Runs the loop until the condition holds; false after ten seconds.
  [[nodiscard]] bool RunUntil(const std::function<bool()>& condition) {
    const absl::Time begin = network_->Now();
    bool held = false;
    std::unique_ptr<Operation> check;
    std::function<void()> look = [&] {
      held = condition();
      const absl::Duration waited = network_->Now() - begin;
      if (held || waited > absl::Seconds(10)) return network_->Stop();
      // What comes at all mostly comes at once.
      check = waited < absl::Milliseconds(50)
                  ? network_->Defer(look)
                  : network_->StartTimer(absl::Milliseconds(1), look);
    };
    check = network_->Defer(look);
    network_->Run();
    return held;
  }

  void RunFor(absl::Duration duration) {
    auto stop = network_->StartTimer(duration, [this] { network_->Stop(); });
    network_->Run();
  }

  static SocketAddress Loopback(uint16_t port = 0) {
    return *SocketAddress::Parse("127.0.0.1", port);
  }

  // A connection of two streams of this loop.
  void Join(TestEnd& accepted, TestEnd& connected) {
    auto listener = network_->Listen(
        Loopback(), {}, [&accepted](std::unique_ptr<Stream> stream) {
          accepted.Take(std::move(stream));
        });
    ASSERT_TRUE(listener.ok()) << listener.status();
    auto connect = network_->Connect(
        (*listener)->local(), {}, [&connected](Network::ConnectResult result) {
          connected.Take(std::move(std::get<std::unique_ptr<Stream>>(result)));
        });
    ASSERT_TRUE(RunUntil([&] {
      return accepted.stream != nullptr && connected.stream != nullptr;
    }));
  }

  std::unique_ptr<UvNetwork> network_ = UvNetwork::Create();
};

// Descriptors that this process holds.
int OpenDescriptors();

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_NET_LOOP_TEST_KIT_H_
