#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "lib/session/mail_session_fixture.h"

namespace gatehouse {
namespace {

class MailSubmissionTest : public MailSessionTest {
 protected:
  MailSubmissionTest() { listener_->role = MailRole::kSubmission; }

  // "\0alice@example.com\0secret" and "\0alice@example.com\0wrong".
  static constexpr std::string_view kRight =
      "AUTH PLAIN AGFsaWNlQGV4YW1wbGUuY29tAHNlY3JldA==\r\n";
  static constexpr std::string_view kWrong =
      "AUTH PLAIN AGFsaWNlQGV4YW1wbGUuY29tAHdyb25n\r\n";
};

TEST_F(MailSubmissionTest, TakesNothingBeforeAuth) {
  Begin();
  EXPECT_TRUE(Hears(kMail).starts_with("530 5.7.0"));
}

TEST_F(MailSubmissionTest, RoutesMailOfWhoHasLoggedIn) {
  UseRelays();
  Begin();
  EXPECT_TRUE(Hears(kRight).starts_with("235 2.7.0"));
  EXPECT_TRUE(
      Hears("MAIL FROM:<bob@example.com>\r\n").starts_with("553 5.7.1"));
  EXPECT_TRUE(Hears("MAIL FROM:<alice@example.com>\r\n").starts_with("250"));
  EXPECT_TRUE(Hears(kToBob).starts_with("250"));
  EXPECT_TRUE(Hears("RCPT TO:<x@elsewhere.org>\r\n").starts_with("250"));
  Hears("DATA\r\n");
  EXPECT_TRUE(Hears(kBody).starts_with("250"));
  EXPECT_NE(store(kStore2).messages.find("Subject"), std::string::npos);
  EXPECT_NE(store(kRelay).messages.find("x@elsewhere.org"), std::string::npos);
  EXPECT_NE(log_.text().find("user=alice@example.com\n"), std::string::npos);
}

// "\0Alice\0secret": what goes to a directory is never the client's spelling.
TEST_F(MailSubmissionTest, NamesTheAccountAsEveryOtherLoginDoes) {
  settings_->names.default_domain = "example.com";
  settings_->names.lower_case_local = true;
  Begin();
  EXPECT_TRUE(Hears("AUTH PLAIN AEFsaWNlAHNlY3JldA==\r\n").starts_with("235"));
  EXPECT_TRUE(Hears("MAIL FROM:<alice@example.com>\r\n").starts_with("250"));
}

// "\0bob@example.com*alice@example.com\0secret", and for somebody unknown.
TEST_F(MailSubmissionTest, LetsAMasterSendForWhoIsKnown) {
  settings_->masters = {"*", {"alice@example.com"}};
  Begin();
  EXPECT_EQ(Hears("AUTH PLAIN AHhAZXhhbXBsZS5jb20qYWxpY2VAZXhhbXBsZS5jb20Ac2Vj"
                  "cmV0\r\n"),
            "");
  network_.Advance(settings_->failure_delay);
  EXPECT_TRUE(client_->TakeSent().starts_with("535"));
  EXPECT_TRUE(Hears("AUTH PLAIN AGJvYkBleGFtcGxlLmNvbSphbGljZUBleGFtcGxlLmNvbQB"
                    "zZWNyZXQ=\r\n")
                  .starts_with("235"));
  EXPECT_TRUE(Hears("MAIL FROM:<bob@example.com>\r\n").starts_with("250"));
}

TEST_F(MailSubmissionTest, AnswersAWrongPasswordLate) {
  Begin();
  EXPECT_EQ(Hears(kWrong), "");
  network_.Advance(settings_->failure_delay);
  EXPECT_TRUE(client_->TakeSent().starts_with("535 5.7.8"));
  EXPECT_EQ(refused_, 1);
  EXPECT_EQ(log_.text().find("wrong"), std::string::npos);
}

// "\0s3cret\0alice@example.com", and then a wrong password of alice's.
TEST_F(MailSubmissionTest, LogsNoNameThatNobodyKnows) {
  Begin();
  Hears("AUTH PLAIN AHMzY3JldABhbGljZUBleGFtcGxlLmNvbQ==\r\n");
  client_->DeliverEof();
  network_.Advance(settings_->failure_delay);
  EXPECT_EQ(ended_, 1);
  EXPECT_EQ(log_.text().find("s3cret"), std::string::npos);
  EXPECT_EQ(log_.text().find("user=alice"), std::string::npos);
  Begin();
  Hears(kWrong);
  client_->DeliverEof();
  network_.Advance(settings_->failure_delay);
  EXPECT_NE(log_.text().find("user=alice@example.com\n"), std::string::npos);
}

TEST_F(MailSubmissionTest, CountsFailuresOverSessionsAsEveryOtherLoginDoes) {
  settings_->failed_logins = std::make_shared<FailedLogins>();
  settings_->failed_logins_per_address = 2;
  for (int i = 1; i <= 2; ++i) {
    Begin();
    EXPECT_EQ(Hears(kWrong), "");
    network_.Advance(settings_->failure_delay * i - absl::Milliseconds(1));
    EXPECT_EQ(client_->TakeSent(), "");
    network_.Advance(absl::Milliseconds(1));
    EXPECT_TRUE(client_->TakeSent().starts_with("535 5.7.8"));
  }
  Begin();
  EXPECT_TRUE(Hears(kRight).starts_with("454 4.7.0"));
  EXPECT_EQ(directory_->authentications(), 2);
}

TEST_F(MailSubmissionTest, ADirectoryThatIsDownIsNoWrongPassword) {
  directory_->set_failure(Failure{Failure::Side::kDirectory,
                                  Failure::Kind::kUnreachable,
                                  Failure::Retry::kSafe, "down"});
  Begin();
  EXPECT_TRUE(Hears(kRight).starts_with("454 4.7.0"));
}

}  // namespace
}  // namespace gatehouse
