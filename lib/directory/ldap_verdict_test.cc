// What becomes of each answer to a search and to a user's bind: by a slapd with
// a password policy, and by a played server that gives any result code.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/directory/ldap_directory.h"
#include "lib/net/loop_test_kit.h"
#include "lib/testing/real_slapd.h"

namespace gatehouse {
namespace {

using ::testing::HasSubstr;

class LdapVerdictTest : public LoopTest {
 protected:
  LdapVerdictTest() {
    options_->account_base_dn = "dc=example,dc=com";
    options_->admin_dn = RealSlapd::kAdminDn;
    options_->admin_password = Secret(RealSlapd::kAdminPassword);
  }

  AuthenticateResult LogIn(std::string_view name, std::string_view password) {
    if (directory_ == nullptr) {
      directory_ = *CreateLdapDirectory(*network_, options_);
    }
    std::optional<AuthenticateResult> answer;
    const auto operation = directory_->Authenticate(
        name, Secret(password),
        [&](AuthenticateResult result) { answer = std::move(result); });
    EXPECT_TRUE(RunUntil([&] { return answer.has_value(); }));
    return *std::move(answer);
  }
  // Nothing: let in, or a Failure.
  std::optional<Denial> Denied(std::string_view name,
                               std::string_view password) {
    const auto answer = LogIn(name, password);
    const auto* denial = std::get_if<Denial>(&answer);
    return denial == nullptr ? std::nullopt : std::optional(*denial);
  }

  std::shared_ptr<LdapOptions> options_ = std::make_shared<LdapOptions>();
  std::unique_ptr<Directory> directory_;
};

// --- A password policy (draft-behera-ldap-password-policy) ---

class LdapPolicyTest : public LdapVerdictTest {
 protected:
  LdapPolicyTest() { options_->urls = {slapd_.url()}; }

  static RealSlapd::Options SlapdOptions() {
    const std::string host = "mailHost: store1.example.com\n";
    RealSlapd::Options options;
    options.database_config =
        "overlay ppolicy\n"
        "ppolicy_default cn=policy,dc=example,dc=com\n"
        "ppolicy_use_lockout\n";
    options.ldif =
        "dn: cn=policy,dc=example,dc=com\n"
        "objectClass: person\nobjectClass: pwdPolicy\n"
        "cn: policy\nsn: policy\npwdAttribute: userPassword\n"
        "pwdLockout: TRUE\npwdMaxFailure: 2\npwdMustChange: TRUE\n"
        "pwdMaxAge: 86400\n\n" +
        MailEntry("alice", "alice@example.com", "secret", host) +
        MailEntry("old", "old@example.com", "secret",
                  host + "pwdChangedTime: 20200101000000Z\n") +
        MailEntry("reset", "reset@example.com", "secret",
                  host + "pwdReset: TRUE\n");
    return options;
  }

  RealSlapd slapd_{SlapdOptions()};
};

TEST_F(LdapPolicyTest, ALockedAccountIsDisabled) {
  EXPECT_TRUE(
      std::holds_alternative<Account>(LogIn("alice@example.com", "secret")));
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(Denied("alice@example.com", "bad"), Denial::kWrongPassword);
  }
  EXPECT_EQ(Denied("alice@example.com", "secret"), Denial::kDisabled);
}

TEST_F(LdapPolicyTest, AnOldPasswordHasExpiredForWhoKnowsIt) {
  EXPECT_EQ(Denied("old@example.com", "bad"), Denial::kWrongPassword);
  EXPECT_EQ(Denied("old@example.com", "secret"), Denial::kExpired);
}

TEST_F(LdapPolicyTest, APasswordThatMustBeChangedHasExpiredForWhoKnowsIt) {
  EXPECT_EQ(Denied("reset@example.com", "bad"), Denial::kWrongPassword);
  EXPECT_EQ(Denied("reset@example.com", "secret"), Denial::kExpired);
}

// --- Accounts that are closed, as a whole or to a service ---

class LdapStatusTest : public LdapVerdictTest {
 protected:
  LdapStatusTest() {
    options_->urls = {slapd_.url()};
    options_->service = "imap";
  }

  static RealSlapd::Options SlapdOptions() {
    const std::string host = "mailHost: store1.example.com\n";
    RealSlapd::Options options;
    options.ldif = MailEntry("open", "open@example.com", "secret", host) +
                   MailEntry("closed", "closed@example.com", "secret",
                             host + "employeeType: closed\n") +
                   MailEntry("some", "some@example.com", "secret",
                             host +
                                 "departmentNumber: sieve\n"
                                 "departmentNumber: smtp\n");
    return options;
  }

  // Nothing: found.
  std::optional<Denial> Nowhere(std::string_view name) {
    directory_ = *CreateLdapDirectory(*network_, options_);
    std::optional<LocateResult> answer;
    const auto operation = directory_->Locate(
        name, [&](LocateResult result) { answer = std::move(result); });
    EXPECT_TRUE(RunUntil([&] { return answer.has_value(); }));
    EXPECT_FALSE(std::holds_alternative<Failure>(*answer));
    const auto* denial = std::get_if<Denial>(&*answer);
    return denial == nullptr ? std::nullopt : std::optional(*denial);
  }

  RealSlapd slapd_{SlapdOptions()};
};

// So no store is asked where it alone would judge the password, and no mail is
// taken.
TEST_F(LdapStatusTest, AttributesCloseAnAccountToWhoeverAsksWhereItIs) {
  options_->status_attribute = "employeeType";
  options_->service_attribute = "departmentNumber";
  EXPECT_EQ(Nowhere("open@example.com"), std::nullopt);
  EXPECT_EQ(Nowhere("closed@example.com"), Denial::kDisabled);
  EXPECT_EQ(Nowhere("some@example.com"), Denial::kDisabled);
  options_->service = "smtp";
  EXPECT_EQ(Nowhere("some@example.com"), std::nullopt);
  options_->active_statuses = {"closed"};
  EXPECT_EQ(Nowhere("closed@example.com"), std::nullopt);
}

TEST_F(LdapStatusTest, AFilterLeavesAccountsOut) {
  options_->account_filter =
      "(&(mailLocalAddress=%e)(!(employeeType=closed))"
      "(|(!(departmentNumber=*))(departmentNumber=imap)))";
  EXPECT_EQ(Nowhere("open@example.com"), std::nullopt);
  EXPECT_EQ(Nowhere("closed@example.com"), Denial::kNotFound);
  EXPECT_EQ(Nowhere("some@example.com"), Denial::kNotFound);
  EXPECT_EQ(Denied("closed@example.com", "secret"), Denial::kNotFound);
}

// --- Result codes (RFC 4511 appendix A) ---

std::string Tlv(char tag, std::string_view content) {
  std::string text{tag};
  if (content.size() > 127) text += '\x81';
  text += static_cast<char>(content.size());
  return text.append(content);
}

std::string Result(char operation, int code) {
  const std::string no_text = Tlv(0x04, "");
  return Tlv(operation, Tlv(0x0a, std::string{static_cast<char>(code)}) +
                            no_text + no_text);
}

std::string AliceEntry() {
  const auto attribute = [](std::string_view name, std::string_view value) {
    return Tlv(0x30, Tlv(0x04, name) + Tlv(0x31, Tlv(0x04, value)));
  };
  return Tlv(0x64, Tlv(0x04, "uid=alice,dc=example,dc=com") +
                       Tlv(0x30, attribute("mailLocalAddress", "alice@a.bc") +
                                     attribute("mailHost", "store1")));
}

// Knows alice, lets the administrator in, and answers her search and her bind
// with the codes that it is given.
class LdapResultTest : public LdapVerdictTest {
 protected:
  static constexpr int kSuccess = 0;

  LdapResultTest() {
    auto listener = network_->Listen(
        Loopback(), {}, [this](std::unique_ptr<Stream> stream) {
          TestEnd* end = ends_.emplace_back(std::make_unique<TestEnd>()).get();
          end->Take(std::move(stream));
          end->handler.on_data = [this, end] { Answer(*end); };
          end->stream->ResumeReading();
        });
    EXPECT_TRUE(listener.ok()) << listener.status();
    listener_ = *std::move(listener);
    options_->urls = {"ldap://" + listener_->local().ToString()};
  }

  // Messages here are short: one octet of length, or two.
  void Answer(TestEnd& end) {
    std::string& data = end.handler.data;
    while (data.size() > 2) {
      const bool long_form = data[1] == '\x81';
      const size_t start = long_form ? 3 : 2;
      const size_t size = start + static_cast<uint8_t>(data[start - 1]);
      if (data.size() < size) return;
      const std::string id = data.substr(start, 3);
      const std::string request = data.substr(start + 3, size - start - 3);
      data.erase(0, size);
      for (const std::string& reply : Replies(request)) {
        end.stream->Write(Tlv(0x30, id + reply));
      }
    }
  }

  std::vector<std::string> Replies(const std::string& request) const {
    const bool of_alice = request.find("uid=alice") != std::string::npos;
    switch (request[0]) {
      case 0x60:
        return {Result(0x61, of_alice ? bind_code_ : kSuccess)};
      case 0x63:
        if (search_code_ != kSuccess) return {Result(0x65, search_code_)};
        return {AliceEntry(), Result(0x65, kSuccess)};
      default:
        return {};
    }
  }

  void ExpectFailure(const std::string& words) {
    const auto answer = LogIn("alice@a.bc", "secret");
    const auto* failure = std::get_if<Failure>(&answer);
    ASSERT_NE(failure, nullptr) << words;
    EXPECT_THAT(failure->text, HasSubstr(words));
  }

  int search_code_ = kSuccess;
  int bind_code_ = kSuccess;
  std::vector<std::unique_ptr<TestEnd>> ends_;
  std::unique_ptr<Listener> listener_;
};

// What no user has to answer for.
constexpr struct {
  int code;
  const char* words;
} kTroubles[] = {
    {1, "Operations error"},
    {3, "Time limit exceeded"},
    {4, "Size limit exceeded"},
    {11, "Administrative limit exceeded"},
    {32, "No such object"},
    {50, "Insufficient access"},
    {51, "Server is busy"},
    {52, "Server is unavailable"},
    {53, "Server is unwilling to perform"},
    {80, "Other (e.g., implementation specific) error"},
};

TEST_F(LdapResultTest, LetsInWhoseBindSucceeds) {
  EXPECT_TRUE(std::holds_alternative<Account>(LogIn("alice@a.bc", "secret")));
}

TEST_F(LdapResultTest, OnlyTwoCodesOfABindSayThatThePasswordIsWrong) {
  constexpr int kInappropriateAuthentication = 48;
  constexpr int kInvalidCredentials = 49;
  for (const int code : {kInappropriateAuthentication, kInvalidCredentials}) {
    bind_code_ = code;
    EXPECT_EQ(Denied("alice@a.bc", "bad"), Denial::kWrongPassword);
  }
}

TEST_F(LdapResultTest, TroubleAtABindIsNoWrongPassword) {
  for (const auto& trouble : kTroubles) {
    bind_code_ = trouble.code;
    ExpectFailure(trouble.words);
  }
}

// Who can't be asked is made up for by a map that isn't young any more; who has
// refused to answer isn't.
TEST_F(LdapResultTest, AnOldMapAnswersForAnOutageOnly) {
  constexpr int kInsufficientAccess = 50;
  constexpr int kUnavailable = 52;
  const auto map =
      *LiveMap::Create(options_, {absl::ZeroDuration(), absl::Hours(1)});
  LdapSyncEntry alice;
  alice.sync.state = LdapSyncState::State::kAdd;
  alice.entry = LdapEntry("uid=alice,dc=example,dc=com");
  alice.entry.Add("maillocaladdress", {"alice@a.bc"});
  alice.entry.Add("mailhost", {"store9"});
  map->OnEntry(std::move(alice));
  map->OnInfo(LdapSyncPhaseEnd{});
  map->OnLost(network_->Now());
  directory_ = *CreateLdapDirectory(*network_, options_, map);
  search_code_ = kUnavailable;
  EXPECT_TRUE(std::holds_alternative<Account>(LogIn("alice@a.bc", "secret")));
  search_code_ = kInsufficientAccess;
  ExpectFailure("Insufficient access");
}

TEST_F(LdapResultTest, TroubleAtASearchIsNobodysAbsence) {
  for (const auto& trouble : kTroubles) {
    search_code_ = trouble.code;
    ExpectFailure(trouble.words);
  }
}

}  // namespace
}  // namespace gatehouse
