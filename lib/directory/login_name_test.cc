#include "lib/directory/login_name.h"

#include <string>

#include "gtest/gtest.h"

namespace gatehouse {
namespace {

std::string Canonical(std::string_view text, const LoginNameRules& rules = {},
                      NameUse use = NameUse::kLogin) {
  auto name = ParseLoginName(text, rules, use);
  return name ? name->Whole() : "(refused)";
}

struct Case {
  std::string given;
  std::string canonical;
};

TEST(LoginNameTest, NormalisesByTheTable) {
  const Case cases[] = {
      {"alice@example.com", "alice@example.com"},
      {"Alice@EXAMPLE.Com", "Alice@example.com"},
      {"alice", "alice"},
      {"alice+box@example.com", "alice+box@example.com"},
      {"a%b@example.com", "a%b@example.com"},
      {"o'brien@example.com", "o'brien@example.com"},
      // J O-diaeresis R G, composed and decomposed, with a domain in U-labels.
      {"j\xc3\xb6rg@ex\xc3\xa4mple.de", "j\xc3\xb6rg@xn--exmple-cua.de"},
      {"jo\xcc\x88rg@exa\xcc\x88mple.de", "j\xc3\xb6rg@xn--exmple-cua.de"},
      {"j\xc3\xb6rg@XN--EXMPLE-CUA.de", "j\xc3\xb6rg@xn--exmple-cua.de"},
      // Not fass.de, which is another's (RFC 5891).
      {"bob@fa\xc3\x9f.de", "bob@xn--fa-hia.de"},
      // Full-width "bob".
      {"\xef\xbd\x82\xef\xbd\x8f\xef\xbd\x82@example.com", "bob@example.com"},
  };
  for (const Case& c : cases) EXPECT_EQ(Canonical(c.given), c.canonical);
}

TEST(LoginNameTest, RefusesWhatCannotBeAName) {
  const std::string cases[] = {
      "",
      "@",
      "alice@",
      "@example.com",
      "a@b@c",
      "alice@example.com.",
      "alice@.example.com",
      "alice@exa mple.com",
      "alice@exa_mple.com",
      "alice@-example.com",
      "alice@[127.0.0.1]",
      " alice",
      "alice ",
      "al ice@example.com",
      "alice\r\n@example.com",
      "alice\x7f",
      std::string("alice\0", 6),
      "bo\xc2\xad"
      "b@example.com",    // soft hyphen
      "bob\xe2\x80\x8b",  // zero-width space
      // Letters and marks that nobody sees: a Hangul filler, a grapheme joiner,
      // a variation selector.
      "bob\xe1\x85\x9f",
      "bob\xcd\x8f",
      "bob\xef\xb8\x8f",
      "\xef\xbc\xa0"
      "bob",  // full-width @
      "bob\xef\xbc\x8a"
      "master",                    // full-width *
      "\xe2\x99\x9a@example.com",  // a chess king
      "bob\xff",
      "\xc0\x80",
      "\xed\xa0\x80",
      "bob\xc3",
      "bob*master",
      std::string(321, 'a'),
      "alice@" + std::string(64, 'a') + ".com",
  };
  for (const std::string& given : cases) {
    EXPECT_EQ(Canonical(given), "(refused)") << given;
  }
}

TEST(LoginNameTest, PutsTheDefaultDomainBehindBareNamesOnly) {
  const LoginNameRules rules{"Example.ORG", false};
  EXPECT_EQ(Canonical("alice", rules), "alice@example.org");
  EXPECT_EQ(Canonical("alice@example.com", rules), "alice@example.com");
  EXPECT_EQ(Canonical("alice@", rules), "(refused)");
}

TEST(LoginNameTest, LowersTheLocalPartOnlyWhereAsked) {
  EXPECT_EQ(Canonical("J\xc3\x96RG@example.com", {"", true}),
            "j\xc3\xb6rg@example.com");
  EXPECT_EQ(Canonical("Bob@example.com", {"", false}), "Bob@example.com");
}

TEST(LoginNameTest, TakesWholeDomainsAndStarsAsAddresses) {
  EXPECT_EQ(Canonical("@Example.com", {}, NameUse::kAddress), "@example.com");
  EXPECT_EQ(Canonical("a*b@example.com", {}, NameUse::kAddress),
            "a*b@example.com");
  EXPECT_EQ(Canonical("@", {}, NameUse::kAddress), "(refused)");
}

TEST(LoginNameTest, LooksUpWhatADirectoryTakesForTheSame) {
  const LookupKey bob = LookupKeyOf("bob");
  EXPECT_TRUE(bob.plain);
  EXPECT_TRUE(LookupKeyOf("BOB").plain);
  EXPECT_EQ(LookupKeyOf("BOB").hash, bob.hash);
  for (const char* alike :
       {" BoB ",
        "Bo\xc2\xad"  // a soft hyphen
        "b",
        "\xef\xbd\x82\xef\xbd\x8f\xef\xbd\x82",  // full width
        "\xff"                                   // no UTF-8
        "Bob"}) {
    EXPECT_EQ(LookupKeyOf(alike).hash, bob.hash) << alike;
    EXPECT_FALSE(LookupKeyOf(alike).plain) << alike;
  }
  const std::string longer(10 * kMaxLoginNameBytes, 'x');
  EXPECT_NE(LookupKeyOf("bob@example.com").hash, bob.hash);
  EXPECT_NE(LookupKeyOf(longer).hash, LookupKeyOf(longer + 'x').hash);
  EXPECT_TRUE(LookupKeyOf("").plain);
}

}  // namespace
}  // namespace gatehouse
