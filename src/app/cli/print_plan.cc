#include "app/cli/print_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "core/text.h"

namespace steward::app {
namespace {

Tint tint_of(std::string_view status) {
  if (status == "succeeded") return Tint::good;
  if (status == "failed") return Tint::bad;
  if (status == "not_configured" || status == "off") return Tint::dim;
  return Tint::warn;
}

std::string second_of(Instant instant) { return format_instant(std::chrono::floor<std::chrono::seconds>(instant)); }

std::string line(std::string_view label, std::string_view text) { return fmt::format("    {:<9} {}\n", label, text); }

std::string ready_text(const Output& output, const Step& step) {
  const std::string amount = amount_text(step.planned);
  std::string out = fmt::format("  {}  {}{}\n", tinted(output, Tint::bold, step.task), amount,
                                step.final && step.planned.items > 0 ? tinted(output, Tint::warn, ", final") : "");
  out += line("target", printable(step.target));
  out +=
      line("what", step.age.empty() ? step.reason : fmt::format("{}: before {}", step.reason, second_of(step.cutoff)));
  out += line("how", step.strategy);
  if (step.oldest && step.newest)
    out += line("from, to", fmt::format("{}, {}", second_of(*step.oldest), second_of(*step.newest)));
  for (const Sample& sample : step.samples)
    out += line("such as", fmt::format("{}{}{}", sample.item, sample.at ? "  " + second_of(*sample.at) : "",
                                       sample.size ? "  " + format_bytes(*sample.size) : ""));
  for (const Skip& skip : step.skipped) {
    std::string examples;
    for (const std::string& example : skip.examples) examples += (examples.empty() ? "  e.g. " : ", ") + example;
    out += line("stays",
                fmt::format("{} {}{}", format_count(skip.items), skip.reason, tinted(output, Tint::dim, examples)));
  }
  for (const std::string& note : step.notes) out += line("note", printable(note));
  if (step.forecast) {
    const bool bad = step.forecast->trend == Trend::losing_ground;
    out += line("forecast", bad ? tinted(output, Tint::bad, step.forecast->reason) : step.forecast->reason);
  }
  if (step.brake) {
    out += line("refused", tinted(output, Tint::bad, printable(step.brake->message)));
    out += line("", printable(step.brake->hint));
  }
  return out;
}

std::string step_text(const Output& output, const Step& step) {
  switch (step.readiness) {
    case Readiness::ready: return ready_text(output, step);
    case Readiness::failed:
      return fmt::format("  {}  {}\n{}{}", tinted(output, Tint::bold, step.task),
                         tinted(output, Tint::bad, "cannot be planned"), line("error", printable(step.error->message)),
                         step.error->hint.empty() ? "" : line("", printable(step.error->hint)));
    default:
      return fmt::format("  {}  {}\n", tinted(output, Tint::bold, step.task), tinted(output, Tint::dim, step.reason));
  }
}

}  // namespace

std::string amount_text(const Amount& amount) {
  std::string out = fmt::format("{} {}", format_count(amount.items), amount.items == 1 ? "item" : "items");
  if (amount.bytes) out += ", " + format_bytes(*amount.bytes);
  return out;
}

std::string when_text(Instant instant, Instant now) {
  return instant <= now ? format_span(now - instant) + " ago" : "in " + format_span(instant - now);
}

std::string plan_text(const Output& output, const Plan& plan) {
  std::string out = fmt::format("{}, as of {}{}: nothing has been changed\n\n", plan.job,
                                format_instant(std::chrono::floor<std::chrono::seconds>(plan.made)),
                                plan.environment.empty() ? "" : " in " + plan.environment);
  for (const Step& step : plan.steps) out += step_text(output, step) + '\n';
  return out;
}

std::string plan_text(const Output& output, const Plan& plan, const std::string& name, const std::string& digest) {
  std::string out = plan_text(output, plan);
  const bool whole =
      std::ranges::none_of(plan.steps, [](const Step& step) { return step.readiness == Readiness::failed; });
  out += fmt::format("Plan {}.", digest.substr(0, 12));
  if (whole) out += fmt::format(" To carry out exactly this: steward run {} --plan {}", name, digest.substr(0, 12));
  return out + '\n';
}

std::string result_text(const Output& output, const RunResult& result) {
  std::vector<std::vector<std::string>> rows{{"TASK", "STATUS", "PLANNED", "DONE", "BYTES", ""}};
  for (const TaskResult& task : result.tasks) {
    std::string remark;
    if (task.error)
      remark = printable(task.error->message);
    else if (!task.needs.empty())
      remark = "set " + join_and(task.needs);
    rows.push_back({task.task, task.status, format_count(task.planned.items), format_count(task.done.items),
                    task.done.bytes ? format_bytes(*task.done.bytes) : "-", remark});
  }
  std::string out = table(rows, {2, 3, 4});
  for (const TaskResult& task : result.tasks) {
    for (const Skip& skip : task.skipped)
      out += fmt::format("  {}: {} {}\n", task.task, format_count(skip.items), skip.reason);
    for (const std::string& note : task.notes) out += fmt::format("  {}: {}\n", task.task, printable(note));
    if (task.error && !task.error->hint.empty())
      out += fmt::format("  {}: {}\n", task.task, printable(task.error->hint));
  }
  std::set<std::string> pages;
  for (const TaskResult& task : result.tasks)
    if (task.error && !task.error->code.empty()) pages.insert(page_of(*task.error));
  for (const std::string& page : pages) out += fmt::format("  See {}\n", page);
  const std::string_view status = ledger::name_of(result.status);
  out += fmt::format("{} {}: {}\n", result.job, result.id, tinted(output, tint_of(status), status));
  return out;
}

std::string name_of(const ledger::Run& run) {
  const std::string name = run.scope.empty() ? run.job : fmt::format("{}/{}", run.job, run.scope);
  return run.shard == 0 ? name : fmt::format("{} #{}", name, run.shard);
}

std::string duration_text(const ledger::Run& run, Instant now) {
  return format_span(run.ended.value_or(now) - run.started);
}

std::uint64_t removed_by(const std::vector<ledger::TaskRecord>& tasks) {
  std::uint64_t items = 0;
  for (const ledger::TaskRecord& task : tasks) items += task.done_items;
  return items;
}

std::string wall_clock(Instant instant, const Zone& zone) {
  constexpr std::array<std::string_view, 7> days{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  const LocalView view = zone.local(instant);
  const std::chrono::weekday day{std::chrono::floor<std::chrono::days>(view.time)};
  std::string text = format_instant(Instant{view.time.time_since_epoch()});
  text.resize(text.find('Z'));
  text[10] = ' ';
  if (text.ends_with(":00")) text.resize(text.size() - 3);
  return fmt::format("{} {} {}", days.at(day.c_encoding()), text, view.abbreviation);
}

}  // namespace steward::app
