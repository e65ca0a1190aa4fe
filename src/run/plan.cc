#include "run/plan.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/digest.h"
#include "core/text.h"

namespace steward {
namespace {
using nlohmann::json;

constexpr int format = 1;
constexpr std::size_t examples_kept = 5;
constexpr std::array readiness_names{"ready", "not_configured", "off", "failed"};

constexpr std::array trend_names{"unknown", "keeping_up", "catching_up", "standing_still", "losing_ground"};

/// A tenth of an item is as much as a rate means.
json rate_or_null(const std::optional<Rate>& rate) {
  if (!rate) return nullptr;
  return {{"items", std::round(rate->items * 10) / 10},
          {"bytes", rate->bytes ? json(std::round(*rate->bytes)) : json(nullptr)}};
}

json instant_or_null(const std::optional<Instant>& instant) {
  return instant ? json(format_instant(*instant)) : json(nullptr);
}

std::optional<Instant> instant_in(const json& j, const char* key) {
  const auto it = j.find(key);
  return it != j.end() && it->is_string() ? parse_instant(it->get<std::string>()) : std::nullopt;
}

/// The member of an object, if it is there and `is` holds for it.
const json* member(const json& j, const char* key, bool (json::*is)() const noexcept) {
  if (!j.is_object()) return nullptr;
  const auto it = j.find(key);
  return it != j.end() && ((*it).*is)() ? &*it : nullptr;
}

std::string text_in(const json& j, const char* key) {
  const json* text = member(j, key, &json::is_string);
  return text != nullptr ? text->get<std::string>() : std::string{};
}

std::optional<std::uint64_t> count_in(const json& j, const char* key) {
  const json* count = member(j, key, &json::is_number_unsigned);
  return count != nullptr ? std::optional(count->get<std::uint64_t>()) : std::nullopt;
}

std::vector<std::string> texts_in(const json& j, const char* key) {
  std::vector<std::string> texts;
  if (const json* list = member(j, key, &json::is_array))
    for (const json& text : *list)
      if (text.is_string()) texts.push_back(text.get<std::string>());
  return texts;
}

/// The number of things in `j`: throws where it is none, as all of json's do. Neither -1 nor 1e300 is one.
std::uint64_t count_from(const json& j) { return j.get_ref<const std::uint64_t&>(); }

Step step_from(const json& j) {
  Step step{.task = j.at("task"),
            .target = j.value("target", ""),
            .identity = j.value("identity", ""),
            .age = j.value("age", ""),
            .strategy = j.value("strategy", ""),
            .filter = j.value("filter", ""),
            .reason = j.value("reason", "")};
  for (std::size_t i = 0; i < readiness_names.size(); ++i)
    if (j.value("status", "") == readiness_names[i]) step.readiness = static_cast<Readiness>(i);
  step.cutoff = instant_in(j, "cutoff").value_or(Instant{});
  step.final = j.value("final", false);
  step.planned = amount_from_json(j.at("planned"));
  if (j.contains("population") && !j["population"].is_null()) step.population = count_from(j["population"]);
  step.oldest = instant_in(j, "oldest");
  step.newest = instant_in(j, "newest");
  for (const json& s : j.value("samples", json::array())) {
    Sample sample{.item = s.at("item"), .at = instant_in(s, "at")};
    if (!s.at("bytes").is_null()) sample.size = Bytes{count_from(s.at("bytes"))};
    step.samples.push_back(std::move(sample));
  }
  step.skipped = skips_from_json(j.at("skipped"));
  step.notes = j.value("notes", std::vector<std::string>{});
  step.needs = j.value("needs", std::vector<std::string>{});
  step.items = j.value("items", "");
  for (const json& one : j.value("consequences", json::array()))
    step.consequences.push_back({.target = one.at("target"),
                                 .what = one.at("what"),
                                 .rows = count_from(one.at("rows")),
                                 .population = count_in(one, "population")});
  if (j.contains("brake") && !j["brake"].is_null()) step.brake = error_from_json(j["brake"]);
  if (!j.at("error").is_null()) step.error = error_from_json(j["error"]);
  return step;
}

}  // namespace

void Amount::add(std::uint64_t n, std::optional<Bytes> size) {
  items += n;
  if (size) bytes = bytes.value_or(Bytes{}) + *size;
}

void Skips::add(std::string_view reason, std::string_view example, std::uint64_t items) {
  if (items == 0) return;
  Skip* found = nullptr;
  for (Skip& skip : list_)
    if (skip.reason == reason) found = &skip;
  if (found == nullptr) found = &list_.emplace_back(Skip{.reason = std::string(reason)});
  found->items += items;
  if (!example.empty() && found->examples.size() < examples_kept) found->examples.push_back(printable(example));
}

Amount amount_from_json(const json& document) {
  Amount amount{.items = count_in(document, "items").value_or(0)};
  if (const auto bytes = count_in(document, "bytes")) amount.bytes = Bytes{*bytes};
  return amount;
}

std::vector<Skip> skips_from_json(const json& document) {
  std::vector<Skip> skips;
  if (!document.is_array()) return skips;
  for (const json& skip : document)
    skips.push_back({.reason = text_in(skip, "reason"),
                     .items = count_in(skip, "items").value_or(0),
                     .examples = texts_in(skip, "examples")});
  return skips;
}

Error error_from_json(const json& document) {
  Error error{.kind = Kind::bug,
              .message = text_in(document, "message"),
              .hint = text_in(document, "hint"),
              .code = text_in(document, "code")};
  for (const KindRow& row : kinds)
    if (row.name == text_in(document, "kind")) error.kind = row.kind;
  return error;
}

json to_json(const Amount& amount) {
  return {{"items", amount.items}, {"bytes", amount.bytes ? json(amount.bytes->count) : json(nullptr)}};
}

json to_json(const std::vector<Skip>& skips) {
  json out = json::array();
  for (const Skip& skip : skips)
    out.push_back({{"reason", skip.reason}, {"items", skip.items}, {"examples", skip.examples}});
  return out;
}

json to_json(const Error& error) {
  json out{{"kind", row_of(error.kind).name}, {"message", printable(error.message)}, {"hint", printable(error.hint)}};
  if (!error.code.empty()) out["code"] = error.code;
  return out;
}

std::string page_of(const Error& error) {
  return error.code.empty() ? std::string{} : fmt::format("docs/refusals.md#{}", error.code);
}

json to_json(const Forecast& forecast) {
  return {{"trend", trend_names[static_cast<std::size_t>(forecast.trend)]},
          {"backlog", to_json(forecast.backlog)},
          {"come_a_night", rate_or_null(forecast.come)},
          {"go_a_night", rate_or_null(forecast.go)},
          {"nights", forecast.nights ? json(*forecast.nights) : json(nullptr)},
          {"reason", forecast.reason}};
}

json to_json(const Step& step) {
  json samples = json::array();
  for (const Sample& s : step.samples)
    samples.push_back(
        {{"item", s.item}, {"at", instant_or_null(s.at)}, {"bytes", s.size ? json(s.size->count) : json(nullptr)}});
  const bool planned = step.readiness == Readiness::ready;
  json out{{"task", step.task},
           {"status", readiness_names[static_cast<std::size_t>(step.readiness)]},
           {"target", printable(step.target)},
           {"identity", step.identity},
           {"age", step.age},
           {"strategy", step.strategy},
           {"filter", step.filter},
           {"reason", step.reason},
           {"cutoff", planned ? json(format_instant(step.cutoff)) : json(nullptr)},
           {"final", step.final},
           {"planned", to_json(step.planned)},
           {"population", step.population ? json(*step.population) : json(nullptr)},
           {"oldest", instant_or_null(step.oldest)},
           {"newest", instant_or_null(step.newest)},
           {"samples", std::move(samples)},
           {"skipped", to_json(step.skipped)},
           {"notes", step.notes},
           {"needs", step.needs},
           {"items", step.items},
           {"error", step.error ? to_json(*step.error) : json(nullptr)}};
  if (step.forecast) out["forecast"] = to_json(*step.forecast);
  if (step.brake) out["brake"] = to_json(*step.brake);
  for (const Consequence& one : step.consequences) {
    json& consequence =
        out["consequences"].emplace_back(json{{"target", one.target}, {"what", one.what}, {"rows", one.rows}});
    if (one.population) consequence["population"] = *one.population;
  }
  return out;
}

json to_json(const Plan& plan) {
  json tasks = json::array();
  for (const Step& step : plan.steps) tasks.push_back(to_json(step));
  return {{"format", format},
          {"job", plan.job},
          {"made", format_instant(plan.made)},
          {"environment", plan.environment},
          {"tasks", std::move(tasks)}};
}

Result<Plan> plan_from_json(const json& document) {
  try {
    if (document.at("format").get<double>() > format)  // a double holds any number that may stand there
      return fail(Kind::refused,
                  fmt::format("the plan is of format {}, this program knows {}", document.at("format").dump(), format),
                  "Run the steward that made it, or make a fresh plan.", "plan-newer");
    Plan plan{.job = document.at("job"),
              .made = instant_in(document, "made").value_or(Instant{}),
              .environment = document.value("environment", "")};
    for (const json& step : document.at("tasks")) plan.steps.push_back(step_from(step));
    return plan;
  } catch (const json::exception&) {
    return fail(Kind::corrupt, "the saved plan is not a plan", "Make a fresh one with `steward plan`.");
  }
}

std::vector<PolicyChange> policy_changes(const Step& before, const Step& now) {
  std::vector<PolicyChange> out;
  if (before.readiness != Readiness::ready || now.readiness != Readiness::ready) return out;
  const auto compare = [&](const char* what, const std::string& old_one, const std::string& new_one) {
    if (old_one != new_one && !old_one.empty()) out.push_back({.what = what, .before = old_one, .now = new_one});
  };
  compare("age", before.age, now.age);
  compare("filter", before.filter, now.filter);
  compare("target", printable(before.target), printable(now.target));
  compare("strategy", before.strategy, now.strategy);
  compare("identity", before.identity, now.identity);
  return out;
}

std::string digest_of(const Plan& plan) {
  json document = to_json(plan);
  document.erase("made");
  for (json& step : document["tasks"]) {
    step.erase("samples");
    step.erase("forecast");
    for (json& skip : step["skipped"]) skip.erase("examples");
  }
  return sha256_hex(document.dump());  // nlohmann keeps object keys sorted
}

}  // namespace steward
