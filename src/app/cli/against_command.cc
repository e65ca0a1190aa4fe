// plan --against: what one configuration would remove more or less than another. For a comment on a pull request.

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "app/cli/commands.h"
#include "app/cli/print_plan.h"
#include "app/cli/session.h"
#include "app/config/catalogue.h"
#include "app/config/file.h"
#include "core/text.h"
#include "run/runner.h"

namespace steward::app {
namespace {
using nlohmann::json;

/// One task in both configurations; null where one has it not.
struct Compared {
  std::string task{};
  const Step* before = nullptr;
  const Step* after = nullptr;

  static std::uint64_t items(const Step* step) {
    return step != nullptr && step->readiness == Readiness::ready ? step->planned.items : 0;
  }
  std::int64_t more() const {
    return static_cast<std::int64_t>(items(after)) - static_cast<std::int64_t>(items(before));
  }
  /// What a person would read out of the two files: "older than 30 days -> older than 10 days".
  std::vector<std::string> changes() const {
    if (before == nullptr) return {"new: " + what(*after)};
    if (after == nullptr) return {"gone: " + what(*before)};
    std::vector<std::string> out;
    const auto compare = [&](std::string_view name, const std::string& old, const std::string& now) {
      if (old != now)
        out.push_back(fmt::format("{}: {} -> {}", name, old.empty() ? "-" : old, now.empty() ? "-" : now));
    };
    compare("target", before->target, after->target);
    compare("what", before->reason, after->reason);
    compare("filter", before->filter, after->filter);
    compare("how", before->strategy, after->strategy);
    for (const Consequence& one : all_of(before->consequences, after->consequences)) {
      const std::string old = rows(before->consequences, one), now = rows(after->consequences, one);
      compare(fmt::format("rows of {} {}", one.target, one.what), old, now);
    }
    return out;
  }
  const std::optional<Error>* error() const {
    for (const Step* step : {after, before})
      if (step != nullptr && step->error) return &step->error;
    return nullptr;
  }

 private:
  /// Those of both, each once.
  static std::vector<Consequence> all_of(std::vector<Consequence> all, const std::vector<Consequence>& more) {
    for (const Consequence& one : more)
      if (rows(all, one).empty()) all.push_back(one);
    return all;
  }
  /// How many rows `list` has of that kind; empty where it has none.
  static std::string rows(const std::vector<Consequence>& list, const Consequence& of) {
    for (const Consequence& one : list)
      if (one.target == of.target && one.what == of.what) return format_count(one.rows);
    return {};
  }
  static std::string what(const Step& step) {
    return step.readiness == Readiness::ready ? fmt::format("{}, {}", step.target, step.reason) : step.reason;
  }
};

std::vector<Compared> compare(const Plan& before, const Plan& after) {
  std::vector<Compared> all;
  for (const Step& step : after.steps) all.push_back({.task = step.task, .after = &step});
  for (const Step& step : before.steps) {
    const auto known = std::ranges::find(all, step.task, &Compared::task);
    if (known == all.end())
      all.push_back({.task = step.task, .before = &step});
    else
      known->before = &step;
  }
  return all;
}

std::string signed_count(std::int64_t n) {
  if (n == 0) return "0";
  return fmt::format("{}{}", n > 0 ? "+" : "-", format_count(static_cast<std::uint64_t>(n > 0 ? n : -n)));
}

json json_of(const Compared& one) {
  const auto side = [](const Step* step) { return step == nullptr ? json(nullptr) : to_json(*step); };
  return {{"task", one.task},
          {"before", side(one.before)},
          {"after", side(one.after)},
          {"more", one.more()},
          {"changes", one.changes()}};
}

std::string amount_of(const Step* step) {
  if (step == nullptr) return "-";
  if (step->readiness == Readiness::ready) return format_count(step->planned.items);
  return step->readiness == Readiness::failed ? "failed" : "off";
}

std::string text_of(const Output& output, const std::vector<Compared>& all) {
  std::vector<std::vector<std::string>> rows{{"TASK", "BEFORE", "AFTER", "MORE"}};
  for (const Compared& one : all)
    rows.push_back({one.task, amount_of(one.before), amount_of(one.after), signed_count(one.more())});
  std::string out = table(rows, {1, 2, 3});
  for (const Compared& one : all) {
    for (const std::string& change : one.changes()) out += fmt::format("  {}: {}\n", one.task, printable(change));
    if (const auto* error = one.error())
      out += fmt::format("  {}: {}\n", one.task, tinted(output, Tint::bad, printable((*error)->message)));
  }
  return out;
}

/// What would be taken for markup inside a cell.
std::string cell(std::string_view text) {
  std::string out;
  for (const char c : printable(text)) {
    if (c == '|' || c == '<' || c == '`' || c == '*' || c == '_') out += '\\';
    out += c;
  }
  return out;
}

std::string markdown_of(const std::vector<Compared>& all, std::int64_t more) {
  std::string out =
      fmt::format("**steward**: this change removes {} items {} tonight.\n\n",
                  format_count(static_cast<std::uint64_t>(more < 0 ? -more : more)), more < 0 ? "fewer" : "more");
  if (more == 0) out = "**steward**: this change removes as many items tonight as before.\n\n";
  out += "| task | before | after | more | what changed |\n|---|--:|--:|--:|---|\n";
  for (const Compared& one : all) {
    std::string changes;
    for (const std::string& change : one.changes()) changes += (changes.empty() ? "" : "<br>") + cell(change);
    if (const auto* error = one.error()) changes += (changes.empty() ? "" : "<br>") + cell((*error)->message);
    out += fmt::format("| {} | {} | {} | {} | {} |\n", cell(one.task), amount_of(one.before), amount_of(one.after),
                       signed_count(one.more()), changes);
  }
  return out;
}

/// The first of the errors in a file.
Result<Settings> read_other(const std::string& file) {
  std::vector<Error> errors;
  Settings settings = read_files({file}, process_environment(), TRY(working_directory()), errors);
  if (!errors.empty()) return std::unexpected(errors.front());
  return settings;
}

}  // namespace

Result<int> against_command(const Output& output, const AgainstCommand& command) {
  const JobName name = TRY(parse_job_name(command.job));
  std::vector<std::string> warnings;
  const Session session = TRY(open_session(warnings));
  const Settings other = TRY(read_other(command.against));
  FakeClock clock;  // both look at the same moment
  clock.time = session.clock.now();
  const auto plan_of = [&](const Settings& settings) -> Result<Plan> {
    const Job job = make_job(name.job, settings, session.state, caller(name.job, "plan"));
    // A task that one of the two has not is no mistake here.
    std::vector<std::string> only;
    for (const TaskSlot& slot : job.tasks)
      if (std::ranges::find(name.only, slot.info.name) != name.only.end()) only.push_back(slot.info.name);
    if (job.tasks.empty() || (!name.only.empty() && only.empty())) return Plan{.job = name.job, .made = clock.time};
    return plan_job(job, only, settings.environment, settings.brakes, clock, session.state, session.ledger.get());
  };
  const Plan before = TRY(plan_of(other)), after = TRY(plan_of(session.settings));
  const std::vector<Compared> all = compare(before, after);
  std::int64_t more = 0;
  bool failed = false;
  for (const Compared& one : all) {
    more += one.more();
    failed = failed || one.error() != nullptr;
  }
  if (output.json) {
    json tasks = json::array();
    for (const Compared& one : all) tasks.push_back(json_of(one));
    print_json({{"job", name.job}, {"more", more}, {"tasks", std::move(tasks)}});
  } else {
    print(command.markdown ? markdown_of(all, more) : text_of(output, all));
  }
  const bool above = command.limit && more > 0 && static_cast<std::uint64_t>(more) > *command.limit;
  if (above)
    fmt::print(stderr, "steward: {} items more than before, the limit is {}\n",
               format_count(static_cast<std::uint64_t>(more)), format_count(*command.limit));
  if (above) return row_of(Kind::refused).exit_code;
  return failed ? 1 : 0;
}

}  // namespace steward::app
