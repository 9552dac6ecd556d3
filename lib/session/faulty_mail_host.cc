#include "lib/session/faulty_mail_host.h"

#include <algorithm>
#include <utility>

#include "lib/protocol/smtp/other_readers.h"

namespace gatehouse {
namespace {

constexpr std::string_view kNo = "554 5.3.0 No\r\n";
// What a host that has stopped reading still takes.
constexpr size_t kStalledBytes = 10;

// "<bob@example.com>" of "RCPT TO:<bob@example.com> …", without brackets.
std::string PathOf(const std::string& line) {
  const size_t begin = line.find('<') + 1;
  return line.substr(begin, line.find('>') - begin);
}

}  // namespace

bool CanHappen(MailStep step, MailFault fault) {
  switch (step) {
    case MailStep::kConnect:
      return fault == MailFault::kStall || fault == MailFault::kRefuse;
    case MailStep::kAnswer:
      return fault == MailFault::kStall || fault == MailFault::kCut;
    case MailStep::kAfter:
      return fault == MailFault::kCut || fault == MailFault::kGoodBye;
    default:
      return true;
  }
}

FaultyMailHost::FaultyMailHost(FakeNetwork& network,
                               const SocketAddress& address,
                               const Options& options)
    : network_(network), address_(address), options_(options) {
  ScriptConnect();
}

void FaultyMailHost::Inject(const Injection& injection) {
  injections_.push_back(injection);
  ScriptConnect();
}

// Of connecting only the first time, or each, can go wrong.
void FaultyMailHost::ScriptConnect() {
  using Connect = FakeNetwork::ConnectScript;
  Connect script = Connect::kAccept;
  for (const Injection& injection : injections_) {
    if (injection.step != MailStep::kConnect) continue;
    script = injection.fault == MailFault::kStall ? Connect::kStall
                                                  : Connect::kRefuse;
  }
  network_.ScriptConnect(address_, script, [this](FakePeer& peer) {
    conversations_.emplace_back().peer = peer.shared_from_this();
    Pass(conversations_.back(), MailStep::kGreeting, "220 host\r\n", kNo);
  });
}

std::optional<MailFault> FaultyMailHost::Meet(MailStep step) {
  const int turn = turns_[step]++;
  for (const Injection& injection : injections_) {
    if (injection.step != step) continue;
    if (injection.turn == kEachTime || injection.turn == turn) {
      return injection.fault;
    }
  }
  return std::nullopt;
}

bool FaultyMailHost::Pass(Conversation& with, MailStep step,
                          std::string_view answer, std::string_view refusal) {
  if (const auto fault = Meet(step)) {
    Break(with, *fault, refusal);
    return false;
  }
  with.peer->Deliver(answer);
  return true;
}

void FaultyMailHost::Break(Conversation& with, MailFault fault,
                           std::string_view refusal) {
  if (fault == MailFault::kRefuse) return with.peer->Deliver(refusal);
  with.deaf = true;
  if (fault == MailFault::kStall) return;
  if (fault == MailFault::kGoodBye) {
    with.peer->Deliver("421 4.3.2 Closing\r\n");
  }
  with.peer->DeliverEof();
}

bool FaultyMailHost::Serve() {
  bool said = false;
  for (size_t i = 0; i < conversations_.size(); ++i) {
    Conversation& with = conversations_[i];
    const std::string heard = with.peer->TakeSent();
    said = said || !heard.empty();
    with.unread += heard;
    while (!with.deaf) {
      if (with.in_body) {
        OnBody(with);
        if (with.in_body) break;
        continue;
      }
      const size_t end = with.unread.find("\r\n");
      if (end == std::string::npos) break;
      const std::string line = with.unread.substr(0, end);
      with.unread.erase(0, end + 2);
      OnLine(with, line);
    }
  }
  return said;
}

void FaultyMailHost::OnLine(Conversation& with, const std::string& line) {
  const std::string_view verb = std::string_view(line).substr(0, 4);
  if (verb == "EHLO" || verb == "LHLO") return OnEhlo(with);
  if (verb == "STAR") return OnStartTls(with);
  if (verb == "XCLI") {
    with.xclient = Pass(with, MailStep::kXclient, "220 host\r\n", kNo);
  } else if (verb == "AUTH") {
    Pass(with, MailStep::kAuth, "235 2.7.0 In\r\n", "535 5.7.8 No\r\n");
  } else if (verb == "MAIL") {
    with.recipients.clear();
    Pass(with, MailStep::kMail, "250 2.1.0 Ok\r\n", "550 5.7.1 No\r\n");
  } else if (verb == "RCPT") {
    if (Pass(with, MailStep::kRcpt, "250 2.1.5 Ok\r\n", "550 5.1.1 No\r\n")) {
      with.recipients.push_back(PathOf(line));
    }
  } else if (verb == "DATA") {
    OnData(with);
  } else if (verb == "RSET") {
    with.peer->Deliver("250 2.0.0 Ok\r\n");
  } else if (verb == "QUIT") {
    Break(with, MailFault::kCut, "");
  } else {
    with.peer->Deliver("500 5.5.1 What?\r\n");
  }
}

void FaultyMailHost::OnEhlo(Conversation& with) {
  std::string offer = "250-host\r\n250-PIPELINING\r\n";
  if (options_.start_tls && !with.tls) offer += "250-STARTTLS\r\n";
  if (options_.xclient) offer += "250-XCLIENT ADDR HELO\r\n";
  if (options_.auth) offer += "250-AUTH PLAIN\r\n";
  const MailStep step = with.xclient ? MailStep::kEhloAfterXclient
                        : with.tls   ? MailStep::kEhloInTls
                                     : MailStep::kEhlo;
  Pass(with, step, offer + "250 ENHANCEDSTATUSCODES\r\n", kNo);
}

void FaultyMailHost::OnStartTls(Conversation& with) {
  using Tls = FakePeer::TlsScript;
  if (const auto fault = Meet(MailStep::kHandshake)) {
    with.peer->ScriptTls(fault == MailFault::kStall ? Tls::kStall : Tls::kFail);
  }
  with.tls = Pass(with, MailStep::kStartTls, "220 2.0.0 Go\r\n",
                  "454 4.7.0 Not now\r\n");
}

void FaultyMailHost::OnData(Conversation& with) {
  if (with.recipients.empty()) {
    return with.peer->Deliver("503 5.5.1 RCPT?\r\n");
  }
  with.in_body = Pass(with, MailStep::kData, "354 Go\r\n", "451 4.3.0 No\r\n");
  with.body_met = false;
}

void FaultyMailHost::OnBody(Conversation& with) {
  if (with.unread.empty()) return;
  if (!std::exchange(with.body_met, true)) {
    if (const auto fault = Meet(MailStep::kBody)) {
      if (fault == MailFault::kStall) {
        with.peer->set_send_capacity(kStalledBytes);
      }
      Break(with, *fault, "452 4.3.1 Disk full\r\n");
      // Who refuses in the midst doesn't read on.
      if (fault == MailFault::kRefuse) Break(with, MailFault::kCut, "");
      return;
    }
  }
  const auto message = ReadStrictly(with.unread);
  if (!message) return;
  with.unread.erase(0, message->size);
  with.in_body = false;
  OnMessage(with, message->octets);
}

void FaultyMailHost::OnMessage(Conversation& with, const std::string& octets) {
  const std::vector<std::string> recipients =
      std::exchange(with.recipients, {});
  std::string refusal;
  for (size_t i = 0; i < (options_.lmtp ? recipients.size() : 1); ++i) {
    refusal += "554 5.6.0 No\r\n";
  }
  if (const auto fault = Meet(MailStep::kDot)) {
    return Break(with, *fault, refusal);
  }
  if (!options_.lmtp) {
    Accept(with, recipients, octets);
    return;
  }
  for (size_t i = 0; i < recipients.size(); ++i) {
    if (i > 0) {
      if (const auto fault = Meet(MailStep::kNextAnswer)) {
        Break(with, *fault, "452 4.2.2 Full\r\n");
        if (with.deaf) return;
        continue;
      }
    }
    if (!Accept(with, {recipients[i]}, octets)) return;
  }
}

// False where nobody will hear of it.
bool FaultyMailHost::Accept(Conversation& with,
                            const std::vector<std::string>& recipients,
                            const std::string& octets) {
  for (const std::string& recipient : recipients) {
    delivered_.push_back({recipient, octets});
  }
  if (!Pass(with, MailStep::kAnswer, "250 2.0.0 Ok\r\n", "")) return false;
  if (const auto fault = Meet(MailStep::kAfter)) Break(with, *fault, "");
  return !with.deaf;
}

int FaultyMailHost::Copies(std::string_view recipient,
                           std::string_view octets) const {
  return std::count_if(
      delivered_.begin(), delivered_.end(), [&](const Delivery& delivery) {
        return delivery.recipient == recipient && delivery.octets == octets;
      });
}

}  // namespace gatehouse
