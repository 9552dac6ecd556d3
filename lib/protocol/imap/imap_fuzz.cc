// Any octets from a client or a store, in any chopping, give one answer.
// The first octet chooses the side and what stands around it, the second the
// chopping.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "lib/protocol/imap/imap_protocol.h"
#include "lib/testing/chop.h"

namespace gatehouse {
namespace {

void Require(bool holds) {
  if (!holds) __builtin_trap();
}

// What becomes of the client's logins.
enum class Verdict { kRefused, kAccepted, kAbsent };

DownstreamOptions OptionsFor(char kind) {
  DownstreamOptions options;
  options.start_tls_offered = kind == 'S';
  options.tls_active = kind != 'S';
  options.token_mechanisms = true;
  options.upstream_capabilities =
      std::make_shared<const std::vector<std::string>>(
          std::vector<std::string>{"AUTH=OAUTHBEARER", "AUTH=XOAUTH2"});
  options.limits.bad_commands = 100;
  return options;
}

// Everything the machine says and does, as text; behind an accepted login also
// what is left for the store.
std::string RunDownstream(char kind, Verdict verdict, std::string_view bytes,
                          size_t piece) {
  auto machine = ImapProtocol().NewDownstream(OptionsFor(kind));
  std::string seen;
  size_t fed = 0;
  for (const std::string_view part : ChopEvery(bytes, piece)) {
    machine->Feed(part);
    fed += part.size();
    for (;;) {
      DownstreamEvent event = machine->Next();
      seen += machine->TakeOutput();
      if (std::holds_alternative<Closed>(event)) return seen + "|closed";
      if (std::holds_alternative<StartTls>(event)) return seen + "|tls";
      const auto* attempt = std::get_if<LoginAttempt>(&event);
      if (attempt == nullptr) break;
      seen += "|" + attempt->user + "|" + std::string(attempt->secret.Reveal());
      if (verdict == Verdict::kAbsent) continue;
      if (verdict == Verdict::kAccepted) {
        machine->LoginAccepted({});
        seen += machine->TakeOutput();
        return seen + machine->TakeTrailing() + std::string(bytes.substr(fed));
      }
      LoginRefusal refusal;
      refusal.sasl_challenge = "{}";
      machine->LoginRefused(refusal);
    }
  }
  return seen;
}

void RunUpstream(char kind, std::string_view bytes, size_t piece) {
  UpstreamOptions options;
  options.start_tls = kind == 'T';
  options.forward_client = true;
  options.login.user = "b\"ob";
  options.login.secret = Secret("s\\ecret\xff");
  if (kind == 'P') options.login.method = UpstreamLogin::Method::kProbe;
  auto machine = ImapProtocol().NewUpstream(std::move(options));
  for (const std::string_view part : ChopEvery(bytes, piece)) {
    machine->Feed(part);
    const UpstreamEvent event = machine->Next();
    const std::string said = machine->TakeOutput();
    Require(kind != 'T' || said.find("ecret") == said.npos);
    if (std::holds_alternative<UpstreamReady>(event)) machine->TakeTrailing();
    if (!std::holds_alternative<NeedData>(event)) return;
  }
}

void Fuzz(std::string_view input) {
  if (input.size() < 2) return;
  const char kind = input[0];
  const size_t piece = 1 + static_cast<unsigned char>(input[1]) % 64;
  const std::string_view bytes = input.substr(2);
  if (kind == 'U' || kind == 'T' || kind == 'P') {
    // What comes before its question is refused: chopping matters here.
    for (const size_t size : {bytes.size(), piece, size_t{1}}) {
      RunUpstream(kind, bytes, size);
    }
    return;
  }
  for (const Verdict verdict : {Verdict::kRefused, Verdict::kAccepted}) {
    Require(RunDownstream(kind, verdict, bytes, piece) ==
            RunDownstream(kind, verdict, bytes, 1));
  }
  RunDownstream(kind, Verdict::kAbsent, bytes, piece);
}

}  // namespace
}  // namespace gatehouse

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  gatehouse::Fuzz({reinterpret_cast<const char*>(data), size});
  return 0;
}
