#include "lib/server/gathered_log.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <string>

#include "lib/testing/fake_network.h"

namespace gatehouse {
namespace {

// Each write(2) comes out as one packet.
class GatheredLogTest : public testing::Test {
 protected:
  std::string NextWrite() {
    std::string text(64 * 1024, '\0');
    const ssize_t count = read(descriptors_.ends[0], text.data(), text.size());
    text.resize(std::max<ssize_t>(count, 0));
    return text;
  }
  static int64_t LinesIn(const std::string& text) {
    return std::count(text.begin(), text.end(), '\n');
  }

  struct Descriptors {
    Descriptors() {
      EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends),
                0);
    }
    ~Descriptors() {
      close(ends[0]);
      close(ends[1]);
    }
    int ends[2];
  };

  Descriptors descriptors_;
  FakeNetwork network_;
  DescriptorLog descriptor_log_{descriptors_.ends[1], LogRecord::Level::kInfo};
  std::unique_ptr<GatheredLog> log_ =
      std::make_unique<GatheredLog>(descriptor_log_, network_);
};

TEST_F(GatheredLogTest, WritesTheLinesOfAMomentAtOnce) {
  for (int i = 0; i < 3; ++i) log_->Write(LogRecord("session"));
  EXPECT_EQ(NextWrite(), "");
  network_.Advance(absl::Milliseconds(20));
  EXPECT_EQ(LinesIn(NextWrite()), 3);
  log_->Write(LogRecord("session"));
  network_.Advance(absl::Milliseconds(20));
  EXPECT_EQ(LinesIn(NextWrite()), 1);
}

TEST_F(GatheredLogTest, TellsOfTroubleAtOnceAndInOrder) {
  log_->Write(LogRecord("session"));
  log_->Write(LogRecord("trouble", LogRecord::Level::kWarning));
  const std::string text = NextWrite();
  EXPECT_EQ(LinesIn(text), 2);
  EXPECT_LT(text.find("session"), text.find("trouble"));
}

TEST_F(GatheredLogTest, WritesNoMoreThanAPageAtOnce) {
  constexpr int kLines = 100;
  for (int i = 0; i < kLines; ++i) {
    log_->Write(LogRecord("session").Text("user", std::string(100, 'x')));
  }
  network_.Advance(absl::Milliseconds(20));
  int64_t lines = 0;
  int writes = 0;
  for (std::string text = NextWrite(); !text.empty(); text = NextWrite()) {
    EXPECT_LE(text.size(), DescriptorLog::kPageBytes);
    EXPECT_EQ(text.back(), '\n');
    lines += LinesIn(text);
    ++writes;
  }
  EXPECT_EQ(lines, kLines);
  EXPECT_LT(writes, kLines / 10);
}

TEST_F(GatheredLogTest, LosesNothingWhenItGoes) {
  log_->Write(LogRecord("session"));
  log_.reset();
  EXPECT_EQ(LinesIn(NextWrite()), 1);
}

}  // namespace
}  // namespace gatehouse
