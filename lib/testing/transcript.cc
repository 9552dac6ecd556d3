#include "lib/testing/transcript.h"

#include <deque>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <utility>
#include <variant>

#include "gtest/gtest.h"
#include "lib/base/check.h"
#include "lib/protocol/event_names.h"
#include "lib/testing/chop.h"
#include "lib/testing/transcript_script.h"
#include "lib/testing/transcript_text.h"

namespace gatehouse {
namespace {

using Script = TranscriptScript;
using Step = TranscriptScript::Step;

// Octets that no protocol would take for something of its own.
constexpr std::string_view kExtraTrailing("t9 NOOP\r\n\0\xff{3}\r\n", 16);

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
  if (attempt.proxy_ttl != kMostProxyHops) {
    text += " proxy_ttl=" + std::to_string(attempt.proxy_ttl);
  }
  return text;
}

std::string Describe(const Closed& closed) {
  return "Closed " + std::string(NameOf(closed.reason));
}

std::string Describe(const StartTls&) { return "StartTls"; }

std::string Describe(const UpstreamReady& ready) {
  return "Ready " + JoinList(ready.capabilities);
}

std::string Describe(const UpstreamFailed& failed) {
  std::string text = "Failed " + std::string(NameOf(failed.refusal.kind)) +
                     " " + std::string(KindName(failed.failure.kind));
  if (!failed.refusal.sasl_challenge.empty()) {
    text += " challenge=" + failed.refusal.sasl_challenge;
  }
  return text;
}

// --- The player --------------------------------------------------------------

class Player {
 public:
  Player(const Protocol& protocol, Script script, Chopping chopping)
      : script_(std::move(script)), chopping_(chopping) {
    Script::Setting& setting = script_.setting;
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
    if (what == "trailing") {
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
      downstream_->LoginAccepted(ready);
      return TakeOutput();
    }
    if (what == "refuse") {
      LoginRefusal refusal;
      const auto kind = LoginRefusalNamed(TakeWord(text));
      GATEHOUSE_CHECK(kind.has_value(), "unknown refusal in a transcript");
      refusal.kind = *kind;
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
  std::string trailing_;
};

std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

}  // namespace

std::string PlayTranscript(const Protocol& protocol, std::string_view text,
                           Chopping chopping) {
  Script script = ParseTranscript(text);
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
