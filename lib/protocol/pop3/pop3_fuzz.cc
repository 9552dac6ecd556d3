// Any octets from a client or a store, in any chopping, give one answer.
// The first octet chooses the side, the second the chopping.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "lib/protocol/pop3/pop3_protocol.h"
#include "lib/testing/chop.h"

namespace gatehouse {
namespace {

void Require(bool holds) {
  if (!holds) __builtin_trap();
}

// Everything the machine says and does, as text.
std::string RunDownstream(std::string_view bytes, size_t piece) {
  DownstreamOptions options;
  options.host_name = "mx";
  options.tls_active = true;
  options.token_mechanisms = true;
  options.upstream_capabilities =
      std::make_shared<const std::vector<std::string>>(
          std::vector<std::string>{"SASL OAUTHBEARER XOAUTH2"});
  auto machine = Pop3Protocol().NewDownstream(options);
  std::string seen;
  for (const std::string_view part : ChopEvery(bytes, piece)) {
    machine->Feed(part);
    for (;;) {
      DownstreamEvent event = machine->Next();
      seen += machine->TakeOutput();
      if (std::holds_alternative<Closed>(event)) return seen + "|closed";
      const auto* attempt = std::get_if<LoginAttempt>(&event);
      if (attempt == nullptr) break;
      seen += "|" + attempt->user + "|" + std::string(attempt->secret.Reveal());
      LoginRefusal refusal;
      refusal.sasl_challenge = "{}";
      machine->LoginRefused(refusal);
    }
  }
  return seen;
}

std::string RunUpstream(std::string_view bytes, size_t piece,
                        const char* expected) {
  UpstreamOptions options;
  options.expected_capabilities =
      std::make_shared<const std::vector<std::string>>(
          std::vector<std::string>{expected});
  options.login.user = "bob";
  options.login.secret = Secret("secret");
  auto machine = Pop3Protocol().NewUpstream(std::move(options));
  std::string seen;
  for (const std::string_view part : ChopEvery(bytes, piece)) {
    machine->Feed(part);
    const UpstreamEvent event = machine->Next();
    seen += machine->TakeOutput();
    if (std::holds_alternative<NeedData>(event)) continue;
    return seen + std::to_string(event.index());
  }
  return seen;
}

void Fuzz(std::string_view input) {
  if (input.size() < 2) return;
  const bool downstream = input[0] != 'U';
  const size_t piece = 1 + static_cast<unsigned char>(input[1]) % 32;
  const std::string_view bytes = input.substr(2);
  if (downstream) {
    Require(RunDownstream(bytes, piece) == RunDownstream(bytes, 1));
  } else {
    // What comes before its question is refused: chopping matters here.
    for (const char* expected : {"UIDL", "SASL PLAIN"}) {
      RunUpstream(bytes, bytes.size(), expected);
      RunUpstream(bytes, piece, expected);
      RunUpstream(bytes, 1, expected);
    }
  }
}

}  // namespace
}  // namespace gatehouse

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  gatehouse::Fuzz({reinterpret_cast<const char*>(data), size});
  return 0;
}
