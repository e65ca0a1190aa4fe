#include "core/result.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>

#include "core/secret.h"
#include "core/stream.h"

namespace steward {
namespace {

Result<int> half(int n) {
  if (n % 2 != 0) return fail(Kind::bad_input, "it is odd", "Take an even one.");
  return n / 2;
}
Result<int> quarter(int n) {
  const int once = TRY(half(n));
  return TRY(half(once)) + 0;
}
Result<void> checked(int n) {
  TRY(half(n));
  return {};
}

TEST(Result, TryGivesTheValueOrReturnsTheError) {
  EXPECT_EQ(quarter(8).value(), 2);
  EXPECT_EQ(quarter(6).error(), (Error{Kind::bad_input, "it is odd", "Take an even one.", ""}));
  EXPECT_TRUE(checked(2));
  EXPECT_EQ(checked(1).error().message, "it is odd");
}

// A function of an argument: GCC 12 folds a chain of lambdas over a constant at compile time, and loses the pointer
// there.
Result<std::unique_ptr<int>> boxed(int n) { return std::make_unique<int>(TRY(half(n))); }
Result<std::unique_ptr<int>> passed_on(int n) {
  std::unique_ptr<int> value = TRY(boxed(n));
  return value;
}

TEST(Result, TryMovesWhatCannotBeCopied) {
  const auto taken = passed_on(14);
  ASSERT_TRUE(taken && *taken);
  EXPECT_EQ(**taken, 7);
  EXPECT_FALSE(passed_on(13));
}

TEST(Result, TwoTriesInOneExpressionDoNotMeet) {
  const auto sum = [](int a, int b) -> Result<int> { return TRY(half(a)) + TRY(half(b)); };
  EXPECT_EQ(sum(4, 6).value(), 5);
  EXPECT_FALSE(sum(4, 5));
}

TEST(Result, FailWhilePutsWhatInFront) {
  const Error error{Kind::permission, "permission denied", "Ask.", "code"};
  EXPECT_EQ(fail_while("reading a.yaml", error).error(),
            (Error{Kind::permission, "reading a.yaml: permission denied", "Ask.", "code"}));
}

struct KindCase {
  Kind kind;
  std::string_view name;
  int exit_code;
  int http_status;
  bool retry;
};
struct Kinds : testing::TestWithParam<KindCase> {};
TEST_P(Kinds, MeanTheSameEverywhere) {
  const KindRow& row = row_of(GetParam().kind);
  EXPECT_EQ(row.name, GetParam().name);
  EXPECT_EQ(row.exit_code, GetParam().exit_code);
  EXPECT_EQ(row.http_status, GetParam().http_status);
  EXPECT_EQ(row.retry, GetParam().retry);
}
INSTANTIATE_TEST_SUITE_P(Core, Kinds,
                         testing::Values(KindCase{Kind::bad_input, "bad-input", 2, 400, false},
                                         KindCase{Kind::refused, "refused", 3, 409, false},
                                         KindCase{Kind::busy, "busy", 75, 409, true},
                                         KindCase{Kind::held, "held", 3, 409, false},
                                         KindCase{Kind::not_found, "not-found", 1, 404, false},
                                         KindCase{Kind::permission, "permission", 1, 403, false},
                                         KindCase{Kind::unavailable, "unavailable", 1, 503, true},
                                         KindCase{Kind::corrupt, "corrupt", 1, 500, false},
                                         KindCase{Kind::interrupted, "interrupted", 1, 503, true},
                                         KindCase{Kind::bug, "bug", 1, 500, false}));

TEST(Kinds, HaveDifferentNames) {
  std::set<std::string_view> names;
  for (const KindRow& row : kinds) names.insert(row.name);
  EXPECT_EQ(names.size(), kinds.size());
}

template <class T>
concept shown = requires(std::ostream& out, const T& value) { out << value; };

TEST(Secret, IsShownToNobodyWhoDoesNotAsk) {
  const Secret secret("hunter2");
  EXPECT_EQ(secret.reveal(), "hunter2");
  EXPECT_FALSE(secret.empty());
  EXPECT_TRUE(Secret().empty());
  EXPECT_EQ(secret, Secret("hunter2"));
  static_assert(!std::is_convertible_v<Secret, std::string>);
  static_assert(shown<std::string> && !shown<Secret>);
}

TEST(Stream, ASourceInMemoryGivesAllInPiecesAndThenNothing) {
  StringSource source("abcde");
  std::array<std::byte, 2> buffer{};
  StringSink sink;
  while (const std::size_t n = source.read(buffer).value()) ASSERT_TRUE(sink.write(std::span(buffer).first(n)));
  EXPECT_EQ(sink.text, "abcde");
  EXPECT_EQ(source.read(buffer).value(), 0U);
}

}  // namespace
}  // namespace steward
