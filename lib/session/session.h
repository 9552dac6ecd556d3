#ifndef GATEHOUSE_LIB_SESSION_SESSION_H_
#define GATEHOUSE_LIB_SESSION_SESSION_H_

#include <memory>

#include "lib/base/log.h"
#include "lib/net/network.h"
#include "lib/protocol/machine.h"
#include "lib/session/login.h"
#include "lib/session/session_record.h"
#include "lib/session/session_settings.h"
#include "lib/splice/splice.h"

namespace gatehouse {

class Session;

// Who keeps sessions: the server's worker, or an embedder's own accept loop.
class SessionOwner {
 public:
  // A login was refused; the session goes on.
  virtual void OnLoginRefused(LoginRefusal::Kind kind) {}
  // Client and store are joined.
  virtual void OnJoined(Session& session) {}
  // Over, and logged. The owner destroys the session, here or later.
  virtual void OnEnded(Session& session) = 0;

 protected:
  ~SessionOwner() = default;
};

// One client's connection, from accept to its end: a Login, then a Splice.
// Used on its network's thread only. Destroying it cuts both connections
// without a word; the log gets its record only from an end of its own.
//
// An embedder writes:
//   auto session = std::make_unique<Session>(network, log, settings, listener,
//                                            std::move(stream), owner);
//   session->Start();
class Session {
 public:
  // `network`, `log` and `owner` outlive the session.
  Session(Network& network, LogSink& log,
          std::shared_ptr<const SessionSettings> settings,
          std::shared_ptr<const ListenerSettings> listener,
          std::unique_ptr<Stream> downstream, SessionOwner& owner);
  ~Session();

  void Start();

  // Before the login: says good-bye and ends. Joined: nothing, the client may
  // finish in peace.
  void EndUnlessJoined(DownstreamMachine::ShutdownReason reason);

  // Ends a joined session in a pause of the store's output, with the
  // protocol's good-bye (Splice::EndWith).
  void EndJoined();

  // Whether client and store were joined; true to the end.
  bool joined() const { return joined_; }
  const SessionRecord& record() const { return record_; }

 private:
  void OnLogin(Login::Outcome outcome);
  void OnSpliceEnd(const SpliceResult& result);
  void Finish();

  Network& network_;
  LogSink& log_;
  SessionOwner& owner_;
  const std::shared_ptr<const SessionSettings> settings_;
  const std::shared_ptr<const ListenerSettings> listener_;
  SessionRecord record_;
  bool joined_ = false;
  std::unique_ptr<Login> login_;    // until joined
  std::unique_ptr<Splice> splice_;  // from then on
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_SESSION_SESSION_H_
