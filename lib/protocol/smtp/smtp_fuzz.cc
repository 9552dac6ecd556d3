// Any octets from a client or a server, in any chopping, give one answer, and
// no reader finds another end or another line in a message than we do.
// The first octet chooses what is tried, the second the chopping:
//
//   C, A   a client's commands: inbound, submission; and what an upstream
//          makes of the messages that they hand in
//   M      a message, through DATA and through BDAT
//   W      what stands behind DATA, as it is
//   U, T   a server's replies to our login: in the clear, with STARTTLS
//   G      the same without a login
//   R      a server's replies to our mail
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "lib/protocol/smtp/other_readers.h"
#include "lib/protocol/smtp/ruled_receiver.h"
#include "lib/protocol/smtp/smtp_body.h"
#include "lib/protocol/smtp/smtp_envelope.h"
#include "lib/protocol/smtp/smtp_protocol.h"
#include "lib/protocol/smtp/smtp_sender.h"
#include "lib/testing/chop.h"

namespace gatehouse {
namespace {

using Messages = std::vector<std::string>;

void Require(bool holds) {
  if (!holds) __builtin_trap();
}

// --- A client's octets -------------------------------------------------------

SmtpReceiverOptions OptionsFor(char kind) {
  SmtpReceiverOptions options;
  options.downstream.host_name = "mx";
  options.downstream.start_tls_offered = kind == 'C';
  options.downstream.tls_active = kind == 'A';
  options.downstream.upstream_capabilities =
      std::make_shared<const std::vector<std::string>>(
          std::vector<std::string>{"8BITMIME", "SMTPUTF8", "DSN"});
  options.downstream.limits.bad_commands = 100;
  options.auth_required = kind == 'A';
  options.message_bytes = 300;
  options.recipients = 3;
  options.prdr_offered = true;
  return options;
}

// Closed ends a transaction, too: whether that was told before it depends on
// how much was read at once.
std::string WithoutLastAborted(std::string seen) {
  const size_t at = seen.rfind("(aborted)\r\n521 ");
  if (at != seen.npos) seen.erase(at, sizeof("(aborted)\r\n") - 1);
  return seen;
}

// What an upstream hears of it.
std::string Forwarded(const RuledReceiver::Transaction& transaction,
                      size_t piece) {
  SmtpSender::Options options;
  options.capabilities = {"PIPELINING", "8BITMIME", "SMTPUTF8", "DSN", "SIZE"};
  SmtpSender sender(std::move(options));
  sender.Mail(transaction.mail);
  sender.Feed("250 Ok\r\n");
  for (const SmtpRcpt& rcpt : transaction.recipients) {
    sender.Rcpt(rcpt);
    sender.Feed("250 Ok\r\n");
  }
  sender.BeginBody();
  sender.Feed("354 Go\r\n");
  while (std::holds_alternative<SmtpSender::Answered>(sender.Next())) continue;
  for (const std::string_view part : ChopEvery(transaction.message, piece)) {
    sender.Body(part);
  }
  sender.EndBody();
  return sender.TakeOutput();
}

// Upstreams that read lines in the strictest and in the laxest way find the
// same transactions in what we hand on, and exactly those that we took.
void RequireNothingSmuggled(
    const std::vector<RuledReceiver::Transaction>& taken, size_t piece) {
  std::string wire;
  WireTransactions expected;
  for (const auto& transaction : taken) {
    wire += Forwarded(transaction, piece);
    WireTransaction& heard = expected.emplace_back();
    SmtpExtensions all;
    all.eight_bit_mime = all.utf8 = all.dsn = true;
    all.size = 0;
    heard.commands.push_back(FormatSmtpMail(transaction.mail, all));
    for (const SmtpRcpt& rcpt : transaction.recipients) {
      heard.commands.push_back(FormatSmtpRcpt(rcpt, all));
      // No source route, nor another reading of it, is handed on.
      Require(ParseSmtpAddress(rcpt.recipient.ToString()).has_value());
    }
    heard.octets = transaction.message;
    if (!heard.octets.empty() && !heard.octets.ends_with("\r\n")) {
      heard.octets += "\r\n";
    }
  }
  Require(ReadTransactionsStrictly(wire) == expected);
  Require(ReadTransactionsLeniently(wire) == expected);
}

// Everything that the receiver says and does, as text.
std::string RunClient(char kind, std::string_view bytes, size_t piece) {
  RuledReceiver receiver(OptionsFor(kind));
  std::string seen;
  for (const std::string_view part : ChopEvery(bytes, piece)) {
    receiver.Feed(part);
    for (;;) {
      const DownstreamEvent event = receiver.Next();
      seen += receiver.TakeOutput();
      if (std::holds_alternative<Closed>(event)) {
        RequireNothingSmuggled(receiver.transactions(), piece);
        return WithoutLastAborted(seen) + "|closed";
      }
      if (std::holds_alternative<StartTls>(event)) return seen + "|tls";
      const auto* attempt = std::get_if<LoginAttempt>(&event);
      if (attempt == nullptr) break;
      seen += "|" + attempt->user + "|" + std::string(attempt->secret.Reveal());
      if (attempt->secret.Reveal() != "secret") receiver.LoginRefused({});
    }
  }
  RequireNothingSmuggled(receiver.transactions(), piece);
  return seen + std::string(receiver.StateName());
}

// --- Messages ----------------------------------------------------------------

// What `said` hands in behind an envelope; whether it ended the conversation
// as a violation.
struct HandedIn {
  Messages messages;
  bool violation = false;
};

HandedIn HandIn(std::string_view said, size_t piece) {
  SmtpReceiverOptions options;
  options.message_bytes = 0;
  options.downstream.limits.bad_commands = 100;
  RuledReceiver receiver(options);
  receiver.Feed("EHLO client\r\nMAIL FROM:<a@x>\r\nRCPT TO:<b@y>\r\n");
  receiver.Next();
  HandedIn handed_in;
  for (const std::string_view part : ChopEvery(said, piece)) {
    receiver.Feed(part);
    const DownstreamEvent event = receiver.Next();
    if (const auto* closed = std::get_if<Closed>(&event)) {
      handed_in.violation = closed->reason == Closed::Reason::kViolation;
      break;
    }
  }
  handed_in.messages = receiver.messages();
  return handed_in;
}

std::string InChunks(std::string_view message, size_t longest, uint64_t seed) {
  std::string said;
  for (const std::string_view chunk : ChopRandomly(message, longest, seed)) {
    said += "BDAT " + std::to_string(chunk.size()) + "\r\n";
    said += chunk;
  }
  return said + "BDAT 0 LAST\r\n";
}

std::string InOneChunk(std::string_view message) {
  return "BDAT " + std::to_string(message.size()) + " LAST\r\n" +
         std::string(message);
}

std::string Written(std::string_view message, size_t longest, uint64_t seed) {
  SmtpBodyWriter writer;
  std::string wire;
  for (const std::string_view part : ChopRandomly(message, longest, seed)) {
    writer.Write(part, wire);
  }
  writer.WriteEnd(wire);
  return wire;
}

void RunMessage(std::string_view message, size_t piece) {
  const bool sound = IsSoundMessage(message);
  for (const std::string& said :
       {InOneChunk(message), InChunks(message, piece, message.size())}) {
    const HandedIn handed_in = HandIn(said, piece);
    Require(handed_in.violation == !sound);
    Require(handed_in.messages ==
            (sound ? Messages{std::string(message)} : Messages()));
  }

  // DATA has no message that doesn't end a line.
  std::string whole(message);
  if (!whole.empty() && !whole.ends_with("\r\n")) whole += "\r\n";
  const HandedIn handed_in = HandIn("DATA\r\n" + StuffStrictly(whole), piece);
  Require(handed_in.violation == !sound);
  Require(handed_in.messages == (sound ? Messages{whole} : Messages()));
  if (!sound) return;

  const std::string wire = Written(message, piece, message.size());
  Require(wire == StuffStrictly(whole));
  const WireMessage expected = {whole, wire.size()};
  Require(ReadStrictly(wire) == expected && ReadLeniently(wire) == expected);
}

void RunWire(std::string_view wire, size_t piece) {
  const std::string said = "DATA\r\n" + std::string(wire);
  const Messages messages = HandIn(said, piece).messages;
  Require(messages == HandIn(said, 1).messages);
  if (messages.empty()) return;
  Require(ReadStrictly(wire) == ReadLeniently(wire));
  Require(ReadStrictly(wire)->octets == messages[0]);
}

// --- A server's octets -------------------------------------------------------

void RunLogin(bool start_tls, std::string_view bytes, size_t piece) {
  UpstreamOptions options;
  options.start_tls = start_tls;
  options.forward_client = true;
  options.login.user = "bob";
  options.login.secret = Secret("secret");
  auto machine = SmtpProtocol().NewUpstream(std::move(options));
  for (const std::string_view part : ChopEvery(bytes, piece)) {
    machine->Feed(part);
    const UpstreamEvent event = machine->Next();
    const std::string said = machine->TakeOutput();
    Require(!start_tls || said.find("AUTH") == said.npos);
    if (!std::holds_alternative<NeedData>(event)) return;
  }
}

// A server without a login to give, which may know HELO only.
void RunGreeting(std::string_view bytes, size_t piece) {
  UpstreamOptions options;
  options.login.method = UpstreamLogin::Method::kNone;
  auto machine = SmtpProtocol().NewUpstream(std::move(options));
  std::string said;
  for (const std::string_view part : ChopEvery(bytes, piece)) {
    machine->Feed(part);
    const UpstreamEvent event = machine->Next();
    said += machine->TakeOutput();
    if (const auto* ready = std::get_if<UpstreamReady>(&event)) {
      Require(said == "EHLO \r\n" ||
              (said == "EHLO \r\nHELO \r\n" && ready->capabilities.empty()));
    }
    if (!std::holds_alternative<NeedData>(event)) return;
  }
}

// Printable ASCII in lines of the RFC's length, whatever the server said.
void RequireFitForClient(const SmtpReply& reply) {
  const std::string wire = FormatSmtpReply(reply);
  Require(wire.ends_with("\r\n"));
  for (size_t at = 0; at < wire.size();) {
    const size_t end = wire.find("\r\n", at);
    Require(end - at <= 510);
    for (; at < end; ++at) Require(wire[at] >= ' ' && wire[at] <= '~');
    at += 2;
  }
}

// No recipient gets two answers, and nothing happens behind a failure.
void RunMail(bool lmtp, std::string_view bytes, size_t piece) {
  SmtpSender::Options options;
  options.lmtp = lmtp;
  options.capabilities = {"PIPELINING"};
  SmtpSender sender(std::move(options));
  SmtpRcpt rcpt;
  rcpt.recipient = {"b", "y"};
  sender.Mail({});
  sender.Rcpt(rcpt);
  sender.Rcpt(rcpt);
  sender.BeginBody();
  std::string said = sender.TakeOutput();
  std::vector<std::string> answered;
  for (const std::string_view part : ChopEvery(bytes, piece)) {
    sender.Feed(part);
    for (;;) {
      const SmtpSender::Event event = sender.Next();
      if (std::holds_alternative<NeedData>(event)) break;
      if (std::holds_alternative<SmtpSender::Failed>(event)) {
        Require(std::holds_alternative<NeedData>(sender.Next()));
        Require(sender.TakeOutput().empty() && !sender.idle());
        return;
      }
      const auto& answer = std::get<SmtpSender::Answered>(event);
      RequireFitForClient(answer.reply);
      const std::string which = std::to_string(static_cast<int>(answer.to)) +
                                std::to_string(answer.recipient);
      for (const std::string& other : answered) Require(which != other);
      answered.push_back(which);
      if (answer.to == SmtpSender::Answered::To::kBody &&
          answer.reply.code == 354) {
        sender.Body("x\r\n");
        sender.EndBody();
      }
      said += sender.TakeOutput();
    }
  }
  Require(!sender.idle() || said.ends_with("x\r\n.\r\n") ||
          answered.size() == 4);
}

void Fuzz(std::string_view input) {
  if (input.size() < 2) return;
  const char kind = input[0];
  const size_t piece = 1 + static_cast<unsigned char>(input[1]) % 32;
  const std::string_view bytes = input.substr(2);
  switch (kind) {
    case 'C':
    case 'A':
      Require(RunClient(kind, bytes, piece) == RunClient(kind, bytes, 1));
      return;
    case 'M':
      return RunMessage(bytes, piece);
    case 'W':
      return RunWire(bytes, piece);
    case 'U':
    case 'T':
      return RunLogin(kind == 'T', bytes, piece);
    case 'G':
      return RunGreeting(bytes, piece);
    case 'R':
      RunMail(false, bytes, piece);
      return RunMail(true, bytes, piece);
  }
}

}  // namespace
}  // namespace gatehouse

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  gatehouse::Fuzz({reinterpret_cast<const char*>(data), size});
  return 0;
}
