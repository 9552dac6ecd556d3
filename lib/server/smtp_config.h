#ifndef GATEHOUSE_LIB_SERVER_SMTP_CONFIG_H_
#define GATEHOUSE_LIB_SERVER_SMTP_CONFIG_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/endpoint.h"
#include "lib/server/config_files.h"
#include "lib/server/json_reader.h"
#include "lib/server/upstream_config.h"
#include "lib/session/mail_settings.h"
#include "lib/session/session_settings.h"

namespace gatehouse {

inline constexpr uint16_t kSubmissionPort = 587;  // RFC 6409 §3.1

MailRole ReadMailRole(JsonReader& listener);

// A mail server in /relayHost or /fallbackRelay.
struct RelayConfig {
  Endpoint endpoint;  // port set
  UpstreamConfig upstream;
  std::string user;  // empty: no AUTH
  std::string password;
};

// What smtprouter is told besides the keys that every executable has.
struct SmtpConfig {
  // How users' mail goes on: routed by recipient, or by joining the session to
  // the user's own host.
  enum class SubmissionMode { kRoute, kHome };

  MailSettings mail;  // all but what is made of files: the relays and the pool
  std::optional<RelayConfig> fallback_relay;
  std::optional<RelayConfig> relay_host;
  UpstreamPoolLimits pool;
  SubmissionMode submission = SubmissionMode::kRoute;
  UpstreamConfig home;                         // kHome: the users' own hosts
  std::vector<std::string> home_capabilities;  // [] = learned
};

// What decides which keys are needed.
struct SmtpRoles {
  bool inbound = false;     // there is a listener of that role
  bool submission = false;  // likewise
  bool authenticate_on_proxy = false;
};

// Reads smtprouter's own keys of `root`, and /upstream into `stores`.
SmtpConfig ReadSmtp(JsonReader& root, const ConfigFiles& files,
                    const SmtpRoles& roles, UpstreamConfig& stores);

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_SERVER_SMTP_CONFIG_H_
