#include "lib/protocol/sasl.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace gatehouse {
namespace {

using std::string_literals::operator""s;
using ::testing::Optional;
using ::testing::VariantWith;

DownstreamOptions UnderTls() {
  DownstreamOptions options;
  options.tls_active = true;
  return options;
}

SaslStep StartWith(std::string_view mechanism, std::string_view message,
                   const DownstreamOptions& options = UnderTls()) {
  SaslExchange exchange;
  return exchange.Start(mechanism, EncodeBase64(message), options);
}

TEST(Base64Test, GivesBackWhatItTook) {
  std::string bytes;
  for (int i = 0; i < 300; ++i) {
    EXPECT_THAT(DecodeBase64(EncodeBase64(bytes)), Optional(bytes));
    bytes += static_cast<char>(i * 37);
  }
}

TEST(Base64Test, KnowsTheVectorsOfTheRfc) {
  EXPECT_EQ(EncodeBase64(""), "");
  EXPECT_EQ(EncodeBase64("f"), "Zg==");
  EXPECT_EQ(EncodeBase64("fo"), "Zm8=");
  EXPECT_EQ(EncodeBase64("foo"), "Zm9v");
  EXPECT_EQ(EncodeBase64("foobar"), "Zm9vYmFy");
}

TEST(Base64Test, RefusesWhatIsntExactlyBase64) {
  const char* const kBad[] = {"Z",     "Zg",       "Zg=",      "Zg===", "=",
                              "==",    "====",     "Zg==Zg==", "Z=g=",  "Zm9v ",
                              " Zm9v", "Zm9v\r\n", "Zm-v",     "Zm_v",  "Zh==",
                              "Zm9=",  "Zm9v\xff", "A===",     "*"};
  for (const char* text : kBad) EXPECT_FALSE(DecodeBase64(text)) << text;
  EXPECT_FALSE(DecodeBase64("Zm\0v"s));
}

TEST(LoginNameTest, IsWellFormedTextWithoutControls) {
  EXPECT_TRUE(IsLoginName("alice@example.com"));
  EXPECT_TRUE(IsLoginName("j\xc3\xb6rg@ex\xc3\xa4mple"));
  EXPECT_TRUE(IsLoginName("*)(uid=*"));
  EXPECT_TRUE(IsLoginName("\xf0\x9f\x90\x99"));
  EXPECT_TRUE(IsLoginName(std::string(kLongestNameBytes, 'a')));
  EXPECT_FALSE(IsLoginName(std::string(kLongestNameBytes + 1, 'a')));
  EXPECT_FALSE(IsLoginName(""));
  const std::string kBad[] = {
      "\xff",          "\xc0\x80",     "\xed\xa0\x80",
      "\xe2\x82",      "a\xc3",        "\xf4\x90\x80\x80",
      "\x80",          "\xe0\x80\x80", "\xf5\x80\x80\x80",
      "bob\r\nDELE 1", "bob\n",        "bob\0"s,
      "\x1b[0m",       "\x7f",         "\xc2\x85"};
  for (const std::string& name : kBad) EXPECT_FALSE(IsLoginName(name)) << name;
}

TEST(PasswordTest, IsAnyOctetsButControls) {
  EXPECT_TRUE(IsPassword(" two  blanks "));
  EXPECT_TRUE(IsPassword("\xff\x80 not utf-8"));
  for (const std::string& bad : {""s, "x\r\nQUIT"s, "\n"s, "\0"s, "\x1b"s}) {
    EXPECT_FALSE(IsPassword(bad));
  }
  EXPECT_FALSE(IsPassword(std::string(kLongestPasswordBytes + 1, 'x')));
}

TEST(SaslOfferTest, FollowsTheConnection) {
  DownstreamOptions options;
  for (SaslMechanism mechanism : kSaslMechanisms) {
    EXPECT_FALSE(IsOffered(mechanism, options));
  }
  options.plaintext_login_allowed = true;
  EXPECT_TRUE(IsOffered(SaslMechanism::kPlain, options));
  EXPECT_TRUE(IsOffered(SaslMechanism::kLogin, options));
  EXPECT_FALSE(IsOffered(SaslMechanism::kXoauth2, options));
  options.token_mechanisms = true;
  EXPECT_TRUE(IsOffered(SaslMechanism::kXoauth2, options));
  EXPECT_TRUE(IsOffered(SaslMechanism::kOauthBearer, options));
  options.external_mechanism = true;
  options.tls.client_identity = "alice@example.com";
  options.tls.client_certificate_verified = true;
  EXPECT_FALSE(IsOffered(SaslMechanism::kExternal, options));
  options.tls_active = true;
  EXPECT_TRUE(IsOffered(SaslMechanism::kExternal, options));
  options.tls.client_certificate_verified = false;
  EXPECT_FALSE(IsOffered(SaslMechanism::kExternal, options));
}

TEST(SaslOfferTest, FollowsWhatTheUpstreamsHave) {
  DownstreamOptions options;
  options.tls_active = true;
  options.token_mechanisms = true;
  options.external_mechanism = true;
  options.tls.client_identity = "alice@example.com";
  options.tls.client_certificate_verified = true;
  options.upstream_mechanisms.emplace();  // not known yet
  EXPECT_TRUE(IsOffered(SaslMechanism::kPlain, options));
  EXPECT_FALSE(IsOffered(SaslMechanism::kXoauth2, options));
  EXPECT_FALSE(IsOffered(SaslMechanism::kExternal, options));
  options.upstream_mechanisms = {"xoauth2"};
  EXPECT_TRUE(IsOffered(SaslMechanism::kPlain, options));
  EXPECT_TRUE(IsOffered(SaslMechanism::kLogin, options));
  EXPECT_TRUE(IsOffered(SaslMechanism::kXoauth2, options));
  EXPECT_FALSE(IsOffered(SaslMechanism::kOauthBearer, options));
  EXPECT_FALSE(IsOffered(SaslMechanism::kExternal, options));
  EXPECT_THAT(SaslExchange().Start("OAUTHBEARER", "=", options),
              VariantWith<SaslError>(SaslError::kUnknownMechanism));
  options.upstream_mechanisms = {"PLAIN"};
  EXPECT_FALSE(IsOffered(SaslMechanism::kXoauth2, options));
  EXPECT_TRUE(IsOffered(SaslMechanism::kExternal, options));
}

TEST(SaslExchangeTest, TellsUnknownFromUnencrypted) {
  SaslExchange exchange;
  DownstreamOptions options;
  const auto error = [&](std::string_view mechanism) {
    return std::get<SaslError>(exchange.Start(mechanism, "AGEAYg==", options));
  };
  EXPECT_EQ(error("PLAIN"), SaslError::kEncryptionNeeded);
  EXPECT_EQ(error("XOAUTH2"), SaslError::kUnknownMechanism);
  EXPECT_EQ(error("EXTERNAL"), SaslError::kUnknownMechanism);
  EXPECT_EQ(error("CRAM-MD5"), SaslError::kUnknownMechanism);
  EXPECT_EQ(error(""), SaslError::kUnknownMechanism);
}

TEST(SaslExchangeTest, TakesPlainAtOnceOrAfterAnEmptyChallenge) {
  SaslExchange exchange;
  const SaslStep challenge = exchange.Start("plain", std::nullopt, UnderTls());
  EXPECT_EQ(std::get<SaslChallenge>(challenge).base64, "");
  for (const SaslStep& step : {exchange.Respond(EncodeBase64("\0bob\0pw "s)),
                               StartWith("PLAIN", "\0bob\0pw "s),
                               StartWith("PLAIN", "bob\0bob\0pw "s)}) {
    const auto& attempt = std::get<LoginAttempt>(step);
    EXPECT_EQ(attempt.credentials, Credentials::kPassword);
    EXPECT_EQ(attempt.mechanism, "PLAIN");
    EXPECT_EQ(attempt.user, "bob");
    EXPECT_EQ(attempt.authorization_id, "");
    EXPECT_EQ(attempt.secret.Reveal(), "pw ");
  }
}

TEST(SaslExchangeTest, KeepsAnotherAuthorizationIdentity) {
  const SaslStep step = StartWith("PLAIN", "admin\0bob\0pw"s);
  EXPECT_EQ(std::get<LoginAttempt>(step).authorization_id, "admin");
}

TEST(SaslExchangeTest, RefusesBrokenPlainMessages) {
  for (const std::string& message :
       {""s, "bob"s, "bob\0pw"s, "\0bob\0pw\0"s, "\0bob\0\0"s, "a\0b\0c\0d"s}) {
    EXPECT_EQ(std::get<SaslError>(StartWith("PLAIN", message)),
              SaslError::kMalformed);
  }
}

TEST(SaslExchangeTest, RefusesWhatCouldBecomeACommand) {
  for (const std::string& message :
       {"\0bob\r\nDELE 1\0pw"s, "\0bob\0x\r\nQUIT"s, "\0bob\0\n"s, "\0\0pw"s,
        "\0bob\0"s, "\0\xff\0pw"s, "a\nb\0bob\0pw"s, "\0bob\0\x1b"s,
        "\0"s + std::string(256, 'u') + "\0pw"s}) {
    EXPECT_EQ(std::get<SaslError>(StartWith("PLAIN", message)),
              SaslError::kRefusedCredentials);
  }
}

TEST(SaslExchangeTest, LetsTheClientCancelAnywhere) {
  SaslExchange exchange;
  exchange.Start("PLAIN", std::nullopt, UnderTls());
  EXPECT_EQ(std::get<SaslError>(exchange.Respond("*")), SaslError::kCancelled);
  exchange.Start("LOGIN", "Ym9i", UnderTls());
  EXPECT_EQ(std::get<SaslError>(exchange.Respond("*")), SaslError::kCancelled);
  // The name given before isn't kept for the next exchange (T3, C6).
  const SaslStep again = exchange.Start("LOGIN", std::nullopt, UnderTls());
  EXPECT_EQ(std::get<SaslChallenge>(again).base64, "VXNlcm5hbWU6");
  EXPECT_EQ(std::get<SaslError>(exchange.Start("PLAIN", "*", UnderTls())),
            SaslError::kMalformed);
}

TEST(SaslExchangeTest, AsksForNameAndPasswordInLogin) {
  for (const bool initial : {false, true}) {
    SaslExchange exchange;
    SaslStep step = initial ? exchange.Start("LOGIN", "Ym9i", UnderTls())
                            : exchange.Start("LOGIN", std::nullopt, UnderTls());
    if (!initial) {
      EXPECT_EQ(std::get<SaslChallenge>(step).base64, "VXNlcm5hbWU6");
      step = exchange.Respond("Ym9i");
    }
    EXPECT_EQ(std::get<SaslChallenge>(step).base64, "UGFzc3dvcmQ6");
    step = exchange.Respond("cHc=");
    EXPECT_EQ(std::get<LoginAttempt>(step).user, "bob");
    EXPECT_EQ(std::get<LoginAttempt>(step).mechanism, "LOGIN");
    EXPECT_EQ(std::get<LoginAttempt>(step).secret.Reveal(), "pw");
  }
}

TEST(SaslExchangeTest, RefusesAnEmptyLoginPassword) {
  SaslExchange exchange;
  exchange.Start("LOGIN", "Ym9i", UnderTls());
  EXPECT_EQ(std::get<SaslError>(exchange.Respond("")),
            SaslError::kRefusedCredentials);
}

TEST(SaslExchangeTest, FindsTheNameInTokens) {
  DownstreamOptions options = UnderTls();
  options.token_mechanisms = true;
  const std::string bearer =
      "n,a=bob=2Cthe=3Dgreat@example.com,\x01host=h\x01port=143\x01"
      "auth=Bearer abc==\x01\x01";
  SaslStep step = StartWith("OAUTHBEARER", bearer, options);
  EXPECT_EQ(std::get<LoginAttempt>(step).user, "bob,the=great@example.com");
  EXPECT_EQ(std::get<LoginAttempt>(step).credentials, Credentials::kToken);
  EXPECT_EQ(std::get<LoginAttempt>(step).secret.Reveal(), bearer);
  step = StartWith("XOAUTH2",
                   "user=bob@x\x01"
                   "auth=Bearer abc\x01\x01",
                   options);
  EXPECT_EQ(std::get<LoginAttempt>(step).user, "bob@x");
  EXPECT_EQ(std::get<LoginAttempt>(step).mechanism, "XOAUTH2");
}

TEST(SaslExchangeTest, RefusesBrokenTokens) {
  DownstreamOptions options = UnderTls();
  options.token_mechanisms = true;
  const char* const kBearers[] = {"",
                                  "n",
                                  "n,",
                                  "n,,",
                                  "n,,\x01",
                                  "n,,\x01\x01",
                                  "n,a=b,auth=Bearer x\x01\x01",
                                  "p=tls-unique,a=b,\x01"
                                  "auth=Bearer x\x01\x01",
                                  "n,b,\x01"
                                  "auth=Bearer x\x01\x01",
                                  "n,a=b=2d,\x01"
                                  "auth=Bearer x\x01\x01",
                                  "n,a=b,\x01"
                                  "auth=\x01\x01",
                                  "n,a=b,\x01"
                                  "auth=Bearer x\x01",
                                  "n,a=b,\x01"
                                  "auth=Bearer x\x01\x01tail",
                                  "n,a=b,\x01=v\x01\x01"};
  for (const char* message : kBearers) {
    EXPECT_EQ(std::get<SaslError>(StartWith("OAUTHBEARER", message, options)),
              SaslError::kMalformed)
        << message;
  }
  const SaslStep nameless = StartWith("OAUTHBEARER",
                                      "n,,\x01"
                                      "auth=Bearer x\x01\x01",
                                      options);
  EXPECT_EQ(std::get<SaslError>(nameless), SaslError::kRefusedCredentials);
  const SaslStep injected = StartWith("XOAUTH2",
                                      "user=a\r\nb\x01"
                                      "auth=Bearer x\x01\x01",
                                      options);
  EXPECT_EQ(std::get<SaslError>(injected), SaslError::kRefusedCredentials);
}

TEST(SaslExchangeTest, TakesTheCertificatesNameForExternal) {
  DownstreamOptions options = UnderTls();
  options.external_mechanism = true;
  options.tls.client_certificate_verified = true;
  options.tls.client_identity = "bob@example.com";
  SaslExchange exchange;
  SaslStep step = exchange.Start("EXTERNAL", "=", options);
  EXPECT_EQ(std::get<LoginAttempt>(step).user, "bob@example.com");
  EXPECT_EQ(std::get<LoginAttempt>(step).credentials, Credentials::kExternal);
  EXPECT_EQ(std::get<LoginAttempt>(step).authorization_id, "");
  step = StartWith("EXTERNAL", "bob@example.com", options);
  EXPECT_EQ(std::get<LoginAttempt>(step).authorization_id, "");
  step = StartWith("EXTERNAL", "admin", options);
  EXPECT_EQ(std::get<LoginAttempt>(step).authorization_id, "admin");
  EXPECT_EQ(std::get<SaslError>(StartWith("EXTERNAL", "a\nb", options)),
            SaslError::kRefusedCredentials);
}

TEST(SaslClientTest, EncodesWhatTheServerSideReads) {
  UpstreamLogin login;
  login.user = "alice";
  login.secret = Secret("s e c");
  EXPECT_EQ(UpstreamMessage(login).Reveal(), "\0alice\0s e c"s);
  login.method = UpstreamLogin::Method::kMasterUser;
  login.master_user = "master";
  const Secret message = UpstreamMessage(login);
  EXPECT_EQ(UpstreamMechanism(login), "PLAIN");
  EXPECT_EQ(message.Reveal(), "alice\0master\0s e c"s);
  const SaslStep step = StartWith("PLAIN", message.Reveal());
  EXPECT_EQ(std::get<LoginAttempt>(step).user, "master");
  EXPECT_EQ(std::get<LoginAttempt>(step).authorization_id, "alice");
  EXPECT_EQ(TokenErrorResponse("oauthbearer"), "AQ==");
  EXPECT_EQ(TokenErrorResponse("XOAUTH2"), "");
}

TEST(SaslClientTest, HandsATokenOnAsItIs) {
  UpstreamLogin login;
  login.method = UpstreamLogin::Method::kToken;
  login.token_mechanism = "XOAUTH2";
  login.user = "alice";
  login.secret = Secret("t0ken");
  EXPECT_EQ(UpstreamMechanism(login), "XOAUTH2");
  EXPECT_EQ(UpstreamMessage(login).Reveal(), "t0ken");
}

TEST(SaslClientTest, FindsTheSecretInWhateverFormItWasSent) {
  UpstreamLogin login;
  login.user = "alice";
  login.secret = Secret("s e c");
  for (const std::string& words :
       {"no s e c"s, EncodeBase64("s e c"), EncodeBase64("\0alice\0s e c"s)}) {
    EXPECT_TRUE(RepeatsSecret("who? " + words + "!", login)) << words;
  }
  EXPECT_FALSE(RepeatsSecret("no such alice", login));
  login.secret.Wipe();
  EXPECT_FALSE(RepeatsSecret("no such alice", login));
}

TEST(TokenRefusalTest, OwesAChallengeOnlyForTokens) {
  LoginRefusal refusal;
  refusal.sasl_challenge = "{\"status\":\"401\"}";
  EXPECT_EQ(TokenRefusalChallenge(Credentials::kToken, refusal),
            EncodeBase64(refusal.sasl_challenge));
  EXPECT_EQ(TokenRefusalChallenge(Credentials::kPassword, refusal), "");
}

}  // namespace
}  // namespace gatehouse
