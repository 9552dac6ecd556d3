#ifndef GATEHOUSE_LIB_SESSION_SESSION_SETTINGS_H_
#define GATEHOUSE_LIB_SESSION_SESSION_SETTINGS_H_

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "lib/base/endpoint.h"
#include "lib/base/host_pattern.h"
#include "lib/base/published.h"
#include "lib/base/secret.h"
#include "lib/directory/directory.h"
#include "lib/net/tls_context.h"
#include "lib/protocol/machine.h"
#include "lib/session/failed_logins.h"
#include "lib/session/login_identity.h"
#include "lib/session/session_ids.h"
#include "lib/splice/splice.h"

namespace gatehouse {

class UpstreamsMet;

enum class TlsMode { kNone, kStartTls, kImplicit };

// Where the directory may send a password.
struct UpstreamRules {
  // Empty: every host. Blocks are looked at after resolving.
  std::vector<HostPattern> hosts;
  std::vector<uint16_t> ports;  // empty: every port
  // Our own listeners: an upstream that is one of them would be a login loop.
  std::vector<SocketAddress> own_listeners;
};

// How to reach an upstream; shared by sessions, probes and the SMTP router.
struct UpstreamSettings {
  uint16_t port = 0;  // where the directory says none
  TlsMode tls = TlsMode::kNone;
  std::shared_ptr<const TlsClientContext> tls_context;  // null: no TLS at all
  absl::Duration connect_timeout = absl::Seconds(5);
  // From the connection to the answer to our login.
  absl::Duration login_timeout = absl::Seconds(30);
  UpstreamRules rules;

  // Taken in turn; empty: the kernel chooses. Each is good for as many
  // connections to one upstream as the kernel has ports (about 28,000).
  std::vector<SocketAddress> source_addresses;
  std::shared_ptr<std::atomic<uint32_t>> source_turn =
      std::make_shared<std::atomic<uint32_t>>(0);

  // How an upstream hears of the client; ForwardClientFor() says of which one.
  enum class ForwardClient { kNone, kProtocol, kProxyV2 };
  ForwardClient forward_client = ForwardClient::kNone;
  // Hosts that are told in a way of their own: the first that matches counts.
  struct HostException {
    HostPattern host;
    ForwardClient forward_client;
  };
  std::vector<HostException> hosts;

  // How a user is logged in. Tokens are handed through in any case.
  enum class Login {
    kReplay,      // with the password that the client gave
    kMasterUser,  // SASL PLAIN: `master_user` as authcid, the account as
                  // authzid
    kXclient,     // SMTP: by name alone, as XCLIENT LOGIN
  };
  Login login = Login::kReplay;
  std::string master_user;
  Secret master_password;
};

// Who may log in without TLS.
enum class PlaintextLogin { kNever, kLoopback, kAlways };

// What the upstreams offer before login; written by the capability probe from
// time to time, or once by who knows it, read by every new session.
using LearnedCapabilities = Published<std::vector<std::string>>;
using CapabilitiesView = PublishedView<std::vector<std::string>>;

// All that the sessions of one configuration share on one worker. Immutable
// once sessions have it; a reload makes a new one, and each session keeps the
// one that it began with.
struct SessionSettings {
  const Protocol* protocol = nullptr;
  std::string host_name;
  std::shared_ptr<SessionIds> ids = std::make_shared<SessionIds>();

  std::shared_ptr<const TlsServerContext> tls_context;  // null: no TLS
  PlaintextLogin plaintext_login = PlaintextLogin::kLoopback;

  // How a client's name is written before anybody is asked for it.
  LoginNameRules names;
  MasterLogins masters;

  std::shared_ptr<Directory> directory;
  // Whether the directory judges passwords before the upstream hears of them.
  // It does so too where `upstream.login` doesn't replay them: nobody else
  // would.
  bool authenticate_on_proxy = true;
  // The upstream where the directory has no answer (mappingHost:mappingPort).
  std::optional<Endpoint> default_upstream;

  // How long a login waits for a mailbox that is being moved.
  absl::Duration move_hold = absl::Seconds(30);

  UpstreamSettings upstream;

  // OAUTHBEARER and XOAUTH2 are announced where `capabilities` has them.
  bool token_mechanisms = false;
  // Whether a verified client certificate may log in by EXTERNAL, as whom it
  // names (TlsServerContext::Options::client_identity). Needs an
  // upstream.login without a password.
  bool external_mechanism = false;

  DownstreamLimits limits;
  absl::Duration login_timeout = absl::Seconds(60);  // absolute, from accept
  // A refused password is answered this long after it came, times the failed
  // logins (AnswerRefusal()): the same for every reason.
  absl::Duration failure_delay = absl::Seconds(2);
  // Failed logins of one address after which it isn't asked for another one, at
  // most FailedLogins::kMostCounted; 0: no limit.
  int failed_logins_per_address = 0;
  // Of all sessions; null: each counts its own.
  std::shared_ptr<FailedLogins> failed_logins;
  SpliceOptions joined;  // of sessions that are joined

  // Null, or what it publishes is: not known, and no client is promised what
  // depends on a store.
  std::shared_ptr<CapabilitiesView> capabilities;
  // Where a session notes the store that let it in; null: nobody asks.
  std::shared_ptr<UpstreamsMet> upstreams_met;
};

// Who hands in mail at a listener: other mail servers, for our own domains
// (port 25), or users, who must log in first (RFC 6409).
enum class MailRole { kInbound, kSubmission };

// What a session must know of the listener that it came in by.
struct ListenerSettings {
  std::string name;  // "127.0.0.1:1143", for the log
  TlsMode tls = TlsMode::kNone;
  MailRole role = MailRole::kInbound;  // SMTP only
  // Peers that must begin with a PROXY protocol header.
  std::vector<Cidr> proxy_protocol_from;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_SESSION_SESSION_SETTINGS_H_
