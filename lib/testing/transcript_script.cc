#include "lib/testing/transcript_script.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <utility>

#include "lib/base/check.h"
#include "lib/testing/transcript_text.h"

namespace gatehouse {
namespace {

using Script = TranscriptScript;
using Setting = TranscriptScript::Setting;
using Step = TranscriptScript::Step;

// --- Options -----------------------------------------------------------------

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
      {"unasked_bytes", SetNumber(to.unasked_bytes)},
      {"expected_capabilities",
       [&](std::string_view text) {
         to.expected_capabilities =
             std::make_shared<const std::vector<std::string>>(SplitList(text));
       }},
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

}  // namespace

TranscriptScript ParseTranscript(std::string_view text) {
  TranscriptScript script;
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

}  // namespace gatehouse
