#ifndef GATEHOUSE_LIB_PROTOCOL_BUFFERED_MACHINE_H_
#define GATEHOUSE_LIB_PROTOCOL_BUFFERED_MACHINE_H_

#include <string>
#include <string_view>
#include <utility>

#include "lib/base/byte_queue.h"
#include "lib/base/check.h"
#include "lib/base/secret.h"
#include "lib/protocol/machine.h"

namespace gatehouse {

// The bytes in and out of a machine, and its hand-over, where all input waits
// in one queue. `Side` is DownstreamMachine or UpstreamMachine.
template <typename Side>
class BufferedMachine : public Side {
 public:
  ~BufferedMachine() override { WipeString(output_); }

  void Feed(std::string_view bytes) final {
    CheckNotHandedOver();
    if (!deaf()) input_.Append(bytes);
  }
  void FeedEof() final {
    CheckNotHandedOver();
    eof_ = true;
  }
  std::string TakeOutput() override { return std::exchange(output_, {}); }
  std::string TakeTrailing() final {
    CheckNotHandedOver();
    GATEHOUSE_CHECK(logged_in(), "no login to hand over");
    handed_over_ = true;
    std::string trailing(input_.bytes());
    input_.Clear();
    return trailing;
  }

 protected:
  // Whether the login has succeeded.
  virtual bool logged_in() const = 0;
  // Whether what comes now is dropped.
  virtual bool deaf() const { return false; }

  void CheckNotHandedOver() const {
    GATEHOUSE_CHECK(!handed_over_, "handed over");
  }

  ByteQueue input_;
  std::string output_;
  bool eof_ = false;

 private:
  bool handed_over_ = false;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_PROTOCOL_BUFFERED_MACHINE_H_
