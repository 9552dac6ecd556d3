#ifndef GATEHOUSE_LIB_SESSION_MAIL_SESSION_H_
#define GATEHOUSE_LIB_SESSION_MAIL_SESSION_H_

#include <cstdint>
#include <memory>

#include "lib/base/log.h"
#include "lib/net/network.h"
#include "lib/protocol/machine.h"
#include "lib/session/mail_settings.h"
#include "lib/session/session_record.h"
#include "lib/session/session_settings.h"

namespace gatehouse {

class MailSession;

// Who keeps mail sessions: the server's worker, or an embedder's own loop.
class MailSessionOwner {
 public:
  // An AUTH was refused; the session goes on.
  virtual void OnLoginRefused(LoginRefusal::Kind kind) {}
  // A message came to its end: the client heard 250, 4xx or 5xx behind it.
  virtual void OnMessage(MailSession& session, int reply_code) {}
  // Over, and logged. The owner destroys the session, here or later.
  virtual void OnEnded(MailSession& session) = 0;

 protected:
  ~MailSessionOwner() = default;
};

// One client's connection that hands in mail: inbound routing, or submission
// in the route mode, by ListenerSettings::role. Used on its network's thread
// only. Destroying it cuts all its connections without a word; the log gets
// its record only from an end of its own.
//
// The log has one "message" record for each message and one "session" record.
class MailSession {
 public:
  // `network`, `log` and `owner` outlive the session.
  MailSession(Network& network, LogSink& log,
              std::shared_ptr<const SessionSettings> settings,
              std::shared_ptr<const MailSettings> mail,
              std::shared_ptr<const ListenerSettings> listener,
              std::unique_ptr<Stream> downstream, MailSessionOwner& owner);
  ~MailSession();

  void Start();

  // Says 421 and ends: at once where no message is on its way, else behind the
  // answer to it.
  void EndWhenIdle(DownstreamMachine::ShutdownReason reason);

  // Says 421 and ends, whatever is under way: nothing of it was promised.
  void End(DownstreamMachine::ShutdownReason reason);

  const SessionRecord& record() const { return record_; }
  // Messages that were answered with 250.
  uint64_t messages() const { return messages_; }

 private:
  SessionRecord record_;
  uint64_t messages_ = 0;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_SESSION_MAIL_SESSION_H_
