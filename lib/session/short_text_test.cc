#include "lib/session/short_text.h"

#include <gtest/gtest.h>

#include <string>

namespace gatehouse {
namespace {

TEST(ShortTextTest, HoldsATextOfItsFullSize) {
  ShortText<4> text;
  EXPECT_TRUE(text.empty());
  text = "abcd";
  EXPECT_EQ(text, "abcd");
  EXPECT_EQ(sizeof(text), 4u);
}

TEST(ShortTextTest, CutsWhatIsLonger) {
  ShortText<4> text;
  text = std::string("abcdef");
  EXPECT_EQ(text, "abcd");
}

TEST(ShortTextTest, KeepsNothingOfTheTextBefore) {
  ShortText<4> text;
  text = "abcd";
  text = "x";
  EXPECT_EQ(text, "x");
  text = "";
  EXPECT_TRUE(text.empty());
}

}  // namespace
}  // namespace gatehouse
