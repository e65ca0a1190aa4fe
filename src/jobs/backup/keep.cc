#include "jobs/backup/keep.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>

#include "jobs/backup/manifest.h"

namespace steward::backup {
namespace {

using Days = std::chrono::sys_days;

struct Rule {
  std::string_view name;
  unsigned left;
  std::function<long(Days, std::size_t nth)> bucket;
  std::optional<long> last{};
  unsigned kept = 0;
};

/// The number of the ISO 8601 week: weeks begin on Monday, and 1970-01-01 was a Thursday.
long week_of(Days day) { return (day.time_since_epoch().count() + 3) / 7; }

std::vector<Rule> rules_of(const Keep& keep) {
  const auto ymd = [](Days day) { return std::chrono::year_month_day(day); };
  return {
      {"last", keep.last, [](Days, std::size_t nth) { return static_cast<long>(nth); }},
      {"daily", keep.daily, [](Days day, std::size_t) { return static_cast<long>(day.time_since_epoch().count()); }},
      {"weekly", keep.weekly, [](Days day, std::size_t) { return week_of(day); }},
      {"monthly", keep.monthly,
       [ymd](Days day, std::size_t) {
         return static_cast<long>(static_cast<int>(ymd(day).year())) * 12 + static_cast<unsigned>(ymd(day).month());
       }},
      {"yearly", keep.yearly,
       [ymd](Days day, std::size_t) { return static_cast<long>(static_cast<int>(ymd(day).year())); }}};
}

/// Why the rules keep it; empty where none does.
std::string kept_by(std::vector<Rule>& rules, Instant made, std::size_t nth, bool is_oldest) {
  std::string reason;
  for (Rule& rule : rules) {
    if (rule.left == 0) continue;
    const long bucket = rule.bucket(std::chrono::floor<std::chrono::days>(made), nth);
    // restic's: the oldest of all fills a place that is free.
    if (rule.last == bucket && !is_oldest) continue;
    rule.last = bucket;
    --rule.left;
    reason += fmt::format("{}{} {}", reason.empty() ? "" : ", ", rule.name, ++rule.kept);
  }
  return reason;
}

}  // namespace

std::string text_of(const Keep& keep) {
  std::string out;
  const auto add = [&](std::string_view name, unsigned n) {
    if (n > 0) out += fmt::format("{}{} {}", out.empty() ? "" : ", ", name, n);
  };
  add("last", keep.last);
  add("daily", keep.daily);
  add("weekly", keep.weekly);
  add("monthly", keep.monthly);
  add("yearly", keep.yearly);
  if (keep.within) out += fmt::format("{}within {}", out.empty() ? "" : ", ", format_age(*keep.within));
  return out;
}

std::vector<Verdict> decide(std::span<const Backup> backups, const Keep& keep, Instant now) {
  std::vector<Verdict> out(backups.size());
  std::vector<std::size_t> good;  // the newest first
  for (std::size_t i = backups.size(); i-- > 0;)
    if (!backups[i].is_bad()) good.push_back(i);
  const auto made = [&](std::size_t i) { return backups[i].manifest.begun; };
  if (good.empty() || now - made(good.front()) > stale_after) {
    for (Verdict& verdict : out)
      verdict.reason = good.empty() ? "there is no good backup: nothing goes"
                                    : "the newest backup is stale: nothing goes until there is a new one";
    return out;
  }
  const auto proved = std::ranges::find_if(good, [&](std::size_t i) { return backups[i].restored().has_value(); });
  std::vector<Rule> rules = rules_of(keep);
  const std::optional<Instant> within =
      keep.within ? std::optional(before(made(good.front()), *keep.within)) : std::nullopt;
  for (std::size_t nth = 0; nth < good.size(); ++nth) {
    const std::size_t i = good[nth];
    Verdict& verdict = out[i];
    verdict.reason = kept_by(rules, made(i), nth, nth + 1 == good.size());
    if (within && made(i) >= *within)
      verdict.reason += fmt::format("{}within {}", verdict.reason.empty() ? "" : ", ", format_age(*keep.within));
    verdict.by_rule = !verdict.reason.empty();
    if (verdict.by_rule) continue;
    verdict.stays = nth == 0 || keep.empty() || (proved != good.end() && i == *proved);
    verdict.reason = keep.empty()                           ? "no rule removes any"
                     : nth == 0                             ? "the newest"
                     : proved != good.end() && i == *proved ? "the newest that was restored"
                                                            : "no rule keeps it";
  }
  for (std::size_t i = 0; i < backups.size(); ++i) {
    if (!backups[i].is_bad()) continue;
    const bool is_old = now - backups[i].proofs.back().at > bad_kept && !keep.empty();
    out[i] = {.stays = !is_old,
              .reason = is_old ? "its proof failed, and it was kept long enough to look at it" : "its proof failed"};
  }
  return out;
}

}  // namespace steward::backup
