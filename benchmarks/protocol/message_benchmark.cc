// What SmtpReceiver spends on commands and on the octets of a message.

#include <benchmark/benchmark.h>

#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "lib/protocol/smtp/smtp_receiver.h"
#include "lib/protocol/smtp/smtp_reply.h"

namespace gatehouse {
namespace {

SmtpReceiverOptions Options() {
  SmtpReceiverOptions options;
  options.downstream.host_name = "mail.example.com";
  options.transactions = 1'000'000'000;
  options.downstream.limits.commands = 1'000'000'000;
  options.message_bytes = 0;
  return options;
}

// Answers all of them positively, to the end of what was fed. Counts the
// message's octets; false where the conversation ends.
bool AnswerAll(SmtpReceiver& receiver, size_t& octets) {
  for (;;) {
    SmtpReceiverEvent event = receiver.Next();
    benchmark::DoNotOptimize(receiver.TakeOutput());
    if (std::holds_alternative<NeedData>(event)) return true;
    if (std::holds_alternative<Closed>(event)) return false;
    if (std::holds_alternative<SmtpBodyEvent>(event)) {
      receiver.BodyAccepted();
    } else if (auto* chunk = std::get_if<SmtpChunkEvent>(&event)) {
      octets += chunk->octets.size();
    } else if (!std::holds_alternative<SmtpAbortedEvent>(event)) {
      receiver.Answer(MakeSmtpReply(250, "2.0.0", "ok"));
    }
  }
}

// MAIL, RCPT and RSET, as a client pipelines them.
void BM_Commands(benchmark::State& state) {
  constexpr std::string_view kCommands =
      "MAIL FROM:<sender@example.org> SIZE=10240\r\n"
      "RCPT TO:<user@example.com>\r\n"
      "RSET\r\n";
  SmtpReceiver receiver(Options());
  size_t octets = 0;
  receiver.Feed("EHLO client.example.org\r\n");
  bool open = AnswerAll(receiver, octets);
  for (auto _ : state) {
    receiver.Feed(kCommands);
    open = open && AnswerAll(receiver, octets);
  }
  if (!open) state.SkipWithError("the conversation has ended");
  state.SetItemsProcessed(3 * state.iterations());
}
BENCHMARK(BM_Commands);

// One message of so many lines of 72 octets, one in ten with a dot in front.
void BM_Message(benchmark::State& state) {
  const std::string line(70, 'x');
  std::string message;
  for (int i = 0; i < state.range(0); ++i) {
    message += (i % 10 == 0 ? ".." : "") + line + "\r\n";
  }
  message += ".\r\n";
  SmtpReceiver receiver(Options());
  size_t octets = 0;
  receiver.Feed("EHLO client.example.org\r\n");
  bool open = AnswerAll(receiver, octets);
  for (auto _ : state) {
    receiver.Feed(
        "MAIL FROM:<sender@example.org>\r\nRCPT TO:<user@example.com>\r\n"
        "DATA\r\n");
    open = open && AnswerAll(receiver, octets);
    receiver.Feed(message);
    open = open && AnswerAll(receiver, octets);
  }
  const size_t expected = message.size() - 3 - (state.range(0) + 9) / 10;
  if (!open || octets != expected * state.iterations()) {
    state.SkipWithError("the message is not what was sent");
  }
  state.SetBytesProcessed(state.iterations() * message.size());
}
BENCHMARK(BM_Message)->Arg(140)->Arg(14000);

}  // namespace
}  // namespace gatehouse

BENCHMARK_MAIN();
