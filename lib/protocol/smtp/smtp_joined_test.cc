// The machines joined in memory: what a client hands to SmtpReceiver goes
// through SmtpSender to another receiver, which plays the store.
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "lib/protocol/smtp/other_readers.h"
#include "lib/protocol/smtp/ruled_receiver.h"
#include "lib/protocol/smtp/smtp_receiver.h"
#include "lib/protocol/smtp/smtp_sender.h"
#include "lib/testing/chop.h"

namespace gatehouse {
namespace {

using Messages = std::vector<std::string>;

SmtpReceiverOptions Generous() {
  SmtpReceiverOptions options;
  options.message_bytes = 0;
  options.downstream.host_name = "mx";
  options.downstream.limits.bad_commands = 1000;
  return options;
}

class Store {
 public:
  // Pieces of up to `piece` octets, in both directions.
  Store(bool pipelining, size_t piece)
      : sender(Options(pipelining)), receiver_(Generous()), piece_(piece) {
    receiver_.Feed("EHLO client\r\n");
    receiver_.Next();
    receiver_.TakeOutput();
  }

  // Lets both talk until they wait; the answers that the sender got.
  std::vector<SmtpReply> Talk() {
    std::vector<SmtpReply> answers;
    for (;;) {
      const std::string said = sender.TakeOutput();
      if (said.empty()) return answers;
      wire += said;
      for (const std::string_view part :
           ChopRandomly(said, piece_, said.size())) {
        receiver_.Feed(part);
        receiver_.Next();
      }
      Answer(answers);
    }
  }

  Messages messages() const { return receiver_.messages(); }

  SmtpSender sender;
  std::string wire;  // all that the sender said

 private:
  static SmtpSender::Options Options(bool pipelining) {
    SmtpSender::Options options;
    if (pipelining) options.capabilities = {"PIPELINING"};
    return options;
  }

  void Answer(std::vector<SmtpReply>& answers) {
    std::string answer = receiver_.TakeOutput();
    // What it tells of an RSET is no reply.
    if (answer.ends_with("(aborted)\r\n")) answer.erase(answer.rfind('('));
    for (const std::string_view part :
         ChopRandomly(answer, piece_, answer.size())) {
      sender.Feed(part);
      for (;;) {
        const SmtpSender::Event event = sender.Next();
        ASSERT_FALSE(std::holds_alternative<SmtpSender::Failed>(event));
        const auto* answered = std::get_if<SmtpSender::Answered>(&event);
        if (answered == nullptr) break;
        answers.push_back(answered->reply);
      }
    }
  }

  RuledReceiver receiver_;
  size_t piece_;
};

// Hands on each event as it comes, as a session does.
class Relay {
 public:
  explicit Relay(size_t piece)
      : store(std::make_unique<Store>(true, piece)),
        receiver_(Generous()),
        piece_(piece) {
    Say("EHLO client\r\n");
  }

  void Say(std::string_view bytes) {
    for (const std::string_view part :
         ChopRandomly(bytes, piece_, bytes.size())) {
      receiver_.Feed(part);
      for (;;) {
        const SmtpReceiverEvent event = receiver_.Next();
        heard += receiver_.TakeOutput();
        if (std::holds_alternative<NeedData>(event)) break;
        if (std::holds_alternative<Closed>(event)) return;
        std::visit([this](const auto& value) { On(value); }, event);
      }
    }
  }

  std::unique_ptr<Store> store;
  std::string heard;  // by the client

 private:
  void On(const SmtpMailEvent& event) {
    store->sender.Mail(event.mail);
    receiver_.Answer(store->Talk().at(0));
  }
  void On(const SmtpRcptEvent& event) {
    store->sender.Rcpt(event.rcpt);
    receiver_.Answer(store->Talk().at(0));
  }
  void On(const SmtpBodyEvent&) {
    store->sender.BeginBody();
    ASSERT_EQ(store->Talk().at(0).code, 354);
    receiver_.BodyAccepted();
  }
  void On(const SmtpChunkEvent& event) {
    store->sender.Body(event.octets);
    EXPECT_TRUE(store->Talk().empty());
  }
  void On(const SmtpEndOfBodyEvent&) {
    store->sender.EndBody();
    receiver_.Answer(store->Talk().at(0));
  }
  void On(const SmtpAbortedEvent&) {
    if (store->sender.StateName() == "InBody") {
      store = std::make_unique<Store>(true, piece_);
      return;
    }
    store->sender.Reset();
    store->Talk();
  }
  template <typename Other>
  void On(const Other&) {
    FAIL() << "nothing that these clients cause";
  }

  SmtpReceiver receiver_;
  size_t piece_;
};

constexpr std::string_view kEnvelope = "MAIL FROM:<a@x>\r\nRCPT TO:<b@y>\r\n";

// Of what framing could stumble over, more than of anything else.
std::string RandomMessage(std::mt19937& random) {
  constexpr std::string_view kWords[] = {
      "\r\n", "\r\n", "\r\n.", ".", "..", "\r\n.\r\n", "x", "QUIT", "\xff"};
  std::string message;
  const size_t size = random() % 200 == 0 ? 20000 : random() % 100;
  while (message.size() < size) {
    message += kWords[random() % std::size(kWords)];
  }
  return message;
}

std::string Whole(std::string message) {
  if (!message.empty() && !message.ends_with("\r\n")) message += "\r\n";
  return message;
}

TEST(SmtpJoinedTest, AnyMessageArrivesOctetForOctet) {
  std::mt19937 random(1);
  for (int i = 0; i < 200; ++i) {
    Store store(i % 2 == 0, 1 + i % 50);
    Messages sent;
    for (int j = 0; j < 3; ++j) {
      SmtpMail mail;
      mail.sender = {"a", "x"};
      store.sender.Mail(mail);
      for (const std::string name : {"nobody", "b", "c"}) {
        SmtpRcpt rcpt;
        rcpt.recipient = {name, "y"};
        store.sender.Rcpt(rcpt);
      }
      store.sender.BeginBody();
      ASSERT_EQ(store.Talk().size(), 5u);
      const std::string message = RandomMessage(random);
      for (const std::string_view part : ChopRandomly(message, 100, i)) {
        store.sender.Body(part);
        ASSERT_TRUE(store.Talk().empty());
      }
      store.sender.EndBody();
      ASSERT_EQ(store.Talk().at(0).code, 250);
      ASSERT_TRUE(store.sender.idle());
      sent.push_back(Whole(message));
    }
    ASSERT_EQ(store.messages(), sent) << i;
  }
}

TEST(SmtpJoinedTest, DataAndChunksReachTheStoreAlike) {
  std::mt19937 random(2);
  for (int i = 0; i < 200; ++i) {
    const std::string message = RandomMessage(random);
    std::string chunks;
    for (const std::string_view chunk : ChopRandomly(message, 30, i)) {
      chunks += "BDAT " + std::to_string(chunk.size()) + "\r\n";
      chunks += chunk;
    }
    // A message that was given up, between them, leaves nothing behind.
    Relay relay(1 + i % 50);
    relay.Say(std::string(kEnvelope) + chunks + "BDAT 0 LAST\r\n" +
              std::string(kEnvelope) + "RSET\r\n" + std::string(kEnvelope) +
              "DATA\r\n" + StuffStrictly(Whole(message)) + "QUIT\r\n");
    ASSERT_EQ(relay.store->messages(),
              (Messages{Whole(message), Whole(message)}))
        << i << relay.heard;
    ASSERT_TRUE(relay.heard.ends_with("221 2.0.0 Bye.\r\n"));
  }
}

TEST(SmtpJoinedTest, AMessageThatIsGivenUpNeverReachesTheStore) {
  for (const std::string_view end :
       {"RSET\r\n", "EHLO again\r\n", "BDAT 3 LAST\r\na\nb", "QUIT\r\n"}) {
    Relay relay(7);
    const std::unique_ptr<Store>& store = relay.store;
    relay.Say(std::string(kEnvelope) + "BDAT 3\r\nx\r\n");
    relay.Say(end);
    EXPECT_TRUE(store->messages().empty()) << end;
    EXPECT_EQ(store->wire.find("\r\n.\r\n"), std::string::npos) << end;
  }
}

// Every text of up to `longest` of the octets that matter.
void ForEachText(size_t longest, const auto& visit) {
  constexpr std::string_view kOctets("\r\n.\0x", 5);
  std::vector<std::string> texts = {""};
  for (size_t length = 0; length <= longest; ++length) {
    std::vector<std::string> longer;
    for (const std::string& text : texts) {
      visit(text);
      for (const char octet : kOctets) longer.push_back(text + octet);
    }
    texts = std::move(longer);
  }
}

// Nobody behind us can find two messages in what we took for one.
void ExpectOneMessageForEveryReader(const Relay& relay,
                                    const std::string& what) {
  const std::string& said = relay.store->wire;
  const std::string_view wire =
      std::string_view(said).substr(said.find("DATA\r\n") + 6);
  const auto strict = ReadStrictly(wire);
  ASSERT_TRUE(strict.has_value()) << what;
  EXPECT_EQ(strict->size, wire.size()) << what;
  EXPECT_TRUE(strict == ReadLeniently(wire)) << what;
  EXPECT_EQ(relay.store->messages(), Messages{strict->octets}) << what;
}

TEST(SmtpJoinedTest, WhatPassesInAChunkIsOneMessageToEveryReader) {
  ForEachText(5, [](const std::string& text) {
    Relay relay(100);
    relay.Say(std::string(kEnvelope) + "BDAT " + std::to_string(text.size()) +
              " LAST\r\n" + text);
    ASSERT_EQ(relay.store->messages().size(), IsSoundMessage(text) ? 1u : 0u)
        << testing::PrintToString(text);
    if (relay.store->messages().empty()) return;
    ExpectOneMessageForEveryReader(relay, testing::PrintToString(text));
  });
}

TEST(SmtpJoinedTest, WhatPassesBehindDataIsOneMessageToEveryReader) {
  int taken = 0;
  ForEachText(5, [&taken](const std::string& text) {
    Relay relay(100);
    relay.Say(std::string(kEnvelope) + "DATA\r\nx" + text + "\r\n.\r\n");
    if (relay.store->messages().empty()) return;
    ++taken;
    ExpectOneMessageForEveryReader(relay, testing::PrintToString(text));
  });
  EXPECT_GT(taken, 100);
}

}  // namespace
}  // namespace gatehouse
