#include "lib/net/uv_network.h"

#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <optional>
#include <thread>
#include <vector>

#include "lib/net/loop_test_kit.h"

namespace gatehouse {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class UvNetworkTest : public LoopTest {};

TEST_F(UvNetworkTest, TimersFireInOrderAndNotSooner) {
  std::vector<int> fired;
  const absl::Time begin = network_->Now();
  absl::Time end;
  auto late = network_->StartTimer(absl::Milliseconds(60), [&] {
    fired.push_back(2);
    end = network_->Now();
  });
  auto soon =
      network_->StartTimer(absl::Milliseconds(20), [&] { fired.push_back(1); });
  auto cancelled =
      network_->StartTimer(absl::Milliseconds(30), [&] { fired.push_back(3); });
  cancelled.reset();
  ASSERT_TRUE(RunUntil([&] { return fired.size() == 2; }));
  EXPECT_THAT(fired, ElementsAre(1, 2));
  EXPECT_GE(end - begin, absl::Milliseconds(60));
}

TEST_F(UvNetworkTest, AnOperationMayDestroyItselfInItsCallback) {
  int done = 0;
  std::unique_ptr<Operation> timer, deferred, job;
  timer = network_->StartTimer(absl::ZeroDuration(), [&] {
    timer.reset();
    ++done;
  });
  deferred = network_->Defer([&] {
    deferred.reset();
    ++done;
  });
  job = network_->RunOffLoop(
      BlockingKind::kCompute, [] {},
      [&] {
        job.reset();
        ++done;
      });
  EXPECT_TRUE(RunUntil([&] { return done == 3; }));
}

TEST_F(UvNetworkTest, DeferredCallsComeInOrderAndAreCancelled) {
  std::vector<int> order;
  auto first = network_->Defer([&] { order.push_back(1); });
  auto second = network_->Defer([&] { order.push_back(2); });
  auto third = network_->Defer([&] { order.push_back(3); });
  second.reset();
  EXPECT_TRUE(order.empty());
  ASSERT_TRUE(RunUntil([&] { return order.size() == 2; }));
  EXPECT_THAT(order, ElementsAre(1, 3));
}

TEST_F(UvNetworkTest, TasksArePostedFromOtherThreads) {
  int seen = 0;
  const std::thread::id loop_thread = std::this_thread::get_id();
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 1000; ++j) {
        network_->Post([&] {
          EXPECT_EQ(std::this_thread::get_id(), loop_thread);
          ++seen;
        });
      }
    });
  }
  EXPECT_TRUE(RunUntil([&] { return seen == 4000; }));
  for (std::thread& thread : threads) thread.join();
}

TEST_F(UvNetworkTest, StopBeforeRunEndsRunAtOnce) {
  network_->Stop();
  network_->Run();
}

TEST_F(UvNetworkTest, BlockingWorkRunsBesideTheLoopAndBesideOtherWork) {
  constexpr int kJobs = 8;
  std::atomic<int> inside = 0;
  int done = 0;
  std::vector<std::unique_ptr<Operation>> jobs;
  for (int i = 0; i < kJobs; ++i) {
    jobs.push_back(network_->RunOffLoop(
        BlockingKind::kCompute,
        [&] {
          // Ends only when all are inside together.
          for (++inside; inside < kJobs;) std::this_thread::yield();
        },
        [&] { ++done; }));
  }
  EXPECT_TRUE(RunUntil([&] { return done == kJobs; }));
}

TEST_F(UvNetworkTest, LookupsThatHangKeepNoOtherWorkWaiting) {
  constexpr int kHanging = 100;  // more than a kind has threads
  std::atomic<bool> hang = true;
  int done = 0;
  std::vector<std::unique_ptr<Operation>> jobs;
  for (int i = 0; i < kHanging; ++i) {
    jobs.push_back(network_->RunOffLoop(
        BlockingKind::kNameLookup,
        [&] {
          while (hang)
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        },
        [&] { ++done; }));
  }
  int others = 0;
  for (const BlockingKind kind : {BlockingKind::kCompute, BlockingKind::kDisk,
                                  BlockingKind::kDirectoryConnect}) {
    jobs.push_back(network_->RunOffLoop(
        kind, [] {}, [&] { ++others; }));
  }
  EXPECT_TRUE(RunUntil([&] { return others == 3; }));
  EXPECT_EQ(done, 0);
  std::optional<Network::ResolveResult> literal;
  jobs.push_back(network_->Resolve(
      "192.0.2.7", [&](auto result) { literal = std::move(result); }));
  EXPECT_TRUE(RunUntil([&] { return literal.has_value(); }));
  EXPECT_EQ(done, 0);
  hang = false;
  EXPECT_TRUE(RunUntil([&] { return done == kHanging; }));
}

TEST_F(UvNetworkTest, CancelledWorkReportsNothing) {
  std::atomic<bool> ran = false;
  bool reported = false;
  auto job = network_->RunOffLoop(
      BlockingKind::kCompute, [&] { ran = true; }, [&] { reported = true; });
  job.reset();
  EXPECT_TRUE(RunUntil([&] { return ran.load(); }));
  RunFor(absl::Milliseconds(20));
  EXPECT_FALSE(reported);
}

TEST_F(UvNetworkTest, WatchesADescriptorUntilTheWatchGoes) {
  int pipe_fds[2];
  ASSERT_EQ(pipe(pipe_fds), 0);
  int calls = 0;
  char octet;
  std::unique_ptr<Operation> watch;
  watch = network_->WatchFd(pipe_fds[0], true, false, [&] {
    EXPECT_EQ(read(pipe_fds[0], &octet, 1), 1);
    if (++calls == 2) watch.reset();
  });
  ASSERT_EQ(write(pipe_fds[1], "abc", 3), 3);
  ASSERT_TRUE(RunUntil([&] { return calls == 2; }));
  RunFor(absl::Milliseconds(20));
  EXPECT_EQ(calls, 2);

  bool writable = false;
  watch = network_->WatchFd(pipe_fds[1], false, true, [&] {
    writable = true;
    watch.reset();
  });
  EXPECT_TRUE(RunUntil([&] { return writable; }));
  close(pipe_fds[0]);
  close(pipe_fds[1]);
}

TEST_F(UvNetworkTest, ANewWatchOfADescriptorReplacesTheOldOne) {
  int pipe_fds[2];
  ASSERT_EQ(pipe(pipe_fds), 0);
  int calls = 0;
  std::unique_ptr<Operation> watch =
      network_->WatchFd(pipe_fds[0], true, false, [&] { FAIL(); });
  watch = network_->WatchFd(pipe_fds[0], true, false, [&] {
    ++calls;
    watch.reset();
  });
  ASSERT_EQ(write(pipe_fds[1], "x", 1), 1);
  EXPECT_TRUE(RunUntil([&] { return calls == 1; }));
  close(pipe_fds[0]);
  close(pipe_fds[1]);
}

TEST_F(UvNetworkTest, ResolvesAddressesAndLocalhost) {
  std::optional<Network::ResolveResult> literal, local, unknown;
  auto a = network_->Resolve("::1",
                             [&](auto result) { literal = std::move(result); });
  auto b = network_->Resolve("localhost",
                             [&](auto result) { local = std::move(result); });
  auto c = network_->Resolve("host.invalid",
                             [&](auto result) { unknown = std::move(result); });
  ASSERT_TRUE(RunUntil([&] { return literal && local && unknown; }));
  EXPECT_EQ(std::get<0>(*literal).front().AddressText(), "::1");
  ASSERT_EQ(local->index(), 0u);
  for (const SocketAddress& address : std::get<0>(*local)) {
    EXPECT_TRUE(address.IsLoopback());
  }
  EXPECT_THAT(std::get<Failure>(*unknown).text, HasSubstr("host.invalid"));
}

TEST_F(UvNetworkTest, ARefusedConnectSaysWhoRefused) {
  auto listener = network_->Listen(Loopback(), {}, [](auto) {});
  ASSERT_TRUE(listener.ok());
  const SocketAddress address = (*listener)->local();
  listener->reset();
  std::optional<Failure> failure;
  auto connect = network_->Connect(
      address, {}, [&](auto result) { failure = std::get<Failure>(result); });
  ASSERT_TRUE(RunUntil([&] { return failure.has_value(); }));
  EXPECT_EQ(failure->kind, Failure::Kind::kUnreachable);
  EXPECT_EQ(failure->side, Failure::Side::kUpstream);
  EXPECT_EQ(failure->retry, Failure::Retry::kSafe);
  EXPECT_EQ(failure->text,
            "connect to " + address.ToString() + ": Connection refused");
}

TEST_F(UvNetworkTest, AConnectThatIsNotAnsweredTimesOut) {
  // A full backlog leaves SYNs unanswered.
  auto listener = network_->Listen(Loopback(), {.backlog = 0}, [](auto) {});
  ASSERT_TRUE(listener.ok());
  const SocketAddress address = (*listener)->local();
  std::vector<int> fillers;
  for (int i = 0; i < 8; ++i) {
    fillers.push_back(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
    connect(fillers.back(), address.raw(), address.raw_size());
  }
  std::optional<Failure> failure;
  auto connect = network_->Connect(
      address, {.timeout = absl::Milliseconds(50), .source = {}},
      [&](auto result) { failure = std::get<Failure>(result); });
  // The loop isn't run before, so that nothing is accepted before the SYN.
  ASSERT_TRUE(RunUntil([&] { return failure.has_value(); }));
  EXPECT_EQ(failure->kind, Failure::Kind::kTimeout);
  for (int fd : fillers) close(fd);
}

TEST_F(UvNetworkTest, ConnectsFromTheSourceAddress) {
  TestEnd accepted;
  auto listener = network_->Listen(
      Loopback(), {}, [&](auto stream) { accepted.Take(std::move(stream)); });
  ASSERT_TRUE(listener.ok());
  std::unique_ptr<Stream> connected;
  auto connect = network_->Connect(
      (*listener)->local(), {.source = *SocketAddress::Parse("127.0.0.9", 0)},
      [&](auto result) { connected = std::move(std::get<0>(result)); });
  ASSERT_TRUE(RunUntil([&] { return accepted.stream && connected; }));
  EXPECT_EQ(accepted.stream->peer().AddressText(), "127.0.0.9");
  EXPECT_EQ(accepted.stream->peer(), connected->local());
  EXPECT_EQ(accepted.stream->local(), connected->peer());
}

TEST_F(UvNetworkTest, AConnectThatIsCancelledIsSilent) {
  auto listener = network_->Listen(Loopback(), {}, [](auto) {});
  ASSERT_TRUE(listener.ok());
  auto connect =
      network_->Connect((*listener)->local(), {}, [](auto) { FAIL(); });
  connect.reset();
  RunFor(absl::Milliseconds(30));
}

TEST_F(UvNetworkTest, APortInUseIsNamed) {
  auto first = network_->Listen(Loopback(), {}, [](auto) {});
  ASSERT_TRUE(first.ok());
  auto second = network_->Listen((*first)->local(), {}, [](auto) {});
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(
      second.status().message(),
      "listen on " + (*first)->local().ToString() + ": Address already in use");
}

TEST_F(UvNetworkTest, ReusedPortsShareTheirConnections) {
  int accepted[2] = {0, 0};
  auto first = network_->Listen(Loopback(), {.reuse_port = true},
                                [&](auto) { ++accepted[0]; });
  ASSERT_TRUE(first.ok());
  auto second = network_->Listen((*first)->local(), {.reuse_port = true},
                                 [&](auto) { ++accepted[1]; });
  ASSERT_TRUE(second.ok());
  std::vector<std::unique_ptr<Operation>> connects;
  for (int i = 0; i < 64; ++i) {
    connects.push_back(network_->Connect((*first)->local(), {}, [](auto) {}));
  }
  ASSERT_TRUE(RunUntil([&] { return accepted[0] + accepted[1] == 64; }));
  EXPECT_GT(accepted[0], 0);
  EXPECT_GT(accepted[1], 0);
}

TEST_F(UvNetworkTest, AListenerMayCloseItselfWhenItAccepts) {
  int accepted = 0;
  absl::StatusOr<std::unique_ptr<Listener>> listener =
      network_->Listen(Loopback(), {}, [&](auto) {
        ++accepted;
        listener->reset();
      });
  ASSERT_TRUE(listener.ok());
  const SocketAddress address = (*listener)->local();
  auto first = network_->Connect(address, {}, [](auto) {});
  auto second = network_->Connect(address, {}, [](auto) {});
  ASSERT_TRUE(RunUntil([&] { return accepted > 0; }));
  RunFor(absl::Milliseconds(20));
  EXPECT_EQ(accepted, 1);
}

// Lowers the limit of descriptors to those that are open, and restores it.
class DescriptorDrought {
 public:
  DescriptorDrought() {
    getrlimit(RLIMIT_NOFILE, &before_);
    rlimit lowered = before_;
    lowered.rlim_cur = 0;
    setrlimit(RLIMIT_NOFILE, &lowered);
  }
  ~DescriptorDrought() { setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_;
};

TEST_F(UvNetworkTest, OutOfDescriptorsAConnectFailsAndSaysSo) {
  DescriptorDrought drought;
  std::optional<Failure> failure;
  auto connect = network_->Connect(Loopback(143), {}, [&](auto result) {
    failure = std::get<Failure>(result);
  });
  ASSERT_TRUE(RunUntil([&] { return failure.has_value(); }));
  EXPECT_EQ(failure->kind, Failure::Kind::kExhausted);
}

struct PauseNotes : ListenerObserver {
  void OnAcceptPaused(std::string_view reason) override {
    ++paused;
    why = reason;
  }
  void OnAcceptResumed() override { ++resumed; }
  int paused = 0;
  int resumed = 0;
  std::string why;
};

TEST_F(UvNetworkTest, OutOfDescriptorsAListenerPausesAndSaysSoOnce) {
  PauseNotes notes;
  ListenOptions options;
  options.observer = &notes;
  int accepted = 0;
  auto listener =
      network_->Listen(Loopback(), options, [&](auto) { ++accepted; });
  ASSERT_TRUE(listener.ok());
  const SocketAddress address = (*listener)->local();
  const int client = socket(AF_INET, SOCK_STREAM, 0);
  ASSERT_EQ(connect(client, address.raw(), address.raw_size()), 0);
  {
    DescriptorDrought drought;
    ASSERT_TRUE(RunUntil([&] { return notes.paused > 0; }));
    RunFor(absl::Milliseconds(350));  // it is tried some more times
    EXPECT_EQ(accepted, 0);
  }
  ASSERT_TRUE(RunUntil([&] { return accepted == 1; }));
  EXPECT_EQ(notes.paused, 1);
  EXPECT_THAT(notes.why, HasSubstr("open files"));
  EXPECT_EQ(notes.resumed, 0) << "it may be exhausted again at once";
  listener->reset();
  EXPECT_EQ(notes.resumed, 1);
  close(client);
}

TEST_F(UvNetworkTest, ConnectionsThatCloseOrResetAtOnceLeaveNothing) {
  int accepted = 0;
  RecordingHandler handler;
  std::vector<std::unique_ptr<Stream>> streams;
  auto listener = network_->Listen(Loopback(), {}, [&](auto stream) {
    ++accepted;
    stream->set_handler(&handler);
    stream->ResumeReading();
    streams.push_back(std::move(stream));
  });
  ASSERT_TRUE(listener.ok());
  const SocketAddress address = (*listener)->local();
  const int before = OpenDescriptors();
  for (int i = 0; i < 1000; ++i) {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    ASSERT_EQ(connect(fd, address.raw(), address.raw_size()), 0);
    const linger reset = {.l_onoff = i % 2, .l_linger = 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    close(fd);
    ASSERT_TRUE(RunUntil([&] { return accepted == i + 1; }));
    streams.clear();
  }
  EXPECT_LE(OpenDescriptors(), before);
}

TEST_F(UvNetworkTest, OutOfDescriptorsItWaitsWithoutSpinningAndRecovers) {
  int accepted = 0;
  std::vector<std::unique_ptr<Stream>> streams;
  auto listener = network_->Listen(Loopback(), {}, [&](auto stream) {
    ++accepted;
    streams.push_back(std::move(stream));
  });
  ASSERT_TRUE(listener.ok());
  std::vector<std::unique_ptr<Operation>> connects;
  for (int i = 0; i < 5; ++i) {
    connects.push_back(
        network_->Connect((*listener)->local(), {}, [&](auto result) {
          streams.push_back(std::move(std::get<0>(result)));
        }));
  }
  rusage before, after;
  {
    DescriptorDrought drought;
    getrusage(RUSAGE_THREAD, &before);
    RunFor(absl::Milliseconds(500));
    getrusage(RUSAGE_THREAD, &after);
  }
  EXPECT_EQ(accepted, 0);
  const auto cpu_us = [](const rusage& usage) {
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1'000'000 +
           usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
  };
  EXPECT_LT(cpu_us(after) - cpu_us(before), 100'000);
  EXPECT_TRUE(RunUntil([&] { return accepted == 5; }));
}

}  // namespace
}  // namespace gatehouse
