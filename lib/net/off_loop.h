#ifndef GATEHOUSE_LIB_NET_OFF_LOOP_H_
#define GATEHOUSE_LIB_NET_OFF_LOOP_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "lib/net/mailbox.h"
#include "lib/net/network.h"

namespace gatehouse {

// Threads for what can only block. They are made on demand and end when idle;
// libuv's own pool of four isn't used, because four hanging name servers would
// stop every login. Each kind of work has threads of its own: what hangs keeps
// none but its like waiting.
class OffLoop {
 public:
  // `mailbox` carries what is done back to the loop.
  explicit OffLoop(std::shared_ptr<Mailbox> mailbox);
  // Drops what hasn't begun and waits a moment for what has; a thread that
  // hangs longer is left behind, and touches nothing of this any more.
  ~OffLoop();

  std::unique_ptr<Operation> Run(BlockingKind kind,
                                 absl::AnyInvocable<void()> work,
                                 absl::AnyInvocable<void()> done);

 private:
  static constexpr size_t kKinds =
      static_cast<size_t>(BlockingKind::kDirectoryConnect) + 1;

  class Job;
  struct Pool;

  void Finish(uint64_t id);

  std::shared_ptr<Mailbox> mailbox_;
  // Made with the first work of its kind.
  std::array<std::shared_ptr<Pool>, kKinds> pools_;
  // Those whose `done` is still wanted; touched by the loop only, so that
  // nothing of it dies on another thread.
  absl::flat_hash_map<uint64_t, Job*> jobs_;
  uint64_t next_id_ = 0;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_NET_OFF_LOOP_H_
