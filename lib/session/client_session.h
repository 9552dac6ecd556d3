#ifndef GATEHOUSE_LIB_SESSION_CLIENT_SESSION_H_
#define GATEHOUSE_LIB_SESSION_CLIENT_SESSION_H_

#include "lib/protocol/machine.h"
#include "lib/session/session_record.h"

namespace gatehouse {

class ClientSession;

// Who keeps sessions: the server's worker, or an embedder's own accept loop.
class SessionOwner {
 public:
  // A balancer's header has been read: the record's peer, who was the balancer,
  // is the client behind it, or unset where that isn't known. The owner may end
  // the session.
  virtual void OnClientNamed(ClientSession& session) {}
  // A login was refused; the session goes on.
  virtual void OnLoginRefused(LoginRefusal::Kind kind) {}
  // Client and store are joined.
  virtual void OnJoined(ClientSession& session) {}
  // SMTP: a message has been answered, with this code.
  virtual void OnMessage(ClientSession& session, int reply_code) {}
  // Over, and logged. The owner destroys the session, here or later.
  virtual void OnEnded(ClientSession& session) = 0;

 protected:
  ~SessionOwner() = default;
};

// One client's connection, from accept to its end, of whatever kind: what its
// owner needs of it. Used on its network's thread only. Destroying it cuts its
// connections without a word; the log gets its record only from an end of its
// own.
class ClientSession {
 public:
  virtual ~ClientSession() = default;

  // Once, first. May end the session.
  virtual void Start() = 0;

  // Says good-bye and ends as soon as the client is owed nothing. Joined:
  // nothing, the client may finish in peace.
  virtual void EndUnlessJoined(DownstreamMachine::ShutdownReason reason) = 0;

  // Ends a session that EndUnlessJoined() has left, in the protocol's words.
  virtual void EndJoined() = 0;

  // Some mailbox has moved: a login that is held until its own has looks again.
  virtual void LookAgain() {}

  // Whether client and store were joined; true to the end.
  virtual bool joined() const = 0;
  virtual const SessionRecord& record() const = 0;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_SESSION_CLIENT_SESSION_H_
