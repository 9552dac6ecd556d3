// What both machines of one protocol spend on one login: from the greeting to
// the hand-over, without network and directory.

#include <benchmark/benchmark.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "lib/protocol/imap/imap_protocol.h"
#include "lib/protocol/pop3/pop3_protocol.h"
#include "lib/protocol/sieve/sieve_protocol.h"
#include "lib/protocol/smtp/smtp_protocol.h"

namespace gatehouse {
namespace {

// What a mail program says, all at once, and how a store answers.
struct LoginScript {
  const Protocol& protocol;
  std::string_view client;
  std::string_view store_greeting;
  std::string (*store_answer)(std::string_view command);
};

std::string_view FirstWord(std::string_view line) {
  return line.substr(0, line.find_first_of(" \r\n"));
}

std::string ImapAnswer(std::string_view command) {
  return std::string(FirstWord(command)) +
         " OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN IDLE MOVE] done\r\n";
}

std::string Pop3Answer(std::string_view command) {
  if (FirstWord(command) == "CAPA") {
    return "+OK\r\nUSER\r\nSASL PLAIN\r\nUIDL\r\nTOP\r\nPIPELINING\r\n.\r\n";
  }
  return "+OK done\r\n";
}

std::string SieveAnswer(std::string_view command) { return "OK\r\n"; }

std::string SmtpAnswer(std::string_view command) {
  if (FirstWord(command) == "EHLO") {
    return "250-store.example.com\r\n250-PIPELINING\r\n250-SIZE 1000000\r\n"
           "250 AUTH PLAIN\r\n";
  }
  return "235 2.7.0 welcome\r\n";
}

// user, secret
constexpr std::string_view kPlain = "AHVzZXJAZXhhbXBsZS5jb20Ac2VjcmV0";

std::unique_ptr<DownstreamMachine> NewDownstream(const Protocol& protocol) {
  DownstreamOptions options;
  options.host_name = "mail.example.com";
  options.plaintext_login_allowed = true;
  return protocol.NewDownstream(std::move(options));
}

std::unique_ptr<UpstreamMachine> NewUpstream(const Protocol& protocol,
                                             LoginAttempt& attempt) {
  UpstreamOptions options;
  options.host_name = "mail.example.com";
  options.login.user = attempt.user;
  options.login.secret = std::move(attempt.secret);
  return protocol.NewUpstream(std::move(options));
}

// The client's part; nothing where it never asks to log in.
bool ConverseToAttempt(DownstreamMachine& machine, std::string_view client,
                       LoginAttempt& attempt) {
  machine.Feed(client);
  for (;;) {
    DownstreamEvent event = machine.Next();
    benchmark::DoNotOptimize(machine.TakeOutput());
    if (auto* found = std::get_if<LoginAttempt>(&event)) {
      attempt = std::move(*found);
      return true;
    }
    if (!std::holds_alternative<Paused>(event)) return false;
  }
}

bool ConverseToReady(UpstreamMachine& machine, const LoginScript& script,
                     UpstreamReady& ready) {
  machine.Feed(script.store_greeting);
  for (;;) {
    UpstreamEvent event = machine.Next();
    const std::string output = machine.TakeOutput();
    if (auto* found = std::get_if<UpstreamReady>(&event)) {
      ready = std::move(*found);
      return true;
    }
    if (!std::holds_alternative<NeedData>(event) || output.empty()) {
      return false;
    }
    machine.Feed(script.store_answer(output));
  }
}

bool LogIn(const LoginScript& script) {
  const auto downstream = NewDownstream(script.protocol);
  LoginAttempt attempt;
  if (!ConverseToAttempt(*downstream, script.client, attempt)) return false;
  const auto upstream = NewUpstream(script.protocol, attempt);
  UpstreamReady ready;
  if (!ConverseToReady(*upstream, script, ready)) return false;
  downstream->LoginAccepted(ready);
  benchmark::DoNotOptimize(downstream->TakeOutput());
  benchmark::DoNotOptimize(downstream->TakeTrailing());
  benchmark::DoNotOptimize(upstream->TakeTrailing());
  return true;
}

void BM_Login(benchmark::State& state, const LoginScript& script) {
  for (auto _ : state) {
    if (!LogIn(script)) {
      state.SkipWithError("no login");
      break;
    }
  }
  state.SetItemsProcessed(state.iterations());
}

const std::string kImapClient =
    "a CAPABILITY\r\nb LOGIN \"user@example.com\" \"secret\"\r\n";
const std::string kPop3Client =
    "CAPA\r\nUSER user@example.com\r\nPASS secret\r\n";
const std::string kSieveClient =
    "AUTHENTICATE \"PLAIN\" \"" + std::string(kPlain) + "\"\r\n";
const std::string kSmtpClient =
    "EHLO client.example.com\r\nAUTH PLAIN " + std::string(kPlain) + "\r\n";

BENCHMARK_CAPTURE(BM_Login, imap,
                  {ImapProtocol(), kImapClient,
                   "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] ready\r\n",
                   ImapAnswer});
BENCHMARK_CAPTURE(BM_Login, pop3,
                  {Pop3Protocol(), kPop3Client, "+OK ready\r\n", Pop3Answer});
BENCHMARK_CAPTURE(BM_Login, sieve,
                  {SieveProtocol(), kSieveClient,
                   "\"IMPLEMENTATION\" \"store\"\r\n\"SASL\" \"PLAIN\"\r\n"
                   "\"SIEVE\" \"fileinto\"\r\nOK\r\n",
                   SieveAnswer});
BENCHMARK_CAPTURE(BM_Login, smtp,
                  {SmtpProtocol(), kSmtpClient,
                   "220 store.example.com ESMTP\r\n", SmtpAnswer});

}  // namespace
}  // namespace gatehouse

BENCHMARK_MAIN();
