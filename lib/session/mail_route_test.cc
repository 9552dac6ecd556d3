#include "lib/session/mail_route.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "lib/protocol/smtp/smtp_protocol.h"
#include "lib/testing/fake_directory.h"
#include "lib/testing/fake_network.h"

namespace gatehouse {
namespace {

// Of a directory that must be asked, and of one that knows all from memory.
class MailRouteTest : public testing::TestWithParam<bool> {
 protected:
  MailRouteTest() {
    auto directory = std::make_shared<FakeDirectory>(network_);
    directory_ = directory.get();
    directory_->set_knows_all(from_memory());
    settings_.directory = std::move(directory);
    settings_.protocol = &SmtpProtocol();
    settings_.upstream.port = 25;
    mail_.local_domains = {"example.com"};
    mail_.recipient_delimiter = "+";
  }

  bool from_memory() const { return GetParam(); }

  void AddEntry(std::string_view name, std::string_view host,
                std::string_view routing_address = "") {
    Location location;
    location.user = std::string(name);
    location.host = Endpoint{std::string(host), 0};
    location.routing_address = std::string(routing_address);
    directory_->ScriptLocate(name, location);
  }

  MailRouteResult Locate(const SmtpRcpt& rcpt) {
    std::optional<MailRouteResult> result;
    auto routing = LocateRecipient(
        settings_, mail_, rcpt,
        [&](MailRouteResult found) { result = std::move(found); });
    EXPECT_FALSE(result) << "never from inside the call";
    auto* known = std::get_if<MailRouteResult>(&routing);
    EXPECT_EQ(known != nullptr, from_memory());
    if (known != nullptr) return std::move(*known);
    network_.RunUntilIdle();
    return std::move(result).value();
  }
  // "RCPT TO:<…> at host:port", or the refusal.
  std::string Told(const SmtpRcpt& rcpt) {
    const MailRouteResult result = Locate(rcpt);
    if (const auto* unroutable = std::get_if<MailUnroutable>(&result)) {
      return Summary(unroutable->reply);
    }
    const MailRoute& route = std::get<MailRoute>(result);
    SmtpExtensions all;
    all.dsn = true;
    return FormatSmtpRcpt(route.rcpt, all) + " at " +
           route.host.target.endpoint.ToString();
  }
  std::string Told(std::string_view address) {
    SmtpRcpt rcpt;
    rcpt.recipient = address == "postmaster" ? SmtpAddress{"postmaster", ""}
                                             : *ParseSmtpAddress(address);
    return Told(rcpt);
  }

  FakeNetwork network_;
  FakeDirectory* directory_ = nullptr;
  SessionSettings settings_;
  MailSettings mail_;
};

TEST_P(MailRouteTest, AsksForTheAddressThenWithoutItsDetailThenForTheDomain) {
  AddEntry("alice@example.com", "store1");
  AddEntry("alice+lists@example.com", "store2");
  AddEntry("@example.com", "store3");
  EXPECT_EQ(Told("alice+lists@example.com"),
            "RCPT TO:<alice+lists@example.com> at store2:25");
  EXPECT_EQ(Told("alice+else@example.com"),
            "RCPT TO:<alice+else@example.com> at store1:25");
  EXPECT_EQ(Told("alice@example.com"),
            "RCPT TO:<alice@example.com> at store1:25");
  EXPECT_EQ(Told("bob+x@example.com"),
            "RCPT TO:<bob+x@example.com> at store3:25");
  mail_.recipient_delimiter.clear();
  EXPECT_EQ(Told("alice+else@example.com"),
            "RCPT TO:<alice+else@example.com> at store3:25");
}

TEST_P(MailRouteTest, GoesToTheDefaultUpstreamWhereNobodyKnows) {
  EXPECT_EQ(Told("bob@example.com"), "550 5.1.1 No such user here");
  settings_.default_upstream = Endpoint{"store9", 2525};
  EXPECT_EQ(Told("bob@example.com"),
            "RCPT TO:<bob@example.com> at store9:2525");
}

TEST_P(MailRouteTest, ANameIsOneInEachOfItsSpellings) {
  AddEntry("j\u00f6rg@xn--bcher-kva.example", "store1");
  AddEntry("@example.com", "store2");
  for (const std::string local : {"j\u00f6rg", "jo\u0308rg"}) {
    EXPECT_EQ(Told(local + "@b\u00fccher.example"),
              "RCPT TO:<j\u00f6rg@b\u00fccher.example> at store1:25");
    EXPECT_EQ(Told(local + "+x@xn--bcher-kva.example"),
              "RCPT TO:<j\u00f6rg+x@xn--bcher-kva.example> at store1:25");
    // Whose names are the host's alone.
    EXPECT_EQ(Told(local + "@example.com"),
              "RCPT TO:<" + local + "@example.com> at store2:25");
  }
  EXPECT_EQ(Told("\"a b\"@example.com"),
            "RCPT TO:<\"a b\"@example.com> at store2:25");
}

// RFC 3461 §4.2: the first who rewrites says what the address was.
TEST_P(MailRouteTest, RewritesTheRecipientAndKeepsItsDetailAndFormerName) {
  AddEntry("alice@example.com", "store1", "a123@store1.example.com");
  EXPECT_EQ(Told("alice@example.com"),
            "RCPT TO:<a123@store1.example.com> "
            "ORCPT=rfc822;alice@example.com at store1:25");
  EXPECT_EQ(Told("alice+x@example.com"),
            "RCPT TO:<a123+x@store1.example.com> "
            "ORCPT=rfc822;alice+2Bx@example.com at store1:25");
  SmtpRcpt told;
  told.recipient = *ParseSmtpAddress("alice@example.com");
  told.orcpt = "rfc822;first@example.net";
  told.notify = "NEVER";
  EXPECT_EQ(Told(told),
            "RCPT TO:<a123@store1.example.com> NOTIFY=NEVER "
            "ORCPT=rfc822;first@example.net at store1:25");
}

// A whole domain's entry stands for one mailbox: no detail is made up there.
TEST_P(MailRouteTest, RewritesAWholeDomainToOneAddress) {
  AddEntry("@example.com", "store1", "catchall@store1.example.com");
  EXPECT_EQ(Told("bob+x@example.com"),
            "RCPT TO:<catchall@store1.example.com> "
            "ORCPT=rfc822;bob+2Bx@example.com at store1:25");
}

TEST_P(MailRouteTest, RefusesForNowWhatMayBeBetterLater) {
  AddEntry("bad@example.com", "store1", "no address");
  Location moving;
  moving.moving = true;
  directory_->ScriptLocate("moving@example.com", moving);
  EXPECT_EQ(Told("bad@example.com"), "451 4.3.5 Directory entry can't be used");
  EXPECT_EQ(Told("moving@example.com"), "450 4.2.1 Mailbox is being moved");
  directory_->set_failure(Failure{Failure::Side::kDirectory,
                                  Failure::Kind::kUnreachable,
                                  Failure::Retry::kSafe, "down"});
  EXPECT_EQ(Told("bob@example.com"),
            "451 4.3.0 Directory not available, try again later");
}

// A failure at the second question isn't "not found" either.
TEST_P(MailRouteTest, ADirectoryThatFailsOnTheWayIsNoUnknownUser) {
  directory_->ScriptLocate(
      "bob@example.com",
      Failure{Failure::Side::kDirectory, Failure::Kind::kTimeout,
              Failure::Retry::kSafe, "slow"});
  EXPECT_TRUE(Told("bob+x@example.com").starts_with("451 4.3.0"));
}

TEST_P(MailRouteTest, RefusesADisabledMailboxForGood) {
  directory_->ScriptLocate("alice@example.com", Denial::kDisabled);
  AddEntry("@example.com", "store1");
  EXPECT_EQ(Told("alice@example.com"), "550 5.2.1 Mailbox disabled");
}

TEST_P(MailRouteTest, LooksForPostmasterInOurFirstDomain) {
  mail_.local_domains = {".example.net", "example.com"};
  AddEntry("postmaster@example.com", "store1");
  EXPECT_EQ(Told("postmaster"),
            "RCPT TO:<postmaster@example.com> at store1:25");
}

INSTANTIATE_TEST_SUITE_P(Directories, MailRouteTest, testing::Bool());

}  // namespace
}  // namespace gatehouse
