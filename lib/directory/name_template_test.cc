#include "lib/directory/name_template.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace gatehouse {
namespace {

using ::testing::HasSubstr;

const LoginName kName("a(b", "example.com");

std::string Filled(std::string_view text) {
  std::string buffer;
  return std::string(NameTemplate(text).Fill(kName, buffer));
}

TEST(NameTemplateTest, FillsTheHoles) {
  EXPECT_EQ(Filled("%e"), "a(b@example.com");
  EXPECT_EQ(Filled("%u"), "a(b");
  EXPECT_EQ(Filled("%d"), "example.com");
  EXPECT_EQ(Filled("x-%u%%%d-y"), "x-a(b%example.com-y");
  EXPECT_EQ(Filled("%%"), "%");
  EXPECT_EQ(Filled("u%"), "u%");
  EXPECT_EQ(Filled(""), "");
}

TEST(NameTemplateTest, CopiesNoPartOfANameThatIsAllOfIt) {
  std::string buffer;
  const NameTemplate whole("%e");
  EXPECT_EQ(whole.Fill(kName, buffer).data(), kName.Whole().data());
  EXPECT_EQ(buffer, "");
}

TEST(NameTemplateTest, QuotesTheNameOnly) {
  const auto quote = [](std::string_view value) {
    return "<" + std::string(value) + ">";
  };
  EXPECT_EQ(NameTemplate("(uid=%u)(dc=%d)%%").Fill(kName, quote),
            "(uid=<a(b>)(dc=<example.com>)%");
}

TEST(NameTemplateTest, TellsWhatItDependsOn) {
  EXPECT_TRUE(NameTemplate("x%d").HasHole("ed"));
  EXPECT_FALSE(NameTemplate("x%d").HasHole("eu"));
  EXPECT_FALSE(NameTemplate("%%u%").HasHole("u"));
}

TEST(NameTemplateTest, NamesThePositionOfAnUnknownHole) {
  EXPECT_TRUE(NameTemplate::Check("%e%u%d%%").ok());
  EXPECT_THAT(std::string(NameTemplate::Check("ab%x").message()),
              HasSubstr("position 3"));
  EXPECT_THAT(std::string(NameTemplate::Check("%").message()),
              HasSubstr("position 1"));
}

}  // namespace
}  // namespace gatehouse
