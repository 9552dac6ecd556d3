#include "lib/directory/crypt_password.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace gatehouse {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(KeyedCryptTest, KnowsItsPasswordAgainAndNoOther) {
  const KeyedCrypt crypt;
  const std::string hash = crypt.Hash(Secret("right"));
  EXPECT_TRUE(crypt.Matches(Secret("right"), hash));
  EXPECT_FALSE(crypt.Matches(Secret("wrong"), hash));
  EXPECT_FALSE(crypt.Matches(Secret("righ"), hash));
  EXPECT_FALSE(crypt.Matches(Secret("right "), hash));
  EXPECT_THAT(hash, Not(HasSubstr("right")));
}

TEST(KeyedCryptTest, SaltsEachHashAndKeysEachObject) {
  const KeyedCrypt crypt;
  const KeyedCrypt other;
  const std::string hash = crypt.Hash(Secret("right"));
  EXPECT_NE(hash, crypt.Hash(Secret("right")));
  EXPECT_FALSE(other.Matches(Secret("right"), hash));
  EXPECT_FALSE(MatchesCrypt(Secret("right"), hash));
}

TEST(KeyedCryptTest, TakesNoPasswordThatCryptWouldCut) {
  const KeyedCrypt crypt;
  EXPECT_EQ(crypt.Hash(Secret("")), "");
  EXPECT_EQ(crypt.Hash(Secret(std::string("right\0x", 7))), "");
  EXPECT_EQ(crypt.Hash(Secret(std::string(512, 'x'))), "");
  const std::string hash = crypt.Hash(Secret("right"));
  EXPECT_FALSE(crypt.Matches(Secret(std::string("right\0x", 7)), hash));
  EXPECT_FALSE(crypt.Matches(Secret("right"), ""));
  const std::string longest = crypt.Hash(Secret(std::string(400, 'x')));
  EXPECT_TRUE(crypt.Matches(Secret(std::string(400, 'x')), longest));
  EXPECT_FALSE(crypt.Matches(Secret(std::string(399, 'x')), longest));
}

}  // namespace
}  // namespace gatehouse
