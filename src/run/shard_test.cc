#include "run/shard.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <random>
#include <set>

#include "io/object/store.h"

namespace steward {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

std::vector<ShardKey> numbered(int count) {
  std::vector<ShardKey> keys;
  for (int i = 0; i < count; ++i) keys.push_back({std::to_string(1'000'000 + i)});
  return keys;
}

/// Keys of a few letters, so that some begin alike and some are the same; a seed that a failure prints.
class Keys {
 public:
  explicit Keys(std::uint64_t seed) : random_(seed) {}
  std::string any() {
    std::string key;
    const int length = std::uniform_int_distribution<int>(0, 4)(random_);
    for (int i = 0; i < length; ++i) key += letters_[std::uniform_int_distribution<std::size_t>(0, 5)(random_)];
    return key;
  }
  std::uint64_t up_to(std::uint64_t most) { return std::uniform_int_distribution<std::uint64_t>(0, most)(random_); }

 private:
  static constexpr std::string_view letters_ = "ab/~\x01z";
  std::mt19937_64 random_;
};

object::KeyRange as_range(const ShardRange& range) {
  const auto name = [](const std::optional<ShardKey>& key) { return key ? std::optional(key->front()) : std::nullopt; };
  return {.after = name(range.after), .last = name(range.last)};
}

TEST(Shards, RangesMeetSoThatAnyKeyIsInExactlyOneWhateverComesLater) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Keys keys(seed);
  for (int round = 0; round < 300; ++round) {
    KeySample sample;
    const std::uint64_t there = keys.up_to(40);
    for (std::uint64_t i = 0; i < there; ++i) sample.add(keys.any());
    const Split split = cut_by(sample.ascending(), 1 + keys.up_to(9), {.items = there});
    for (int i = 0; i < 50; ++i) {
      const std::string key = keys.any();  // as likely one that was not there
      const auto holds =
          std::ranges::count_if(split.shards, [&](const Shard& shard) { return as_range(shard.range).has(key); });
      ASSERT_EQ(holds, 1) << "key \"" << key << '"';
    }
  }
}

TEST(Shards, EstimatesAddUpToThePlan) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Keys keys(seed);
  for (int round = 0; round < 300; ++round) {
    std::vector<std::uint64_t> weights(1 + keys.up_to(8));
    for (std::uint64_t& weight : weights) weight = keys.up_to(100);
    const Amount whole{.items = keys.up_to(1'000'000'000'000), .bytes = Bytes{keys.up_to(1ULL << 60)}};
    Amount sum{.bytes = Bytes{}};
    for (const Amount& share : shares_of(whole, weights)) sum.add(share.items, share.bytes);
    EXPECT_EQ(sum, whole);
  }
}

TEST(Shards, AreOfNearEqualWork) {
  const Split split = cut_by(numbered(1'000), 7, {.items = 70'000});
  ASSERT_THAT(split.shards, SizeIs(7));
  for (const Shard& shard : split.shards) EXPECT_NEAR(static_cast<double>(shard.estimate.items), 10'000, 100);
  EXPECT_EQ(split.shards[0].range, (ShardRange{.last = ShardKey{"1000141"}}));
  EXPECT_EQ(split.shards[6].range.last, std::nullopt);
}

TEST(Shards, AreNoMoreThanThereAreKeysToCutAt) {
  EXPECT_THAT(cut_by(numbered(3), 8, {.items = 3}).shards, SizeIs(3));
  EXPECT_THAT(cut_by({}, 8, {}).shards, SizeIs(1)) << "of nothing one, so that there is one to carry out";
  EXPECT_THAT(cut_by({{"a"}, {"a"}, {"a"}, {"a"}}, 4, {.items = 4}).shards, SizeIs(1));
}

TEST(Shards, AKeyThatManyHaveIsInOne) {
  const std::vector<ShardKey> keys{{"a"}, {"b"}, {"b"}, {"b"}, {"b"}, {"c"}};
  const Split split = cut_by(keys, 3, {.items = 6});
  ASSERT_THAT(split.shards, SizeIs(2));
  EXPECT_EQ(split.shards[0].estimate.items, 5u);
  EXPECT_EQ(split.shards[1].estimate.items, 1u);
}

TEST(Shards, AreNotCutAtAKeyThatJsonCannotHave) {
  EXPECT_THAT(cuts_of({{"a\xff"}, {"b"}}, 2), IsEmpty());
  EXPECT_THAT(cuts_of({{"a"}, {"b\xff"}}, 2), ElementsAre(ShardKey{"a"}));
}

TEST(Shards, ASampleIsAsLikelyToHaveEachKeyAndStaysSmall) {
  KeySample sample(100);
  for (const ShardKey& key : numbered(10'000)) sample.add(key.front());
  const std::vector<ShardKey> kept = sample.ascending();
  ASSERT_THAT(kept, SizeIs(100));
  EXPECT_TRUE(std::ranges::is_sorted(kept));
  // Its random numbers are the same each time: the middle of the sample is near the middle of the keys.
  EXPECT_NEAR(std::stod(kept[50].front()), 1'005'000, 1'500);
  sample.forget();
  EXPECT_THAT(sample.ascending(), IsEmpty());
}

TEST(Shards, ASetComesBackAsItWas) {
  ShardSet set{.plan = {.job = "cleanup", .steps = {{.task = "purge-signals", .planned = {.items = 9}}}},
               .allow_removal = true,
               .split = cut_by({{"1", "a\"b"}, {"2", "ü"}, {"3", ""}}, 2, {.items = 9})};
  set.split.one_because = "for a reason";
  const auto back = shard_set_from_json(to_json(set));
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->split.shards, set.split.shards);
  EXPECT_EQ(back->split.one_because, set.split.one_because);
  EXPECT_TRUE(back->allow_removal);
  EXPECT_EQ(digest_of(back->plan), digest_of(set.plan));
  for (const char* broken : {"null", "{}", R"({"format": 2})", R"({"shards": []})", "[1]"})
    EXPECT_EQ(shard_set_from_json(nlohmann::json::parse(broken)).error().kind, Kind::corrupt) << broken;
}

TEST(Shards, ARangeIsShownToPeople) {
  EXPECT_EQ(text_of(ShardRange{}), "all");
  EXPECT_EQ(text_of(ShardRange{.after = ShardKey{"17"}, .last = ShardKey{"42", "b"}}), "(17 … 42,b]");
  EXPECT_EQ(text_of(ShardRange{.last = ShardKey{"42"}}), "(… 42]");
  EXPECT_EQ(text_of(ShardRange{.after = ShardKey{"17"}}), "(17 …)");
}

}  // namespace
}  // namespace steward
