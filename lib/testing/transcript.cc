#include "lib/testing/transcript.h"

#include <algorithm>
#include <deque>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <utility>
#include <variant>
#include <vector>

#include "gtest/gtest.h"
#include "lib/base/check.h"
#include "lib/protocol/sasl.h"
#include "lib/testing/chop.h"

namespace gatehouse {
namespace {

// Octets that no protocol would take for something of its own.
constexpr std::string_view kExtraTrailing("t9 NOOP\r\n\0\xff{3}\r\n", 16);

// --- Names -------------------------------------------------------------------

struct RefusalName {
  std::string_view name;
  LoginRefusal::Kind kind;
};
constexpr RefusalName kRefusals[] = {
    {"credentials", LoginRefusal::Kind::kCredentials},
    {"authorization", LoginRefusal::Kind::kAuthorization},
    {"unavailable", LoginRefusal::Kind::kUnavailable},
    {"contact_admin", LoginRefusal::Kind::kContactAdmin},
    {"expired", LoginRefusal::Kind::kExpired},
    {"in_use", LoginRefusal::Kind::kInUse},
    {"login_delay", LoginRefusal::Kind::kLoginDelay},
    {"over_quota", LoginRefusal::Kind::kOverQuota},
    {"limit", LoginRefusal::Kind::kLimit},
};

std::string_view NameOf(LoginRefusal::Kind kind) {
  for (const RefusalName& refusal : kRefusals) {
    if (refusal.kind == kind) return refusal.name;
  }
  return "?";
}

LoginRefusal::Kind RefusalKind(std::string_view name) {
  for (const RefusalName& refusal : kRefusals) {
    if (refusal.name == name) return refusal.kind;
  }
  GATEHOUSE_CHECK(false, "unknown refusal in a transcript");
}

std::string_view NameOf(Closed::Reason reason) {
  switch (reason) {
    case Closed::Reason::kLogout:
      return "logout";
    case Closed::Reason::kEof:
      return "eof";
    case Closed::Reason::kTooManyErrors:
      return "too_many_errors";
    case Closed::Reason::kTooManyFailedLogins:
      return "too_many_failed_logins";
    case Closed::Reason::kLimit:
      return "limit";
    case Closed::Reason::kViolation:
      return "violation";
    case Closed::Reason::kShutdown:
      return "shutdown";
  }
  return "?";
}

// --- Text --------------------------------------------------------------------

std::string_view TakeWord(std::string_view& text) {
  const size_t space = std::min(text.find(' '), text.size());
  const std::string_view word = text.substr(0, space);
  text.remove_prefix(std::min(space + 1, text.size()));
  return word;
}

std::string Unescape(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      out += text[i];
      continue;
    }
    const char c = text[++i];
    if (c == 'x') {
      out += static_cast<char>(
          std::stoi(std::string(text.substr(i + 1, 2)), nullptr, 16));
      i += 2;
    } else {
      const size_t at = std::string_view("rnt0").find(c);
      out += at == std::string_view::npos ? c : "\r\n\t\0"[at];
    }
  }
  return out;
}

// Escapes, and $b64(…).
std::string Expand(std::string_view text) {
  constexpr std::string_view kBase64 = "$b64(";
  const size_t at = text.find(kBase64);
  if (at == std::string_view::npos) return Unescape(text);
  const size_t begin = at + kBase64.size();
  const size_t end = text.find(')', begin);
  GATEHOUSE_CHECK(end != std::string_view::npos, "$b64( without )");
  return Unescape(text.substr(0, at)) +
         EncodeBase64(Unescape(text.substr(begin, end - begin))) +
         Expand(text.substr(end + 1));
}

std::string Printable(std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string out;
  for (const char c : text) {
    const auto octet = static_cast<unsigned char>(c);
    if (c == '\r') {
      out += "\\r";
    } else if (c == '\n') {
      out += "\\n";
    } else if (octet < 0x20 || octet >= 0x7f) {
      out += std::string("\\x") + kHex[octet >> 4] + kHex[octet & 15];
    } else {
      out += c;
    }
  }
  return out;
}

std::vector<std::string> SplitList(std::string_view text) {
  std::vector<std::string> items;
  while (!text.empty()) {
    const size_t bar = std::min(text.find(" | "), text.size());
    items.push_back(Expand(text.substr(0, bar)));
    text.remove_prefix(std::min(bar + 3, text.size()));
  }
  return items;
}

std::string JoinList(const std::vector<std::string>& items) {
  std::string text;
  for (const std::string& item : items) {
    if (!text.empty()) text += " | ";
    text += item;
  }
  return text;
}

// --- Events as text ----------------------------------------------------------

std::string Describe(const LoginAttempt& attempt) {
  std::string text = "LoginAttempt " + attempt.mechanism +
                     " user=" + attempt.user + " secret=";
  text += attempt.secret.Reveal();
  if (!attempt.authorization_id.empty()) {
    text += " authzid=" + attempt.authorization_id;
  }
  if (attempt.credentials == Credentials::kToken) text += " token";
  if (attempt.credentials == Credentials::kExternal) text += " external";
  if (attempt.utf8) text += " utf8";
  return text;
}

std::string Describe(const Closed& closed) {
  return "Closed " + std::string(NameOf(closed.reason));
}

std::string Describe(const StartTls&) { return "StartTls"; }

std::string Describe(const UpstreamReady& ready) {
  std::string text = "Ready " + JoinList(ready.capabilities);
  if (!ready.preface.empty()) text += " preface=" + ready.preface;
  return text;
}

std::string Describe(const UpstreamFailed& failed) {
  std::string text = "Failed " + std::string(NameOf(failed.refusal.kind)) +
                     " " + std::string(KindName(failed.failure.kind));
  if (!failed.refusal.sasl_challenge.empty()) {
    text += " challenge=" + failed.refusal.sasl_challenge;
  }
  return text;
}

// --- Options -----------------------------------------------------------------

// What the `%` lines say, for either side.
struct Setting {
  bool upstream_side = false;
  bool whole_only = false;
  DownstreamOptions downstream;
  UpstreamOptions upstream;
};

using Setters = std::vector<
    std::pair<std::string_view, std::function<void(std::string_view)>>>;

size_t Number(std::string_view text) { return std::stoul(std::string(text)); }

SocketAddress Address(std::string_view text) {
  const std::string_view address = TakeWord(text);
  auto parsed =
      SocketAddress::Parse(address, static_cast<uint16_t>(Number(text)));
  GATEHOUSE_CHECK(parsed.has_value(), "no address in a transcript");
  return *parsed;
}

UpstreamLogin Login(std::string_view text) {
  UpstreamLogin login;
  const std::string_view method = TakeWord(text);
  if (method == "probe") {
    login.method = UpstreamLogin::Method::kProbe;
  } else if (method == "none") {
    login.method = UpstreamLogin::Method::kNone;
  } else if (method == "xclient") {
    login.method = UpstreamLogin::Method::kXclient;
    login.user = Unescape(text);
    return login;
  } else if (method == "master") {
    login.method = UpstreamLogin::Method::kMasterUser;
    login.user = Unescape(TakeWord(text));
    login.master_user = Unescape(TakeWord(text));
  } else if (method == "token") {
    login.method = UpstreamLogin::Method::kToken;
    login.token_mechanism = TakeWord(text);
    login.user = Unescape(TakeWord(text));
  } else {
    GATEHOUSE_CHECK(method == "password", "unknown login in a transcript");
    login.user = Unescape(TakeWord(text));
  }
  login.secret = Secret(Unescape(text));
  return login;
}

auto SetFlag(bool& flag) {
  return [&flag](std::string_view) { flag = true; };
}
template <typename Integer>
auto SetNumber(Integer& number) {
  return [&number](std::string_view text) {
    number = static_cast<Integer>(Number(text));
  };
}
auto SetText(std::string& value) {
  return [&value](std::string_view text) { value = Unescape(text); };
}
auto SetAddress(SocketAddress& address) {
  return [&address](std::string_view text) { address = Address(text); };
}

Setters DownstreamSetters(DownstreamOptions& to) {
  return {
      {"host_name", SetText(to.host_name)},
      {"start_tls_offered", SetFlag(to.start_tls_offered)},
      {"tls_active", SetFlag(to.tls_active)},
      {"plaintext_login_allowed", SetFlag(to.plaintext_login_allowed)},
      {"token_mechanisms", SetFlag(to.token_mechanisms)},
      {"external_mechanism", SetFlag(to.external_mechanism)},
      {"client_identity",
       [&](std::string_view text) {
         to.tls.client_identity = text;
         to.tls.client_certificate_verified = true;
       }},
      {"upstream_capabilities",
       [&](std::string_view text) {
         to.upstream_capabilities =
             std::make_shared<const std::vector<std::string>>(SplitList(text));
       }},
      {"line_bytes", SetNumber(to.limits.line_bytes)},
      {"literal_bytes", SetNumber(to.limits.literal_bytes)},
      {"held_bytes", SetNumber(to.limits.held_bytes)},
      {"commands", SetNumber(to.limits.commands)},
      {"bad_commands", SetNumber(to.limits.bad_commands)},
      {"failed_logins", SetNumber(to.limits.failed_logins)},
  };
}

Setters UpstreamSetters(UpstreamOptions& to) {
  return {
      {"start_tls", SetFlag(to.start_tls)},
      {"tls_active", SetFlag(to.tls_active)},
      {"host_name", SetText(to.host_name)},
      {"forward_client", SetFlag(to.forward_client)},
      {"client", SetAddress(to.client.client)},
      {"proxy", SetAddress(to.client.proxy)},
      {"session_id", SetText(to.client.session_id)},
      {"helo", SetText(to.client.helo)},
      {"client_tls",
       [&](std::string_view text) {
         to.client.tls_active = true;
         to.client.tls.version = text;
       }},
      {"proxy_ttl", SetNumber(to.proxy_ttl)},
      {"line_bytes", SetNumber(to.line_bytes)},
      {"preface_bytes", SetNumber(to.preface_bytes)},
      {"login", [&](std::string_view text) { to.login = Login(text); }},
      {"utf8", SetFlag(to.login.utf8)},
  };
}

void Apply(Setting& setting, std::string_view line) {
  const std::string_view name = TakeWord(line);
  if (name == "downstream") return;
  if (name == "upstream") {
    setting.upstream_side = true;
    return;
  }
  if (name == "whole_only") {
    setting.whole_only = true;
    return;
  }
  const Setters setters = setting.upstream_side
                              ? UpstreamSetters(setting.upstream)
                              : DownstreamSetters(setting.downstream);
  for (const auto& [known, setter] : setters) {
    if (known == name) return setter(line);
  }
  GATEHOUSE_CHECK(false, "unknown option in a transcript");
}

// --- The script --------------------------------------------------------------

struct Step {
  enum class Kind { kFeed, kOutput, kExpect, kAct };
  Kind kind;
  int line;
  std::string text;
};

struct Script {
  Setting setting;
  std::vector<Step> steps;
  size_t last_feed = 0;  // the piece that comes last before the hand-over
  bool hands_over = false;
};

void AddBytes(Script& script, Step::Kind kind, int line, std::string bytes) {
  auto& steps = script.steps;
  if (!steps.empty() && steps.back().kind == kind) {
    steps.back().text += bytes;
  } else {
    steps.push_back({kind, line, std::move(bytes)});
  }
}

void AddLine(Script& script, int number, std::string_view line) {
  const bool spoken = line.starts_with("C:") || line.starts_with("S:") ||
                      line.starts_with("C-") || line.starts_with("S-");
  if (!spoken) {
    GATEHOUSE_CHECK(line.starts_with("! ") || line.starts_with("= "),
                    "a transcript's line begins with none of % C S ! = #");
    script.steps.push_back(
        {line[0] == '!' ? Step::Kind::kAct : Step::Kind::kExpect, number,
         std::string(line.substr(2))});
    return;
  }
  const bool fed = line.starts_with('S') == script.setting.upstream_side;
  const std::string_view end = line[1] == ':' ? "\r\n" : "";
  line.remove_prefix(std::min<size_t>(line.size(), 3));
  AddBytes(script, fed ? Step::Kind::kFeed : Step::Kind::kOutput, number,
           Expand(line) + std::string(end));
}

void FindHandOver(Script& script) {
  size_t last_feed = 0;
  for (size_t i = 0; i < script.steps.size(); ++i) {
    const Step& step = script.steps[i];
    if (step.kind == Step::Kind::kFeed) last_feed = i;
    const bool accepted =
        step.kind == Step::Kind::kAct && step.text.starts_with("accept");
    const bool ready =
        step.kind == Step::Kind::kExpect && step.text.starts_with("Ready") &&
        script.setting.upstream.login.method != UpstreamLogin::Method::kProbe;
    if (!accepted && !ready) continue;
    script.hands_over = true;
    script.last_feed = last_feed;
  }
}

Script Parse(std::string_view text) {
  Script script;
  for (int number = 1; !text.empty(); ++number) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line.starts_with('#')) continue;
    if (line.starts_with("% ")) {
      Apply(script.setting, line.substr(2));
    } else {
      AddLine(script, number, line);
    }
  }
  FindHandOver(script);
  return script;
}

// --- The player --------------------------------------------------------------

class Player {
 public:
  Player(const Protocol& protocol, Script script, Chopping chopping)
      : script_(std::move(script)), chopping_(chopping) {
    Setting& setting = script_.setting;
    if (setting.upstream_side) {
      upstream_ = protocol.NewUpstream(std::move(setting.upstream));
    } else {
      downstream_ = protocol.NewDownstream(setting.downstream);
    }
  }

  std::string Play() {
    if (chopping_ == Chopping::kTrailing && script_.hands_over) {
      script_.steps[script_.last_feed].text += kExtraTrailing;
      trailing_ = kExtraTrailing;
    }
    Pump();
    for (const Step& step : script_.steps) {
      std::string fault = Do(step);
      if (!fault.empty()) return std::to_string(step.line) + ": " + fault;
    }
    std::string fault = Unexpected();
    if (fault.empty()) fault = CheckTrailing();
    return fault.empty() ? "" : "at the end: " + fault;
  }

 private:
  struct Observed {
    bool is_event;
    std::string text;
  };

  Machine& machine() {
    if (upstream_ != nullptr) return *upstream_;
    return *downstream_;
  }

  std::string Do(const Step& step) {
    if (step.kind == Step::Kind::kOutput) return ExpectOutput(step.text);
    if (step.kind == Step::Kind::kExpect) return Expect(step.text);
    if (!observed_.empty()) return Unexpected();
    if (step.kind == Step::Kind::kFeed) {
      Feed(step.text);
    } else {
      Act(step.text);
    }
    return "";
  }

  void Feed(std::string_view bytes) {
    stopped_ = false;
    const size_t piece = chopping_ == Chopping::kByteByByte ? 1 : bytes.size();
    for (const std::string_view part : ChopEvery(bytes, piece)) {
      // Behind STARTTLS the rest belongs to the TLS handshake; behind the end
      // it goes nowhere.
      if (stopped_) return;
      machine().Feed(part);
      Pump();
    }
  }

  void TakeOutput() {
    std::string output = machine().TakeOutput();
    if (output.empty()) return;
    if (!observed_.empty() && !observed_.back().is_event) {
      observed_.back().text += output;
    } else {
      observed_.push_back({false, std::move(output)});
    }
  }

  // Takes one step's output and event; false where nothing more is to be had.
  template <typename Event>
  bool Observe(const Event& event) {
    TakeOutput();
    return std::visit([this](const auto& value) { return OnEvent(value); },
                      event);
  }

  bool OnEvent(const NeedData&) {
    status_ = "NeedData";
    return false;
  }
  bool OnEvent(const Paused&) {
    status_ = "Paused";
    return false;
  }
  bool OnEvent(const LoginAttempt& attempt) {
    observed_.push_back({true, Describe(attempt)});
    return true;
  }
  template <typename LastEvent>
  bool OnEvent(const LastEvent& event) {
    observed_.push_back({true, Describe(event)});
    stopped_ = true;
    return false;
  }

  void Pump() {
    for (bool more = true; more;) {
      more = upstream_ != nullptr ? Observe(upstream_->Next())
                                  : Observe(downstream_->Next());
    }
  }

  std::string Unexpected() const {
    if (observed_.empty()) return "";
    return "unexpected: " + Printable(observed_.front().text);
  }

  std::string Differ(std::string_view expected, std::string_view got) const {
    return "expected " + Printable(expected) + "\n      got " + Printable(got);
  }

  std::string ExpectOutput(std::string_view text) {
    if (observed_.empty()) return Differ(text, "nothing");
    Observed& front = observed_.front();
    if (front.is_event || !front.text.starts_with(text)) {
      return Differ(text, front.text);
    }
    front.text.erase(0, text.size());
    if (front.text.empty()) observed_.pop_front();
    return "";
  }

  std::string Expect(std::string_view text) {
    std::string_view rest = text;
    const std::string_view what = TakeWord(rest);
    std::string got = "nothing";
    if (what == "NeedData" || what == "Paused") {
      got = status_;
    } else if (what == "state") {
      got = "state " + std::string(machine().StateName());
    } else if (what == "input_wanted") {
      got = machine().input_wanted() ? "input_wanted yes" : "input_wanted no";
    } else if (!observed_.empty()) {
      got = std::move(observed_.front().text);
      observed_.pop_front();
    }
    const std::string expected = Expand(text);
    return got == expected ? "" : Differ(expected, got);
  }

  void Act(std::string_view text) {
    const std::string_view what = TakeWord(text);
    if (what == "preface") {
      preface_ = Expand(text);
    } else if (what == "trailing") {
      trailing_ = Expand(text) + trailing_;
    } else if (what == "eof") {
      machine().FeedEof();
      Pump();
    } else if (what == "tls" && upstream_ != nullptr) {
      upstream_->TlsEstablished();
      Pump();
    } else {
      GATEHOUSE_CHECK(downstream_ != nullptr, "not for an upstream machine");
      ActDownstream(what, text);
    }
  }

  void ActDownstream(std::string_view what, std::string_view text) {
    if (what == "accept") {
      UpstreamReady ready;
      ready.capabilities = SplitList(text);
      ready.preface = preface_;
      downstream_->LoginAccepted(ready);
      return TakeOutput();
    }
    if (what == "refuse") {
      LoginRefusal refusal;
      refusal.kind = RefusalKind(TakeWord(text));
      refusal.sasl_challenge = Expand(text);
      downstream_->LoginRefused(refusal);
    } else if (what == "tls") {
      TlsFacts facts = script_.setting.downstream.tls;
      facts.version = "TLSv1.3";
      downstream_->TlsEstablished(facts);
    } else {
      GATEHOUSE_CHECK(what == "shutdown", "unknown act in a transcript");
      Shutdown(text);
    }
    Pump();
  }

  void Shutdown(std::string_view reason) {
    using Reason = DownstreamMachine::ShutdownReason;
    downstream_->Shutdown(reason == "timeout" ? Reason::kTimeout
                          : reason == "connections"
                              ? Reason::kTooManyConnections
                              : Reason::kDraining);
  }

  std::string CheckTrailing() {
    if (!script_.hands_over) return "";
    const std::string got = machine().TakeTrailing();
    return got == trailing_ ? "" : "trailing: " + Differ(trailing_, got);
  }

  Script script_;
  const Chopping chopping_;
  std::unique_ptr<DownstreamMachine> downstream_;
  std::unique_ptr<UpstreamMachine> upstream_;
  std::deque<Observed> observed_;
  std::string status_;
  bool stopped_ = false;
  std::string preface_;
  std::string trailing_;
};

std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

}  // namespace

std::string PlayTranscript(const Protocol& protocol, std::string_view text,
                           Chopping chopping) {
  Script script = Parse(text);
  if (script.setting.whole_only) chopping = Chopping::kWhole;
  return Player(protocol, std::move(script), chopping).Play();
}

void PlayTranscripts(const Protocol& protocol, const std::string& folder) {
  int played = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".transcript") continue;
    ++played;
    const std::string text = ReadFile(entry.path());
    const auto play = [&](Chopping chopping) {
      return PlayTranscript(protocol, text, chopping);
    };
    EXPECT_EQ(play(Chopping::kWhole), "") << entry.path() << ", whole";
    EXPECT_EQ(play(Chopping::kByteByByte), "") << entry.path() << ", octets";
    EXPECT_EQ(play(Chopping::kTrailing), "") << entry.path() << ", trailing";
  }
  EXPECT_GT(played, 0) << "no transcripts in " << folder;
}

}  // namespace gatehouse
