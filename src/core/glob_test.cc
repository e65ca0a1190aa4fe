#include "core/glob.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace steward {
namespace {

struct Case {
  std::string pattern, name;
  bool matches;
};
TEST(Glob, MatchesAsTheShellDoes) {
  const std::vector<Case> table{
      {"", "", true},
      {"", "a", false},
      {"*", "", true},
      {"*", ".hidden", true},
      {"*", "any\nthing", true},
      {"*.log", "web.log", true},
      {"*.log", ".log", true},
      {"*.log", "web.log.1", false},
      {"*.log", "web_log", false},
      {"*.log", "WEB.LOG", false},
      {"*.log.[0-9]*", "web.log.1", true},
      {"*.log.[0-9]*", "web.log.10", true},
      {"*.log.[0-9]*", "web.log.gz", false},
      {"*.log-[0-9]*", "web.log-20261123", true},
      {"a?c", "abc", true},
      {"a?c", "ac", false},
      {"a?c",
       "a\xc3\xa9"
       "c",
       false},  // a byte, not a letter
      {"a??c",
       "a\xc3\xa9"
       "c",
       true},
      {"[abc]", "b", true},
      {"[abc]", "d", false},
      {"[!abc]", "d", true},
      {"[!abc]", "a", false},
      {"[^abc]", "a", false},
      {"[a-c-]", "-", true},
      {"[-a]", "-", true},
      {"[]]", "]", true},
      {"[!]]", "]", false},
      {"[!]]", "x", true},
      {"[]a]", "a", true},
      {"[z-a]", "m", false},
      {"[\x80-\xff]", "\xe9", true},
      {"[a", "[a", true},
      {"[", "[", true},
      {"[!", "[!", true},
      {"a[b", "ab", false},
      {"\\*", "*", true},
      {"\\*", "a", false},
      {"\\?x", "?x", true},
      {"\\[a]", "[a]", true},
      {"a\\", "a\\", true},
      {"a*b*c", "a__b__c", true},
      {"a*b*c", "abbbc", true},
      {"a*b*c", "acb", false},
      {"**a**", "a", true},
      {"*a*a*a*", "aa", false},
      {"*ab", "aab", true},
      {"*abab", "ababab", true},
      {"a*", "b", false},
      {"x*", std::string("x\0y", 3), true},
  };
  for (const Case& row : table)
    EXPECT_EQ(glob_matches(row.pattern, row.name), row.matches) << row.pattern << " " << row.name;
}

TEST(Glob, ManyStarsDoNotTakeForEver) {
  std::string pattern;
  for (int i = 0; i < 200; ++i) pattern += "*a";
  EXPECT_FALSE(glob_matches(pattern + "b", std::string(10'000, 'a')));
}

}  // namespace
}  // namespace steward
