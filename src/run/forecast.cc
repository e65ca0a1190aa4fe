#include "run/forecast.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "run/runner.h"

namespace steward {
namespace {
using nlohmann::json;

constexpr std::size_t runs_looked_at = 50;
constexpr double more_than_ever = 2;  ///< Beyond so many times what any run did, nothing is known.

std::uint64_t less(std::uint64_t a, std::uint64_t b) { return a > b ? a - b : 0; }

double nights_between(Instant from, Instant to) {
  return std::chrono::duration<double, std::ratio<86'400>>(to - from).count();
}

/// What came and went between the start of the oldest of `past` and that of the newest.
struct Flow {
  Rate come{}, go{};
};
std::optional<Flow> flow(std::span<const PastRun> past) {
  if (past.size() < 2 || past.front().started - past.back().started < span_for_trend) return {};
  const double nights = nights_between(past.back().started, past.front().started);
  double come = 0, go = 0, come_bytes = 0, go_bytes = 0;
  const bool bytes_known = std::ranges::all_of(past, [](const PastRun& run) { return run.planned.bytes.has_value(); });
  for (std::size_t i = 0; i + 1 < past.size(); ++i) {
    const PastRun& run = past[i];
    come += static_cast<double>(run.planned.items) - static_cast<double>(past[i + 1].left().items);
    go += static_cast<double>(run.done.items);
    if (!bytes_known) continue;
    come_bytes += static_cast<double>(run.planned.bytes->count) - static_cast<double>(past[i + 1].left().bytes->count);
    go_bytes += static_cast<double>(run.done.bytes.value_or(Bytes{}).count);
  }
  // The application removes things too: then less is planned than was left.
  Flow out{.come = {.items = std::max(0.0, come / nights)}, .go = {.items = go / nights}};
  if (bytes_known) {
    out.come.bytes = std::max(0.0, come_bytes / nights);
    out.go.bytes = go_bytes / nights;
  }
  return out;
}

/// "12,400 items (3.1 GiB)"
std::string text_of(const Rate& rate) {
  const std::string items = rate.items > 0 && rate.items < 10
                                ? fmt::format("{:.1f}", rate.items)
                                : format_count(static_cast<std::uint64_t>(std::llround(rate.items)));
  if (!rate.bytes) return items + " items";
  return fmt::format("{} items ({})", items,
                     format_bytes(Bytes{static_cast<std::uint64_t>(std::llround(*rate.bytes))}));
}

std::string what_flows(const Flow& flow) {
  return fmt::format("{} a night come, {} go", text_of(flow.come), text_of(flow.go));
}

Forecast unknown(const Amount& backlog, std::string reason) {
  return {.trend = Trend::unknown, .backlog = backlog, .reason = std::move(reason)};
}

/// The last run left nothing.
Forecast up_to_date(const Amount& backlog, std::span<const PastRun> past) {
  const std::uint64_t most =
      std::ranges::max_element(past, {}, [](const PastRun& run) { return run.done.items; })->done.items;
  if (backlog.items > 0 && static_cast<double>(backlog.items) > more_than_ever * static_cast<double>(most))
    return unknown(backlog, fmt::format("{} items wait, and no run has done more than {}", format_count(backlog.items),
                                        format_count(most)));
  Forecast out{.trend = Trend::keeping_up, .backlog = backlog, .nights = backlog.items == 0 ? 0 : 1};
  out.reason = "keeps up: the last run left nothing";
  if (const auto flowed = flow(past)) {
    out.come = flowed->come;
    out.go = flowed->go;
    out.reason += fmt::format("; {} a night come", text_of(flowed->come));
  }
  return out;
}

}  // namespace

Amount PastRun::left() const {
  Amount out{.items = less(planned.items, done.items)};
  if (planned.bytes) out.bytes = Bytes{less(planned.bytes->count, done.bytes.value_or(Bytes{}).count)};
  return out;
}

Forecast forecast(const Amount& backlog, std::span<const PastRun> past) {
  if (past.empty()) return unknown(backlog, "it has not run yet as it is configured now");
  if (past.front().left().items == 0) return up_to_date(backlog, past);

  const auto finished = std::ranges::find_if(past, [](const PastRun& run) { return run.left().items == 0; });
  const std::span<const PastRun> behind = past.first(static_cast<std::size_t>(finished - past.begin()));
  const auto flowed = flow(behind);
  if (behind.size() < runs_for_trend || !flowed)
    return unknown(backlog,
                   fmt::format("the last run left {} items; three such runs in a row, over half a day, tell more",
                               format_count(behind.front().left().items)));

  Forecast out{.backlog = backlog, .come = flowed->come, .go = flowed->go};
  const std::uint64_t first = behind.back().left().items, last = behind.front().left().items;
  if (last > first) {
    out.trend = Trend::losing_ground;
    out.reason = fmt::format("losing ground: {}, so that what waits is never gone", what_flows(*flowed));
  } else if (last == first) {
    out.trend = Trend::standing_still;
    out.reason =
        fmt::format("stands still: {}, and as much is left as {} runs ago", what_flows(*flowed), behind.size());
  } else {
    const double fewer_a_night =
        static_cast<double>(first - last) / nights_between(behind.back().started, behind.front().started);
    out.trend = Trend::catching_up;
    out.nights = static_cast<std::uint64_t>(std::ceil(static_cast<double>(backlog.items) / fewer_a_night));
    out.reason = fmt::format("catching up: {}; nothing waits any more in {} {}", what_flows(*flowed),
                             format_count(*out.nights), *out.nights == 1 ? "night" : "nights");
  }
  return out;
}

Result<std::vector<PastRun>> past_runs(ledger::Ledger& ledger, std::string_view job, std::string_view task,
                                       const Step* like) {
  std::vector<PastRun> out;
  std::optional<Step> newest;
  for (const ledger::PastTask& past : TRY(ledger.past_tasks(job, task, runs_looked_at))) {
    const auto plan = plan_from_json(json::parse(past.plan, nullptr, false));
    if (!plan) break;  // forgotten: what it was for is not known
    const auto step = std::ranges::find(plan->steps, task, &Step::task);
    if (step == plan->steps.end() || step->readiness != Readiness::ready) continue;
    if (like == nullptr) like = &newest.emplace(*step);
    if (step->target != like->target || step->filter != like->filter || step->reason != like->reason) break;
    const TaskResult result = task_result_from(json::parse(past.record.detail, nullptr, false));
    out.push_back({.started = past.started, .planned = step->planned, .done = result.done});
  }
  return out;
}

}  // namespace steward
