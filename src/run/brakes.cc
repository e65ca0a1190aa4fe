#include "run/brakes.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "core/text.h"

namespace steward {
namespace {

double median(std::span<const std::uint64_t> values) {
  std::vector<std::uint64_t> sorted(values.begin(), values.end());
  std::ranges::sort(sorted);
  const std::size_t middle = sorted.size() / 2;
  if (sorted.size() % 2 == 1) return static_cast<double>(sorted[middle]);
  return (static_cast<double>(sorted[middle - 1]) + static_cast<double>(sorted[middle])) / 2;
}

std::string hint(const Step& step) {
  return fmt::format("If this is right, run it once with --allow-removal {}.", step.task);
}

}  // namespace

std::optional<Error> brake(const Brakes& brakes, const Step& step, std::span<const std::uint64_t> earlier) {
  for (const Consequence& one : step.consequences)
    if (one.rows >= brakes.from && one.population &&
        static_cast<double>(one.rows) > brakes.share * static_cast<double>(*one.population))
      return Error{Kind::refused,
                   fmt::format("{} would remove {} of {} rows of {} along with what they refer to, more than {:.0f} %",
                               step.task, format_count(one.rows), format_count(*one.population), printable(one.target),
                               brakes.share * 100),
                   hint(step), "brake-share"};
  const auto planned = static_cast<double>(step.planned.items);
  if (step.planned.items < brakes.from) return {};
  if (step.population && planned > brakes.share * static_cast<double>(*step.population))
    return Error{Kind::refused,
                 fmt::format("{} would remove {} of {} items, more than {:.0f} % of its target", step.task,
                             format_count(step.planned.items), format_count(*step.population), brakes.share * 100),
                 hint(step), "brake-share"};
  if (earlier.size() >= brakes.runs_for_median) {
    const double usual = median(earlier);
    if (planned > brakes.times_median * usual)
      return Error{Kind::refused,
                   fmt::format("{} would remove {} items, more than {} times its usual {:.0f}", step.task,
                               format_count(step.planned.items), brakes.times_median, usual),
                   hint(step), "brake-median"};
  }
  return {};
}

}  // namespace steward
