#include "lib/server/smtp_config.h"

#include <cctype>
#include <initializer_list>
#include <string_view>
#include <type_traits>
#include <utility>

#include "absl/strings/ascii.h"
#include "lib/protocol/smtp/smtp_protocol.h"

namespace gatehouse {
namespace {

constexpr std::string_view kInProtocol = "xclient";
// RFC 5321 §4.5.3.1.7 and §4.5.3.1.8: less mustn't be refused for its size.
constexpr int64_t kLeastMessageBytes = 64 << 10;
constexpr int64_t kLeastRecipients = 100;
constexpr int64_t kMostMessageBytes = int64_t{1} << 40;
constexpr int64_t kMostCount = 1'000'000;
// RFC 5321 §4.5.3.2: how long a client waits for the answer to a command, and
// to its final dot.
constexpr absl::Duration kClientWaitsForCommand = absl::Minutes(5);
constexpr absl::Duration kClientWaitsForCommit = absl::Minutes(10);
// It waits five minutes for the greeting; but a connection costs as long.
constexpr absl::Duration kLongestGreetingDelay = absl::Minutes(1);

// As MailSettings has it; nothing where `text` is no domain.
std::optional<std::string> ToLocalDomain(std::string_view text) {
  std::string domain(text);
  absl::AsciiStrToLower(&domain);
  std::string_view name = domain;
  if (name.starts_with('.')) name.remove_prefix(1);
  const auto endpoint = Endpoint::Parse(name);
  const bool is_name = endpoint && endpoint->port == 0 &&
                       !name.ends_with('.') && !SocketAddress::Parse(name, 0);
  if (!is_name) return std::nullopt;
  return domain;
}

class SmtpReader {
 public:
  SmtpReader(JsonReader& root, const ConfigFiles& files, const SmtpRoles& roles)
      : root_(root), files_(files), roles_(roles) {}

  SmtpConfig Read(UpstreamConfig& stores) {
    ReadStores(stores);
    ReadRelays();
    ReadRecipients();
    ReadFanOut();
    ReadSubmission();
    ReadLimits();
    ReadTimeouts();
    ReadPool();
    return std::move(config_);
  }

 private:
  MailSettings& mail() { return config_.mail; }

  void ReadStores(UpstreamConfig& stores) {
    JsonReader upstream = root_.Object("upstream");
    mail().lmtp =
        upstream.Choice("protocol", false, {{"smtp", false}, {"lmtp", true}});
    const Protocol& protocol = mail().lmtp ? LmtpProtocol() : SmtpProtocol();
    stores = ReadConnection(upstream, files_, protocol.port(),
                            protocol.implicit_tls_port());
    ReadUpstreamRules(upstream, kInProtocol, stores);
    upstream.Finish();
  }

  void ReadRelays() {
    config_.fallback_relay = Relay("fallbackRelay");
    config_.relay_host = Relay("relayHost");
  }

  std::optional<RelayConfig> Relay(std::string_view key) {
    if (!root_.Has(key)) return std::nullopt;
    JsonReader entry = root_.Object(key);
    RelayConfig relay;
    relay.upstream = ReadConnection(entry, files_, SmtpProtocol().port(),
                                    SmtpProtocol().implicit_tls_port());
    const std::string host = entry.String("host");
    const auto endpoint = Endpoint::Parse(host);
    if (endpoint && endpoint->port == 0) {
      relay.endpoint = {endpoint->host, relay.upstream.port};
    } else {
      entry.Fault("host", host.empty() ? "missing"
                                       : "\"" + host +
                                             "\" is not a host name or "
                                             "address");
    }
    if (entry.Has("auth")) ReadAuth(entry, relay);
    entry.Finish();
    return relay;
  }

  void ReadAuth(JsonReader& entry, RelayConfig& relay) {
    JsonReader auth = entry.Object("auth");
    relay.user = auth.String("user");
    relay.password = files_.Secret(auth, "passwordFile");
    if (relay.user.empty()) auth.Fault("user", "missing");
    if (!auth.Has("passwordFile")) auth.Fault("passwordFile", "missing");
    if (relay.upstream.tls == TlsMode::kNone) {
      entry.Warn("auth", "the password is sent in the clear (tls is none)");
    }
    auth.Finish();
  }

  void ReadRecipients() {
    for (const std::string& text : root_.Strings("localDomains")) {
      if (auto domain = ToLocalDomain(text)) {
        mail().local_domains.push_back(std::move(*domain));
      } else {
        root_.Fault("localDomains", "\"" + text +
                                        "\" is not a domain in ASCII "
                                        "(\"example.com\", \".example.com\")");
      }
    }
    if (roles_.inbound && mail().local_domains.empty()) {
      root_.Fault("localDomains",
                  "none (an inbound listener takes mail for these only)");
    }
    std::string& delimiter = mail().recipient_delimiter;
    delimiter = root_.String("recipientDelimiter");
    const bool usable =
        delimiter.empty() ||
        (delimiter.size() == 1 && std::ispunct(delimiter[0]) != 0 &&
         delimiter != "@" && delimiter != "\"" && delimiter != "\\");
    if (!usable) {
      root_.Fault("recipientDelimiter",
                  "\"" + delimiter + "\" is not one punctuation mark (\"+\")");
    }
  }

  void ReadFanOut() {
    const bool fallback = config_.fallback_relay.has_value();
    mail().fan_out = root_.Choice(
        "recipientFanOut",
        fallback ? RecipientFanOut::kStream : RecipientFanOut::kDefer,
        {{"defer", RecipientFanOut::kDefer},
         {"stream", RecipientFanOut::kStream}});
    if (mail().fan_out == RecipientFanOut::kStream && !fallback) {
      root_.Fault("recipientFanOut",
                  "\"stream\" needs /fallbackRelay, for what only some hosts "
                  "have accepted");
    }
    mail().prdr = root_.Bool("prdr", mail().prdr);
  }

  void ReadSubmission() {
    using Mode = SmtpConfig::SubmissionMode;
    JsonReader submission = root_.Object("submission");
    config_.submission = submission.Choice(
        "mode", Mode::kRoute, {{"route", Mode::kRoute}, {"home", Mode::kHome}});
    mail().sender_check =
        submission.Choice("senderCheck", SenderCheck::kOwnAddresses,
                          {{"ownAddresses", SenderCheck::kOwnAddresses},
                           {"off", SenderCheck::kOff}});
    ReadHome(submission);
    config_.home_capabilities = submission.Strings("capabilities");
    if (config_.submission == Mode::kHome) {
      RefuseKeys(submission, {"senderCheck"},
                 "is for mode \"route\" (at home the host checks)");
    } else {
      RefuseKeys(submission, {"upstream", "capabilities"},
                 "is for mode \"home\"");
      if (roles_.submission) CheckRoute();
    }
    submission.Finish();
  }

  void ReadHome(JsonReader& submission) {
    JsonReader upstream = submission.Object("upstream");
    config_.home = ReadConnection(upstream, files_, kSubmissionPort,
                                  SmtpProtocol().implicit_tls_port());
    ReadUpstreamRules(upstream, kInProtocol, config_.home);
    ReadUpstreamLogin(upstream, files_, SmtpProtocol(),
                      roles_.authenticate_on_proxy, config_.home);
    upstream.Finish();
  }

  void CheckRoute() {
    if (!roles_.authenticate_on_proxy) {
      root_.Fault("authenticateOnProxy",
                  "submission in mode \"route\" needs it: nobody else would "
                  "check a password");
    }
    if (mail().local_domains.empty() && !config_.relay_host) {
      root_.Fault("relayHost",
                  "missing (without it and /localDomains users' mail can go "
                  "nowhere)");
    }
  }

  static void RefuseKeys(JsonReader& reader,
                         std::initializer_list<std::string_view> keys,
                         std::string_view why) {
    for (const std::string_view key : keys) {
      if (reader.Has(key)) reader.Fault(key, why);
    }
  }

  void ReadLimits() {
    const auto whole = [&](std::string_view key, auto& value, int64_t least,
                           int64_t most) {
      using Value = std::remove_reference_t<decltype(value)>;
      value = static_cast<Value>(
          root_.Integer(key, static_cast<int64_t>(value), least, most));
    };
    whole("messageBytes", mail().message_bytes, kLeastMessageBytes,
          kMostMessageBytes);
    whole("recipientLimit", mail().recipients, kLeastRecipients, kMostCount);
    whole("transactionLimit", mail().transactions, 1, kMostCount);
    whole("hopLimit", mail().hops, 1, 1000);
    mail().greeting_delay =
        root_.Duration("greetingDelay", mail().greeting_delay);
    if (mail().greeting_delay > kLongestGreetingDelay) {
      root_.Fault("greetingDelay", "too long (at most a minute)");
    }
    if (config_.fallback_relay || root_.Has("spoolFolder")) {
      mail().spool_folder =
          files_.Folder(root_, "spoolFolder", mail().spool_folder);
    }
  }

  void ReadTimeouts() {
    JsonReader reader = root_.Object("timeouts");
    MailTimeouts& times = mail().timeouts;
    const auto read = [&](std::string_view key, absl::Duration& value) {
      value = reader.Duration(key, value, absl::Milliseconds(100));
    };
    read("command", times.command);
    read("body", times.body);
    read("commit", times.commit);
    read("fallback", times.fallback);
    if (times.command >= kClientWaitsForCommand) {
      reader.Fault("command", "too long (a client waits five minutes)");
    }
    if (times.commit + times.fallback >= kClientWaitsForCommit) {
      reader.Fault("commit",
                   "with fallback too long (a client waits ten minutes)");
    }
    reader.Finish();
  }

  void ReadPool() {
    JsonReader reader = root_.Object("upstreamPool");
    UpstreamPoolLimits& pool = config_.pool;
    const auto count = [&](std::string_view key, auto& value, int64_t least) {
      using Value = std::remove_reference_t<decltype(value)>;
      value = static_cast<Value>(
          reader.Integer(key, static_cast<int64_t>(value), least, kMostCount));
    };
    count("connections", pool.connections, 0);
    count("perUpstream", pool.per_upstream, 1);
    count("messages", pool.messages, 1);
    pool.idle = reader.Duration("idle", pool.idle, absl::Milliseconds(100));
    reader.Finish();
  }

  JsonReader& root_;
  const ConfigFiles& files_;
  const SmtpRoles& roles_;
  SmtpConfig config_;
};

}  // namespace

MailRole ReadMailRole(JsonReader& listener) {
  return listener.Choice(
      "role", MailRole::kInbound,
      {{"inbound", MailRole::kInbound}, {"submission", MailRole::kSubmission}});
}

SmtpConfig ReadSmtp(JsonReader& root, const ConfigFiles& files,
                    const SmtpRoles& roles, UpstreamConfig& stores) {
  return SmtpReader(root, files, roles).Read(stores);
}

}  // namespace gatehouse
