#ifndef GATEHOUSE_LIB_SESSION_MESSAGE_SPOOL_H_
#define GATEHOUSE_LIB_SESSION_MESSAGE_SPOOL_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "absl/functional/any_invocable.h"
#include "lib/base/failure.h"
#include "lib/net/network.h"

namespace gatehouse {

// A message that may be needed once more: its first octets in memory, the rest
// in a file without a name, which is gone with this object or the process. The
// disk is written and read off the loop.
//
// It isn't a queue: nothing is promised for what lies here, so nothing is
// synchronised to the disk either.
class MessageSpool {
 public:
  static constexpr size_t kMemoryBytes = 64 << 10;

  // `network` outlives the spool. `on_written` is called, later, whenever
  // octets have left pending_bytes().
  MessageSpool(Network& network, std::string_view folder,
               absl::AnyInvocable<void()> on_written);
  ~MessageSpool();

  // All octets are kept whatever their number: the caller watches
  // pending_bytes().
  void Append(std::string_view octets);

  uint64_t size() const { return size_; }
  // Octets on their way to the disk.
  size_t pending_bytes() const { return waiting_.size() + writing_; }
  // The disk is full, or the folder not fit: nothing can be read any more.
  const Failure* failure() const { return failure_.get(); }

  // At most `most` octets from `offset` on, fewer only where memory and file
  // meet; none at the end. Not before pending_bytes() is 0. One at a time.
  using ReadResult = std::variant<std::string, Failure>;
  std::unique_ptr<Operation> Read(
      uint64_t offset, size_t most,
      absl::AnyInvocable<void(ReadResult)> done) const;

 private:
  struct File;

  void WriteOn();

  Network& network_;
  absl::AnyInvocable<void()> on_written_;
  std::string memory_;
  std::string waiting_;
  size_t writing_ = 0;  // in the job's hands
  uint64_t size_ = 0;
  std::shared_ptr<File> file_;  // shared with jobs, which may outlive this
  std::unique_ptr<Failure> failure_;
  std::unique_ptr<Operation> job_;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_SESSION_MESSAGE_SPOOL_H_
