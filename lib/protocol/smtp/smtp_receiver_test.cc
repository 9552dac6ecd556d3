#include "lib/protocol/smtp/smtp_receiver.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <variant>

#include "lib/protocol/smtp/ruled_receiver.h"
#include "lib/testing/chop.h"
#include "lib/testing/transcript.h"

namespace gatehouse {
namespace {

using namespace std::string_literals;

// Limits small enough to be met in a few lines.
SmtpReceiverOptions SmallLimits() {
  SmtpReceiverOptions options;
  options.message_bytes = 300;
  options.recipients = 3;
  options.transactions = 5;
  options.prdr_offered = true;
  return options;
}

TEST(SmtpReceiverTest, InboundTranscripts) {
  PlayTranscripts(RuledReceiverProtocol(SmallLimits()),
                  "testdata/smtp/inbound");
}

TEST(SmtpReceiverTest, SubmissionTranscripts) {
  SmtpReceiverOptions options = SmallLimits();
  options.auth_required = true;
  options.prdr_offered = false;
  PlayTranscripts(RuledReceiverProtocol(options), "testdata/smtp/submission");
}

// Hears `bytes` and everything that comes of it.
std::string Hears(RuledReceiver& receiver, std::string_view bytes) {
  receiver.Feed(bytes);
  receiver.Next();
  return receiver.TakeOutput();
}

TEST(SmtpReceiverTest, LineBeyondItsLimitIsOneErrorAndNoCommand) {
  for (const size_t piece : {size_t{100000}, size_t{1000}, size_t{1}}) {
    RuledReceiver receiver({});
    receiver.TakeOutput();
    const std::string fits = "NOOP " + std::string(2048 - 7, 'x') + "\r\n";
    const std::string long_one = "NOOP " + std::string(2048 - 6, 'x') + "\r\n";
    const std::string tail = "NOOP " + std::string(9000, 'x') + "QUIT\r\n";
    std::string heard;
    std::string said = fits + long_one + tail + "RSET\r\n";
    for (std::string_view rest = said; !rest.empty();) {
      heard += Hears(receiver, rest.substr(0, piece));
      rest.remove_prefix(std::min(piece, rest.size()));
    }
    EXPECT_EQ(heard,
              "250 2.0.0 OK.\r\n500 5.5.2 The line is too long.\r\n"
              "500 5.5.2 The line is too long.\r\n250 2.0.0 Forgotten.\r\n");
  }
}

TEST(SmtpReceiverTest, LineBeyondItsLimitMustEndWellAllTheSame) {
  RuledReceiver receiver({});
  receiver.TakeOutput();
  EXPECT_EQ(Hears(receiver, std::string(5000, 'x')),
            "500 5.5.2 The line is too long.\r\n");
  EXPECT_EQ(Hears(receiver, "\nQUIT\r\n"),
            "521 5.5.2 Lines end in CRLF and hold no CR, LF or NUL.\r\n");
}

// Each of these ended a message somewhere (CVE-2023-51764, -51765, -51766);
// what stands behind it is another envelope.
TEST(SmtpReceiverTest, NothingButCrlfDotCrlfEndsAMessage) {
  const std::string kEnds[] = {"\n.\n",        "\r.\r",         "\r.\n",
                               "\n.\r",        "\n.\r\n",       "\r\n.\n",
                               "\r.\r\n",      "\r\n.\r",       "\r\n\0.\r\n"s,
                               "\r\n.\0\r\n"s, "\r\r\n.\r\r\n", "\r\r\n.\r\n",
                               "\r\n.\r\r\n"};
  const std::string envelope = "MAIL FROM:<a@x>\r\nRCPT TO:<b@y>\r\nDATA\r\n";
  for (const std::string& end : kEnds) {
    const std::string body = "a" + end + envelope + "smuggled\r\n.\r\n";
    for (const size_t piece : {size_t{1}, size_t{3}, size_t{1000}}) {
      RuledReceiver receiver({});
      std::string heard = Hears(receiver, "EHLO client\r\n" + envelope);
      for (const std::string_view part : ChopEvery(body, piece)) {
        heard += Hears(receiver, part);
      }
      EXPECT_TRUE(receiver.messages().empty()) << testing::PrintToString(end);
      EXPECT_TRUE(heard.ends_with(
          "354 Go ahead.\r\n"
          "521 5.5.2 Lines end in CRLF and hold no CR, LF or NUL.\r\n"))
          << testing::PrintToString(end);
    }
  }
}

// Whoever sits between the two may add to what was said in the clear, also in
// a segment of its own (CVE-2011-0411).
TEST(SmtpReceiverTest, NothingSaidInTheClearIsHeardUnderTls) {
  SmtpReceiverOptions options;
  options.downstream.start_tls_offered = true;
  options.auth_required = true;
  SmtpReceiver receiver(options);
  receiver.Feed("EHLO client\r\nSTARTTLS\r\nEHLO mallory\r\nAUTH ");
  EXPECT_TRUE(std::holds_alternative<StartTls>(receiver.Next()));
  receiver.TakeOutput();
  receiver.Feed("PLAIN\r\n");
  EXPECT_TRUE(std::holds_alternative<Paused>(receiver.Next()));
  receiver.TlsEstablished({});
  EXPECT_TRUE(std::holds_alternative<NeedData>(receiver.Next()));
  EXPECT_EQ(receiver.TakeOutput(), "");
  EXPECT_EQ(receiver.helo(), "");
}

// A client that never reads makes us hold no more than it may send at once.
TEST(SmtpReceiverTest, RepliesToAFloodAreBounded) {
  RuledReceiver receiver({});
  std::string flood;
  for (int i = 0; i < 10000; ++i) flood += "EHLO c\r\n";
  const std::string heard = Hears(receiver, flood);
  EXPECT_TRUE(heard.ends_with("421 4.7.0 Too many commands without mail.\r\n"));
  EXPECT_LT(heard.size(), 64u << 10);
}

TEST(SmtpReceiverTest, WantsNoInputWhileItHoldsItsLimit) {
  SmtpReceiverOptions options;
  options.downstream.limits.held_bytes = 100;
  SmtpReceiver receiver(options);
  receiver.Feed("HELO client\r\nMAIL FROM:<a@x>\r\n");
  EXPECT_TRUE(std::holds_alternative<SmtpMailEvent>(receiver.Next()));
  EXPECT_TRUE(std::holds_alternative<Paused>(receiver.Next()));
  EXPECT_TRUE(receiver.input_wanted());
  receiver.Feed(std::string(100, 'x'));
  EXPECT_FALSE(receiver.input_wanted());
}

TEST(SmtpReceiverTest, KnowsWhatTheClientIsCalled) {
  SmtpReceiver receiver({});
  EXPECT_EQ(receiver.helo(), "");
  receiver.Feed("EHLO [IPv6:2001:db8::1]\r\n");
  receiver.Next();
  EXPECT_EQ(receiver.helo(), "[IPv6:2001:db8::1]");
  EXPECT_TRUE(receiver.esmtp());
  receiver.Feed("HELO mail.example\r\n");
  receiver.Next();
  EXPECT_EQ(receiver.helo(), "mail.example");
  EXPECT_FALSE(receiver.esmtp());
}

TEST(SmtpReceiverTest, ShutdownBeforeTheGreetingIsTheGreeting) {
  SmtpReceiver receiver({});
  receiver.Shutdown(DownstreamMachine::ShutdownReason::kTooManyConnections);
  EXPECT_EQ(receiver.TakeOutput(), "421 4.7.0 Too many connections.\r\n");
  EXPECT_TRUE(std::holds_alternative<Closed>(receiver.Next()));
}

// RFC 4954 §4: what an exchange takes is longer than a command.
TEST(SmtpReceiverTest, LinesOfAuthHaveALimitOfTheirOwn) {
  SmtpReceiverOptions options;
  options.auth_required = true;
  options.downstream.tls_active = true;
  for (const size_t piece : {size_t{100000}, size_t{1000}, size_t{1}}) {
    RuledReceiver receiver(options);
    Hears(receiver, "EHLO client\r\n");
    const std::string malformed =
        "501 5.5.2 Not base64, or not a message of the mechanism.\r\n";
    const std::string too_long = "500 5.5.6 The line is too long.\r\n";
    const std::pair<std::string, std::string> kSaid[] = {
        {"auth PLAIN " + std::string(12288 - 13, 'x') + "\r\n", malformed},
        {"AUTH PLAIN " + std::string(12288 - 12, 'x') + "\r\n", too_long},
        {"AUTH PLAIN\r\n", "334 \r\n"},
        {std::string(12288 - 2, 'x') + "\r\n", malformed},
        {"AUTH PLAIN\r\n", "334 \r\n"},
        // The exchange is over, and the tail no answer and no command.
        {std::string(30000, 'x') + "QUIT\r\n", too_long},
        {"NOOP\r\n", "250 2.0.0 OK.\r\n"},
        {"AUTHOR " + std::string(2048, 'x') + "\r\n",
         "500 5.5.2 The line is too long.\r\n"},
    };
    for (const auto& [said, answer] : kSaid) {
      std::string heard;
      for (const std::string_view part : ChopEvery(said, piece)) {
        heard += Hears(receiver, part);
      }
      EXPECT_EQ(heard, answer) << said.substr(0, 20);
    }
  }
}

// A client that half-closes behind its last message still hears of it.
TEST(SmtpReceiverTest, EndOfInputWaitsForTheAnswer) {
  SmtpReceiver receiver({});
  receiver.Feed("HELO client\r\nMAIL FROM:<a@x>\r\n");
  receiver.FeedEof();
  EXPECT_TRUE(std::holds_alternative<SmtpMailEvent>(receiver.Next()));
  EXPECT_TRUE(std::holds_alternative<Paused>(receiver.Next()));
  receiver.Answer(MakeSmtpReply(250, "2.1.0", "OK"));
  const SmtpReceiverEvent event = receiver.Next();
  ASSERT_TRUE(std::holds_alternative<Closed>(event));
  EXPECT_EQ(std::get<Closed>(event).reason, Closed::Reason::kEof);
}

}  // namespace
}  // namespace gatehouse
