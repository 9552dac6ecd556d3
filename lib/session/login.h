#ifndef GATEHOUSE_LIB_SESSION_LOGIN_H_
#define GATEHOUSE_LIB_SESSION_LOGIN_H_

#include <memory>
#include <string>
#include <variant>

#include "absl/functional/any_invocable.h"
#include "lib/base/log.h"
#include "lib/directory/directory.h"
#include "lib/net/network.h"
#include "lib/protocol/machine.h"
#include "lib/protocol/proxy_header.h"
#include "lib/session/login_identity.h"
#include "lib/session/session_record.h"
#include "lib/session/session_settings.h"
#include "lib/session/upstream_session.h"

namespace gatehouse {

// A session from its first byte to the moment when client and store are
// joined. Everything that a login needs (machines, parsers, secrets, timers)
// lives in here and goes with it.
//
// The waits, in order: a balancer's PROXY header, TLS handshake, the client,
// the directory, the upstream.
// One function answers each; read login.cc from the top.
class Login : private StreamHandler {
 public:
  // Both sides, ready to be joined. What stands in `to_client` and `to_store`
  // was read behind the login and goes first.
  struct Joined {
    std::unique_ptr<Stream> downstream;
    std::unique_ptr<Stream> upstream;
    std::string to_client;
    std::string to_store;
  };
  // Over before it was joined; the record says why. The stream is closed.
  struct Ended {};
  using Outcome = std::variant<Joined, Ended>;

  // Told of each refusal, for counters.
  using RefusalObserver = absl::AnyInvocable<void(LoginRefusal::Kind)>;

  // `settings`, `listener` and `record` must outlive this object; `done` is
  // called once and may destroy it. `on_client_named`: a balancer's header has
  // been read, and the record's peer is the client now.
  Login(Network& network, LogSink& log, const SessionSettings& settings,
        const ListenerSettings& listener, SessionRecord& record,
        std::unique_ptr<Stream> downstream, RefusalObserver on_refusal,
        absl::AnyInvocable<void()> on_client_named,
        absl::AnyInvocable<void(Outcome)> done);
  ~Login();

  void Start();

  // Says good-bye in the protocol's words; `done` follows.
  void Shutdown(DownstreamMachine::ShutdownReason reason);

  // Whether the mailbox has arrived, where that is what is waited for.
  void LookAgain();

 private:
  // StreamHandler: the client.
  void OnTlsEstablished() override;
  void OnData(std::string_view bytes) override;
  void OnEof() override;
  void OnDrained() override;
  void OnFailure(const Failure& failure) override;

  void ReadProxyHeader(std::string_view bytes);
  void OnProxyHeader(const ProxyHeader& header);
  void BeginProtocol();
  void Greet();
  void Pump();
  void WriteOutput();
  void RegulateReading();
  void BeginTls();

  void OnAttempt(LoginAttempt attempt);
  void Authenticate(std::string_view user);
  void Locate(std::string_view user);
  void OnAuthenticated(AuthenticateResult result);
  void OnLocated(LocateResult result);
  void OnFound(const Location& location);
  void OpenUpstream(const Location& location);
  void AwaitMove();
  void OnUpstream(const UpstreamTarget& target, const std::string& user,
                  UpstreamOutcome outcome);
  void Join(UpstreamSession upstream);

  void OnDenied(Denial denial, std::string_view name);
  void OnDirectoryFailure(const Failure& failure);
  void OnUpstreamRefusal(UpstreamFailed failed);
  void OnLoop();
  void Refuse(LoginRefusal refusal);
  void Answer(const LoginRefusal& refusal);
  void End(std::string_view how, std::string_view detail);
  void LogFailure(std::string_view event, const Failure& failure);

  UpstreamOptions OptionsFor(const Location& location);
  bool CheckedHere() const;

  Network& network_;
  LogSink& log_;
  const SessionSettings& settings_;
  const ListenerSettings& listener_;
  SessionRecord& record_;
  RefusalObserver on_refusal_;
  absl::AnyInvocable<void()> on_client_named_;
  absl::AnyInvocable<void(Outcome)> done_;

  std::unique_ptr<Stream> downstream_;
  std::unique_ptr<ProxyHeaderParser> proxy_header_;  // while it is awaited
  ProxyHeaderDetector forged_header_;  // looks at what the machine is fed
  std::unique_ptr<DownstreamMachine> machine_;  // null before its TLS is up
  SocketAddress proxied_local_;  // where the client says that it connected to
  bool in_handshake_ = false;
  TlsFacts tls_facts_;
  LoginAttempt attempt_;
  LoginIdentity identity_;  // of the attempt
  absl::Time attempt_began_;
  std::unique_ptr<Operation> deadline_;
  std::unique_ptr<Operation> wait_;  // the one thing that is waited for
  bool awaiting_move_ = false;       // what `wait_` is
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_SESSION_LOGIN_H_
