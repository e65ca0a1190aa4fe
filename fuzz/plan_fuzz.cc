// Saved plans: what is read back is what was approved, or an error.

#include <nlohmann/json.hpp>

#include "property.h"
#include "run/plan.h"

namespace steward::fuzz {
namespace {
using nlohmann::json;

bool has_readable_times(const Plan& plan) {
  if (!has_four_digit_year(plan.made)) return false;
  for (const Step& step : plan.steps) {
    if (!has_four_digit_year(step.cutoff) || !has_four_digit_year(step.oldest.value_or(Instant{})) ||
        !has_four_digit_year(step.newest.value_or(Instant{})))
      return false;
    for (const Sample& sample : step.samples)
      if (!has_four_digit_year(sample.at.value_or(Instant{}))) return false;
  }
  return true;
}

/// Parts are read from anywhere, by who does not expect an exception.
void check_parts(const json& document) {
  const Amount amount = amount_from_json(document);
  require(amount_from_json(to_json(amount)) == amount, "an amount reads back");
  const json skips = to_json(skips_from_json(document));
  require(to_json(skips_from_json(skips)) == skips, "skips read back");
  const Error error = error_from_json(document);
  require(to_json(error_from_json(to_json(error))) == to_json(error), "an error reads back");
}

void check_plan(const json& document) {
  const auto plan = plan_from_json(document);
  if (!plan) return;
  const std::string digest = digest_of(*plan);
  if (!has_readable_times(*plan)) return;
  const json written = to_json(*plan);
  const auto again = plan_from_json(json::parse(written.dump()));
  require(again.has_value(), "a plan reads back");
  require(to_json(*again) == written, "a plan reads back from its JSON");
  require(digest_of(*again) == digest, "a plan keeps its digest");
}

}  // namespace
}  // namespace steward::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto document = nlohmann::json::parse(steward::fuzz::text_of(data, size), nullptr, false);
  if (document.is_discarded()) return 0;
  steward::fuzz::check_parts(document);
  if (document.is_object())
    for (const auto& member : document) steward::fuzz::check_parts(member);
  steward::fuzz::check_plan(document);
  return 0;
}
