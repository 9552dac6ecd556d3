#ifndef GATEHOUSE_BENCHMARKS_LOAD_LOAD_SESSION_H_
#define GATEHOUSE_BENCHMARKS_LOAD_LOAD_SESSION_H_

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "benchmarks/load/poller.h"
#include "benchmarks/load/script.h"
#include "benchmarks/load/transport.h"

namespace gatehouse::load {

// What all sessions of a run share, and what they add up to.
struct LoadPlan {
  const Script* script = nullptr;
  TlsClient* tls = nullptr;  // null: no TLS
  bool expect_resumed = false;
  uint64_t repeats = 0;  // of the script's work
  bool hold = false;     // after the login, until ContinueWork()
  std::vector<char> read_buffer;
};

// One connection playing a script to its end, comparing every answer.
class LoadSession final : public Poller::Handler {
 public:
  class Owner {
   public:
    virtual void OnHeld(LoadSession& session) = 0;
    // A whole round of work took this long.
    virtual void OnWorkDone(std::chrono::nanoseconds duration) = 0;
    virtual void OnBulk(size_t bytes) = 0;
    // `failure` "": all was as it should be, and the peer has closed. May
    // delete the session.
    virtual void OnEnd(LoadSession& session, std::string_view failure) = 0;

   protected:
    ~Owner() = default;
  };

  LoadSession(LoadPlan& plan, Owner& owner, Poller& poller, int fd,
              uint64_t user_number);

  void OnReady(uint32_t events) override;

  // Once, from OnHeld() on.
  void ContinueWork();

 private:
  enum class Part { kLogin, kHeld, kWork, kLogout, kAwaitEof };

  // Each false: the session has ended, and this may be gone.
  bool Advance();
  bool Write();
  bool Read();
  bool Take(std::string_view bytes);
  bool TakeLine(std::string_view line);
  bool End(std::string_view failure);

  void BeginStep();
  void BeginPart(Part part);
  void FinishPart();
  const std::vector<Step>& steps() const;
  const Step& step() const { return steps()[step_]; }

  LoadPlan& plan_;
  Owner& owner_;
  Transport transport_;
  const uint64_t user_number_;
  Part part_ = Part::kLogin;
  bool established_ = false;
  size_t step_ = 0;
  uint64_t rounds_done_ = 0;
  std::chrono::steady_clock::time_point round_begin_;
  std::string unsent_;
  std::string partial_line_;
  uint64_t bulk_out_ = 0;
  uint64_t bulk_in_ = 0;
};

}  // namespace gatehouse::load

#endif  // GATEHOUSE_BENCHMARKS_LOAD_LOAD_SESSION_H_
