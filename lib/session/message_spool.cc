#include "lib/session/message_spool.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace gatehouse {

// Belongs to one job at a time, and to the loop between jobs.
struct MessageSpool::File {
  explicit File(std::string_view in) : folder(in) {}
  ~File() {
    if (fd >= 0) close(fd);
  }

  const std::string folder;
  int fd = -1;
  uint64_t size = 0;
  std::string error;  // of a write; empty: none

  void Write(std::string_view octets) {
    if (fd < 0) {
      fd = open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
      if (fd < 0) return SetError();
    }
    while (!octets.empty()) {
      const ssize_t count = pwrite(fd, octets.data(), octets.size(), size);
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) return SetError();
      size += count;
      octets.remove_prefix(count);
    }
  }

  ReadResult Read(uint64_t offset, size_t most) {
    std::string octets(most, '\0');
    ssize_t count = 0;
    do {
      count = pread(fd, octets.data(), octets.size(), offset);
    } while (count < 0 && errno == EINTR);
    if (count < 0) SetError();
    // Taken for the message's end, it would be sent on cut short.
    if (count == 0) error = "spool in " + folder + ": ended early";
    if (!error.empty()) return Failed();
    octets.resize(count);
    return octets;
  }

  void SetError() {
    error = "spool in " + folder + ": " + std::strerror(errno);
  }
  Failure Failed() const {
    return {Failure::Side::kLocal, Failure::Kind::kExhausted,
            Failure::Retry::kSafe, error};
  }
};

MessageSpool::MessageSpool(Network& network, std::string_view folder,
                           absl::AnyInvocable<void()> on_written)
    : network_(network),
      on_written_(std::move(on_written)),
      file_(std::make_shared<File>(folder)) {}

MessageSpool::~MessageSpool() = default;

void MessageSpool::Append(std::string_view octets) {
  size_ += octets.size();
  const size_t kept = std::min(octets.size(), kMemoryBytes - memory_.size());
  memory_.append(octets, 0, kept);
  octets.remove_prefix(kept);
  if (octets.empty() || failure_ != nullptr) return;
  waiting_.append(octets);
  if (job_ == nullptr) WriteOn();
}

void MessageSpool::WriteOn() {
  writing_ = waiting_.size();
  job_ = network_.RunOffLoop(
      BlockingKind::kDisk,
      [file = file_, octets = std::exchange(waiting_, "")] {
        file->Write(octets);
      },
      [this] {
        job_.reset();
        writing_ = 0;
        if (!file_->error.empty()) {
          failure_ = std::make_unique<Failure>(file_->Failed());
          waiting_.clear();
        }
        if (!waiting_.empty()) WriteOn();
        on_written_();
      });
}

std::unique_ptr<Operation> MessageSpool::Read(
    uint64_t offset, size_t most,
    absl::AnyInvocable<void(ReadResult)> done) const {
  auto result = std::make_shared<ReadResult>();
  if (failure_ != nullptr) {
    *result = *failure_;
  } else if (offset < memory_.size() || offset >= size_) {
    *result = offset < size_ ? memory_.substr(offset, most) : "";
  } else {
    return network_.RunOffLoop(
        BlockingKind::kDisk,
        [file = file_, offset = offset - memory_.size(), most, result] {
          *result = file->Read(offset, most);
        },
        [result, done = std::move(done)]() mutable {
          done(std::move(*result));
        });
  }
  return network_.Defer(
      [result, done = std::move(done)]() mutable { done(std::move(*result)); });
}

}  // namespace gatehouse
