#include "lib/session/session_ids.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <set>

namespace gatehouse {
namespace {

TEST(SessionIdsTest, AreLettersAndDigitsAndNeverTheSame) {
  SessionIds ids;
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const std::string id = ids.Next();
    EXPECT_EQ(id.size(), 12u);
    EXPECT_TRUE(std::all_of(id.begin(), id.end(), [](unsigned char c) {
      return std::isalnum(c) != 0;
    }));
    EXPECT_TRUE(seen.insert(id).second);
  }
}

}  // namespace
}  // namespace gatehouse
