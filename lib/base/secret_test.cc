#include "lib/base/secret.h"

#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <type_traits>

namespace gatehouse {
namespace {

template <typename T>
concept Printable = requires(std::ostream& out, const T& value) {
  out << value;
};

static_assert(!std::is_copy_constructible_v<Secret>);
static_assert(!std::is_convertible_v<Secret, std::string>);
static_assert(!std::is_convertible_v<Secret, std::string_view>);
static_assert(!Printable<Secret>);

TEST(SecretTest, RevealsWhatWasPutIn) {
  const std::string text("pass\0word", 9);
  const Secret secret(text);
  EXPECT_EQ(secret.Reveal(), text);
  EXPECT_EQ(secret.Clone().Reveal(), text);
}

TEST(SecretTest, IsEmptyOnceMovedOrWiped) {
  Secret secret("password");
  Secret other = std::move(secret);
  EXPECT_TRUE(secret.empty());
  EXPECT_EQ(other.Reveal(), "password");
  other.Wipe();
  EXPECT_TRUE(other.empty());
}

TEST(SecretTest, WipesStringsInPlace) {
  std::string text = "a password that is longer than any small buffer";
  const char* held = text.data();
  const size_t size = text.size();
  WipeString(text);
  EXPECT_TRUE(text.empty());
  EXPECT_EQ(std::string(held + 1, size - 1), std::string(size - 1, '\0'));
}

}  // namespace
}  // namespace gatehouse
