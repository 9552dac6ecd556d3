#ifndef GATEHOUSE_LIB_SERVER_ACCEPT_PAUSES_H_
#define GATEHOUSE_LIB_SERVER_ACCEPT_PAUSES_H_

#include <atomic>
#include <string>
#include <string_view>

#include "lib/base/log.h"
#include "lib/net/network.h"

namespace gatehouse {

// Tells the log when a server without descriptors stops accepting, and when it
// goes on: one line each, since the listeners of all workers want for the same
// ones. Safe for all threads.
class AcceptPauses : public ListenerObserver {
 public:
  // `log` must outlive this object.
  AcceptPauses(LogSink& log, std::string_view service)
      : log_(log), service_(service) {}

  void OnAcceptPaused(std::string_view reason) override {
    if (paused_listeners_++ > 0) return;
    log_.Write(LogRecord("accept_paused", LogRecord::Level::kWarning)
                   .Text("service", service_)
                   .Text("detail", reason));
  }

  void OnAcceptResumed() override {
    if (--paused_listeners_ > 0) return;
    log_.Write(LogRecord("accept_resumed", LogRecord::Level::kWarning)
                   .Text("service", service_));
  }

 private:
  LogSink& log_;
  const std::string service_;
  std::atomic<int> paused_listeners_{0};
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_SERVER_ACCEPT_PAUSES_H_
