#include "run/shard.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/text.h"

namespace steward {
namespace {
using nlohmann::json;

std::string shown(const std::optional<ShardKey>& key) {
  if (!key) return "";
  std::vector<std::string> parts;
  for (const std::string& part : *key) parts.push_back(printable(part));
  return fmt::format("{}", fmt::join(parts, ","));
}

json or_null(const std::optional<ShardKey>& key) { return key ? json(*key) : json(nullptr); }

std::optional<ShardKey> key_in(const json& document) {
  return document.is_null() ? std::nullopt : std::optional(document.get<ShardKey>());
}

bool can_be_json(const ShardKey& key) {
  return std::ranges::all_of(key, [](const std::string& part) { return is_utf8(part); });
}

/// `whole` times part / all, rounded down, without overflow.
std::uint64_t portion(std::uint64_t whole, std::uint64_t part, std::uint64_t all) {
  return static_cast<std::uint64_t>(static_cast<unsigned __int128>(whole) * part / all);
}

}  // namespace

std::string text_of(const ShardRange& range) {
  if (range.is_whole()) return "all";
  return fmt::format("({}{}…{}{}", shown(range.after), range.after ? " " : "", range.last ? " " : "",
                     range.last ? shown(range.last) + "]" : ")");
}

std::vector<ShardRange> ranges_between(const std::vector<ShardKey>& cuts) {
  std::vector<ShardRange> ranges(cuts.size() + 1);
  for (std::size_t i = 0; i < cuts.size(); ++i) {
    ranges[i].last = cuts[i];
    ranges[i + 1].after = cuts[i];
  }
  return ranges;
}

std::vector<ShardKey> cuts_of(const std::vector<ShardKey>& ascending, std::uint64_t count) {
  std::vector<ShardKey> cuts;
  for (std::uint64_t i = 1; i < count; ++i) {
    const std::uint64_t behind = portion(ascending.size(), i, count);
    if (behind == 0) continue;
    const ShardKey& key = ascending[behind - 1];
    // The greatest key of all has nothing behind it.
    if (key == ascending.back() || (!cuts.empty() && cuts.back() == key) || !can_be_json(key)) continue;
    cuts.push_back(key);
  }
  return cuts;
}

std::vector<Amount> shares_of(const Amount& whole, const std::vector<std::uint64_t>& weights) {
  std::uint64_t all = 0;
  for (const std::uint64_t weight : weights) all += weight;
  std::vector<Amount> shares(weights.size());
  std::uint64_t before = 0, items = 0, bytes = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    // Each up to where it ends, less where it begins: what is rounded away is in the next one, and nothing is lost.
    before += weights[i];
    const bool is_last = i + 1 == weights.size();
    const auto up_to = [&](std::uint64_t total) { return is_last || all == 0 ? total : portion(total, before, all); };
    shares[i].items = up_to(whole.items) - items;
    items += shares[i].items;
    if (!whole.bytes) continue;
    shares[i].bytes = Bytes{up_to(whole.bytes->count) - bytes};
    bytes += shares[i].bytes->count;
  }
  return shares;
}

std::vector<std::uint64_t> weights_of(const std::vector<ShardKey>& cuts, const std::vector<ShardKey>& ascending) {
  std::vector<std::uint64_t> weights;
  auto from = ascending.begin();
  for (const ShardKey& cut : cuts) {
    // In whatever order they come, the keys that are the cut come together, and it is the last of its range.
    auto to = std::find(from, ascending.end(), cut);
    while (to != ascending.end() && *to == cut) ++to;
    weights.push_back(static_cast<std::uint64_t>(to - from));
    from = to;
  }
  weights.push_back(static_cast<std::uint64_t>(ascending.end() - from));
  return weights;
}

Split cut_by(const std::vector<ShardKey>& ascending, std::uint64_t count, const Amount& planned) {
  const std::vector<ShardKey> cuts = cuts_of(ascending, count);
  const std::vector<ShardRange> ranges = ranges_between(cuts);
  const std::vector<Amount> shares = shares_of(planned, weights_of(cuts, ascending));
  Split split;
  for (std::size_t i = 0; i < ranges.size(); ++i)
    split.shards.push_back({.number = i + 1, .range = ranges[i], .estimate = shares[i]});
  return split;
}

void KeySample::add(std::string_view key) {
  ++seen_;
  if (kept_.size() < most_) {
    kept_.emplace_back(key);
    return;
  }
  const std::uint64_t place = std::uniform_int_distribution<std::uint64_t>(0, seen_ - 1)(random_);
  if (place < most_) kept_[place] = key;
}

void KeySample::forget() {
  seen_ = 0;
  kept_.clear();
}

std::vector<ShardKey> KeySample::ascending() const {
  std::vector<ShardKey> keys;
  keys.reserve(kept_.size());
  for (const std::string& key : kept_) keys.push_back({key});
  std::ranges::sort(keys);
  return keys;
}

Split in_one(const Step& step, std::string because) {
  return {.shards = {{.estimate = step.planned}}, .one_because = std::move(because)};
}

json to_json(const Shard& shard) {
  return {{"shard", shard.number},
          {"after", or_null(shard.range.after)},
          {"last", or_null(shard.range.last)},
          {"estimate", to_json(shard.estimate)}};
}

json to_json(const ShardSet& set) {
  json shards = json::array();
  for (const Shard& shard : set.split.shards) shards.push_back(to_json(shard));
  return {{"format", 1},
          {"plan", to_json(set.plan)},
          {"allow_removal", set.allow_removal},
          {"one_because", set.split.one_because},
          {"shards", std::move(shards)}};
}

Result<ShardSet> shard_set_from_json(const json& document) {
  try {
    ShardSet set{.plan = TRY(plan_from_json(document.at("plan"))), .allow_removal = document.at("allow_removal")};
    set.split.one_because = document.at("one_because");
    for (const json& shard : document.at("shards"))
      set.split.shards.push_back({.number = shard.at("shard"),
                                  .range = {.after = key_in(shard.at("after")), .last = key_in(shard.at("last"))},
                                  .estimate = amount_from_json(shard.at("estimate"))});
    if (document.at("format") == 1 && set.plan.steps.size() == 1 && !set.split.shards.empty()) return set;
  } catch (const json::exception&) {
  }
  return fail(Kind::corrupt, "what the ledger has of these shards cannot be read",
              "Hand them out anew with `steward shards`.");
}

}  // namespace steward
