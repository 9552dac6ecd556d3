#include "lib/session/login_refusal.h"

#include <gtest/gtest.h>

#include <memory>

#include "lib/session/login_fixture.h"

namespace gatehouse {
namespace {

TEST_F(LoginTest, CountsFailuresOverSessionsByAddressAndByName) {
  settings_.failed_logins = std::make_shared<FailedLogins>();
  const SocketAddress elsewhere = *SocketAddress::Parse("198.51.100.9", 5555);
  const struct {
    SocketAddress peer;
    const char* line;
    int delays;
  } kCases[] = {{kClient, "LOGIN alice wrong\n", 1},
                {kClient, "LOGIN bob wrong\n", 2},      // the address's second
                {elsewhere, "LOGIN alice wrong\n", 2},  // the name's second
                {elsewhere, "LOGIN Alice wrong\n", 3}};
  for (const auto& c : kCases) {
    client_address_ = c.peer;
    record_ = {};
    Begin();
    client_->TakeSent();
    Say(c.line);
    network_.Advance(settings_.failure_delay * c.delays -
                     absl::Milliseconds(1));
    EXPECT_EQ(client_->Sent(), "") << c.line;
    network_.Advance(absl::Milliseconds(1));
    EXPECT_EQ(client_->Sent(), "NO credentials\n") << c.line;
    login_.reset();
  }
}

TEST_F(LoginTest, LocksNobodyOutWhoseNameIsTriedByOthers) {
  settings_.failed_logins = std::make_shared<FailedLogins>();
  settings_.failed_logins_per_address = 10;
  const SocketAddress attacker = *SocketAddress::Parse("198.51.100.9", 5555);
  for (int i = 0; i < 1000; ++i) {
    settings_.failed_logins->Note(attacker, "alice", network_.Now());
  }
  Begin();
  Say("LOGIN alice wrong\n");
  network_.Advance(settings_.failure_delay * 8);
  EXPECT_EQ(client_->Sent(), "HELLO\nNO credentials\n") << "and no later";
  Say("LOGIN alice secret\n");
  StoreSays("OK\n");
  EXPECT_TRUE(joined()) << "at once";
}

TEST_F(LoginTest, CountsNoOutageAsAFailure) {
  settings_.failed_logins = std::make_shared<FailedLogins>();
  Begin();
  directory_->mood = OneUserDirectory::Mood::kDown;
  for (int i = 0; i < 5; ++i) {
    client_->TakeSent();
    Say("LOGIN alice secret\n");
    network_.Advance(absl::ZeroDuration());
    EXPECT_EQ(client_->Sent(), "NO unavailable\n");
  }
  EXPECT_EQ(record_.failed_logins, 0);
  directory_->mood = OneUserDirectory::Mood::kWell;
  client_->TakeSent();
  Say("LOGIN alice wrong\n");
  network_.Advance(settings_.failure_delay);
  EXPECT_EQ(client_->Sent(), "NO credentials\n") << "and no later";
}

TEST_F(LoginTest, AsksNobodyForAnAddressThatHasFailedTooOften) {
  settings_.failed_logins = std::make_shared<FailedLogins>();
  settings_.failed_logins_per_address = 2;
  for (int i = 0; i < 2; ++i) {
    Begin();
    Say("LOGIN alice wrong\n");
    login_.reset();
  }
  Begin();
  client_->TakeSent();
  Say("LOGIN alice secret\n");
  network_.Advance(absl::ZeroDuration());
  EXPECT_EQ(client_->TakeSent(), "NO limit\n");
  EXPECT_EQ(directory_->authentications, 2);
  EXPECT_EQ(refusals_.back(), LoginRefusal::Kind::kLimit);
  network_.Advance(FailedLogins::kForgetOne - absl::Seconds(10));
  login_.reset();
  network_.Advance(absl::Seconds(10));
  Begin();
  Say("LOGIN alice secret\n");
  StoreSays("OK\n");
  EXPECT_TRUE(joined());
}

// "s3cret" is what a user typed in the wrong place.
TEST_F(LoginTest, LogsNoNameThatNobodyKnows) {
  settings_.masters = {"*", {"alice"}};
  settings_.token_mechanisms = true;
  for (const bool checked_here : {true, false}) {
    settings_.authenticate_on_proxy = checked_here;
    for (const char* line :
         {"LOGIN s3cret alice\n", "LOGIN s3cret*x alice\n",
          "LOGIN s3cret*alice wrong\n", "LOGIN @@s3cret alice\n",
          "LOGIN s3cret alice alice\n", "LOGIN alice x s3cret\n",
          "TOKEN s3cret alice\n"}) {
      for (const auto mood :
           {OneUserDirectory::Mood::kWell, OneUserDirectory::Mood::kDown,
            OneUserDirectory::Mood::kSilent}) {
        directory_->mood = mood;
        record_ = {};
        outcome_.reset();
        Begin();
        Say(line);
        network_.Advance(settings_.failure_delay);
        EXPECT_EQ(record_.user, "") << line;
        client_->DeliverEof();
        network_.RunUntilIdle();
        EXPECT_TRUE(ended());
        EXPECT_EQ(record_.user, "") << line;
        EXPECT_EQ(log_.text().find("s3cret"), std::string::npos) << line;
      }
    }
  }
}

TEST_F(LoginTest, LogsNoNameThatTheDefaultUpstreamRefuses) {
  settings_.authenticate_on_proxy = false;
  settings_.default_upstream = Endpoint{"10.0.0.1", 7};
  for (const char* answer : {"NO credentials\n", "NO unavailable\n"}) {
    Begin();
    Say("LOGIN s3cret alice\n");
    StoreSays(answer);
    network_.Advance(settings_.failure_delay);
    EXPECT_EQ(record_.user, "");
    EXPECT_EQ(log_.text().find("s3cret"), std::string::npos);
    login_.reset();
  }
  Begin();
  Say("LOGIN carol secret\n");
  StoreSays("OK\n");
  ASSERT_TRUE(joined());
  EXPECT_EQ(record_.user, "carol") << "the upstream knows her";
}

TEST_F(LoginTest, LogsWhosePasswordWasWrong) {
  Begin();
  Say("LOGIN alice wrong\n");
  EXPECT_EQ(record_.user, "alice");
  network_.Advance(settings_.failure_delay);
  Say("LOGIN s3cret alice\n");
  EXPECT_EQ(record_.user, "") << "it is of the last attempt";
  login_.reset();
  settings_.authenticate_on_proxy = false;
  Begin();
  Say("LOGIN alice wrong\n");
  StoreSays("NO credentials\n");
  EXPECT_EQ(record_.user, "alice");
  EXPECT_NE(log_.text().find("user=alice\n"), std::string::npos);
}

}  // namespace
}  // namespace gatehouse
