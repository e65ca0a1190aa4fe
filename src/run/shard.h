/// Shards: a step of a plan, cut into parts of near-equal work that several processes, or machines, carry out side by
/// side.
///
///   plan 3f2a… of cleanup/purge-signals, 8,000,000 rows
///     shard 1   (      … 1000219]   2,001,500
///     shard 2   (1000219 … 2000402]   1,998,900
///     shard 3   (2000402 …       )   3,999,600
///
/// Promises  - Ranges meet at a key: whatever the keys are, and whatever was inserted since, each is in exactly one.
///           - The plan is of the whole: what it pins (target, filter, cutoff) and its brakes hold for each shard, and
///           all
///             shards together remove no more than it has (run/ledger/shards.h).
#pragma once
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "run/plan.h"

namespace steward {

/// A key: the text of each of its columns; of an object, its one name.
using ShardKey = std::vector<std::string>;

/// The keys behind `after` (none: from the first on), up to and with `last` (none: to the end).
struct ShardRange {
  std::optional<ShardKey> after{}, last{};
  bool is_whole() const { return !after && !last; }
  bool operator==(const ShardRange&) const = default;
};

/// "(17 … 42]", for people.
std::string text_of(const ShardRange& range);

struct Shard {
  std::uint64_t number = 1;  ///< From 1.
  ShardRange range{};
  Amount estimate{};  ///< Of its part in what is planned.
  bool operator==(const Shard&) const = default;
};

/// The ranges that meet at these keys, which ascend: one more than there are keys. Pure.
std::vector<ShardRange> ranges_between(const std::vector<ShardKey>& cuts);
/// Where to cut what `ascending` is a sample of, so that `count` parts are near-equal: up to `count - 1` of its keys,
/// each once, and none that is not UTF-8, since ranges are kept and handed on as JSON. Pure.
std::vector<ShardKey> cuts_of(const std::vector<ShardKey>& ascending, std::uint64_t count);
/// Splits an amount in proportion to the weights; their sum is the amount. Pure.
std::vector<Amount> shares_of(const Amount& whole, const std::vector<std::uint64_t>& weights);
/// How many of the sample are in each of the ranges that meet at these of its keys. Pure.
std::vector<std::uint64_t> weights_of(const std::vector<ShardKey>& cuts, const std::vector<ShardKey>& ascending);

/// Picks some of many keys, each as likely as any other, in constant memory.
class KeySample {
 public:
  explicit KeySample(std::size_t most = 20'000) : most_(most) {}
  void add(std::string_view key);
  /// What was added so far counts no more.
  void forget();
  /// The keys do not come in the order of their bytes: ranges of them cannot be listed.
  void out_of_order() { in_order_ = false; }
  bool in_order() const { return in_order_; }
  /// By their bytes.
  std::vector<ShardKey> ascending() const;

 private:
  std::size_t most_;
  std::uint64_t seen_ = 0;
  bool in_order_ = true;
  std::vector<std::string> kept_{};
  std::mt19937_64 random_{20261130};  ///< Which keys it picks need not be a secret, and is the same each time.
};

/// How a step is cut.
struct Split {
  std::vector<Shard> shards{};  ///< One at least.
  std::string one_because{};    ///< Where it is one that could have been several: why.
};
/// `planned`, cut as this sample of it is: what comes first in its order of keys, and so on.
Split cut_by(const std::vector<ShardKey>& ascending, std::uint64_t count, const Amount& planned);
/// The whole step as one shard.
Split in_one(const Step& step, std::string because);

/// A plan and its shards, as they were handed out.
struct ShardSet {
  Plan plan{};                 ///< Of one task alone.
  bool allow_removal = false;  ///< Somebody has let the whole past its brakes.
  Split split{};
  const Step& step() const { return plan.steps.front(); }
};

nlohmann::json to_json(const Shard& shard);
nlohmann::json to_json(const ShardSet& set);
/// Reads it back. corrupt where it is none.
Result<ShardSet> shard_set_from_json(const nlohmann::json& document);

}  // namespace steward
