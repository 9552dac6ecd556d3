#ifndef GATEHOUSE_LIB_SESSION_MAIL_SESSION_H_
#define GATEHOUSE_LIB_SESSION_MAIL_SESSION_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "lib/base/log.h"
#include "lib/net/network.h"
#include "lib/net/stream.h"
#include "lib/protocol/machine.h"
#include "lib/protocol/proxy_header.h"
#include "lib/protocol/smtp/smtp_receiver.h"
#include "lib/session/client_session.h"
#include "lib/session/mail_fan_out.h"
#include "lib/session/mail_login.h"
#include "lib/session/mail_policy.h"
#include "lib/session/mail_route.h"
#include "lib/session/mail_settings.h"
#include "lib/session/mail_trace.h"
#include "lib/session/session_record.h"
#include "lib/session/session_settings.h"

namespace gatehouse {

// One client's connection that hands in mail: inbound routing, or submission
// in the route mode, by ListenerSettings::role. Used on its network's thread
// only. Destroying it cuts all its connections without a word; the log gets
// its record only from an end of its own.
//
// The log has one "message" record for each message that came to its end, one
// "recipient_refused" for each recipient that wasn't taken, and one "session"
// record.
class MailSession : public ClientSession,
                    private StreamHandler,
                    private MailFanOut::Owner {
 public:
  // `network`, `log` and `owner` outlive the session.
  MailSession(Network& network, LogSink& log,
              std::shared_ptr<const SessionSettings> settings,
              std::shared_ptr<const MailSettings> mail,
              std::shared_ptr<const ListenerSettings> listener,
              std::unique_ptr<Stream> downstream, SessionOwner& owner);
  ~MailSession() override;

  void Start() override;

  // Says 421 and ends: at once where no message is on its way, else behind the
  // answer to it.
  void EndUnlessJoined(DownstreamMachine::ShutdownReason reason) override;

  // Says 421 and ends, whatever is under way: nothing of it was promised.
  void EndJoined() override;

  bool joined() const override { return false; }
  const SessionRecord& record() const override { return record_; }

 private:
  // StreamHandler:
  void OnData(std::string_view bytes) override;
  void OnEof() override;
  void OnDrained() override { RegulateReading(); }
  void OnTlsEstablished() override;
  void OnFailure(const Failure& failure) override;

  // MailFanOut::Owner:
  void OnRecipient(const SmtpReply& reply) override;
  void OnBody(const std::optional<SmtpReply>& refusal) override;
  void OnRoom() override { Pump(); }
  void OnDone(const SmtpReply& reply) override;

  void ReadProxyHeader(std::string_view bytes);
  void BeginProtocol();
  void BeginTls();
  void AwaitSilence();
  void RefuseEarlyTalker();
  void Greet();

  // Machine's events until it waits for somebody.
  void Pump();
  void WriteOutput();
  void RegulateReading();
  bool room() const;
  void AwaitClient();
  void OnSilence();

  // What a client says. None of them destroys the session.
  void On(LoginAttempt attempt);
  void On(const SmtpMailEvent& event);
  void On(const SmtpRcptEvent& event);
  void On(const SmtpBodyEvent& event);
  void On(const SmtpChunkEvent& event);
  void On(const SmtpEndOfBodyEvent& event);
  void On(const SmtpAbortedEvent& event);

  void OnVerdict(MailLogin::Verdict verdict);
  void Locate();
  // Hands the recipient on; false where it was refused instead.
  bool Accepts(MailRouteResult result);
  void ForgetTransaction();
  std::string Received() const;

  void LogMessage(const SmtpReply& reply) const;
  void LogFate(const MailFanOut::Recipient& recipient) const;
  void LogRefusal(const SmtpReply& reply) const;
  void Shutdown(DownstreamMachine::ShutdownReason reason);
  void End(std::string_view how, std::string_view detail);

  Network& network_;
  LogSink& log_;
  SessionOwner& owner_;
  const std::shared_ptr<const SessionSettings> settings_;
  const std::shared_ptr<const MailSettings> mail_;
  const std::shared_ptr<const ListenerSettings> listener_;
  SessionRecord record_;
  SocketAddress proxied_local_;  // where the client says that it connected to
  uint64_t messages_ = 0;        // answered with 250

  std::unique_ptr<Stream> downstream_;
  std::unique_ptr<ProxyHeaderParser> proxy_header_;  // while it is awaited
  ProxyHeaderDetector forged_header_;
  std::unique_ptr<SmtpReceiver> receiver_;  // null before its TLS is up
  bool in_handshake_ = false;
  TlsFacts tls_facts_;
  MailParty party_;
  std::unique_ptr<MailLogin> login_;

  // The transaction.
  MailContext context_;
  SmtpMail envelope_;
  SmtpRcpt rcpt_;                    // the one that is asked for
  std::unique_ptr<Operation> wait_;  // for the directory
  std::unique_ptr<MailFanOut> fan_out_;
  bool in_body_ = false;  // from the client's DATA to its answer
  std::optional<HopCounter> hops_;
  uint64_t message_bytes_ = 0;

  // Set while a message is still to be answered.
  std::optional<DownstreamMachine::ShutdownReason> ending_;
  bool awaits_client_ = false;
  std::unique_ptr<Operation> deadline_;  // of TLS and AUTH
  std::unique_ptr<Operation> greeting_;  // while it is held back
  std::unique_ptr<Operation> silence_;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_SESSION_MAIL_SESSION_H_
