// shards: a task's plan in parts, for machines that carry them out side by side; and what became of one.

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "app/cli/commands.h"
#include "app/cli/print_plan.h"
#include "app/cli/run_start.h"
#include "app/cli/session.h"
#include "app/config/catalogue.h"
#include "core/text.h"
#include "run/shard_work.h"

namespace steward::app {
namespace {

std::string bytes_text(const Amount& amount) { return amount.bytes ? format_bytes(*amount.bytes) : "-"; }

std::string text_of(const HandedOut& handed_out, const std::string& name) {
  const Step& step = handed_out.set.step();
  std::string out = fmt::format("{}: {}, before {}\n\n", name, amount_text(step.planned),
                                format_instant(std::chrono::floor<std::chrono::seconds>(step.cutoff)));
  std::vector<std::vector<std::string>> rows{{"SHARD", "ITEMS", "BYTES", "KEYS"}};
  for (const Shard& shard : handed_out.set.split.shards)
    rows.push_back({std::to_string(shard.number), format_count(shard.estimate.items), bytes_text(shard.estimate),
                    text_of(shard.range)});
  out += table(rows, {0, 1, 2});
  if (const std::string& why = handed_out.set.split.one_because; !why.empty())
    out += fmt::format("One shard: {}.\n", printable(why));
  return out + fmt::format("\nEach on any machine with this ledger: steward run {} --plan {} --shard NUMBER\n", name,
                           handed_out.digest.substr(0, 12));
}

std::string text_of(const Output& output, const ShardSum& sum) {
  std::vector<std::vector<std::string>> rows{{"SHARD", "STATUS", "PLANNED", "DONE", "BYTES", "RUNS"}};
  for (const ShardOutcome& one : sum.shards)
    rows.push_back({std::to_string(one.shard.number), one.status, format_count(one.planned.items),
                    format_count(one.done.items), bytes_text(one.done), fmt::format("{}", fmt::join(one.runs, ", "))});
  std::string out = table(rows, {0, 2, 3, 4});
  out += fmt::format("\n{} of {} planned items are gone", format_count(sum.done.items),
                     format_count(sum.set.step().planned.items));
  if (sum.left_on_the_way > 0) out += fmt::format(", {} were left on the way", format_count(sum.left_on_the_way));
  if (!sum.complete) return out + ": " + tinted(output, Tint::warn, "not all shards have succeeded") + "\n";
  return out + ": " +
         (sum.equals_plan ? tinted(output, Tint::good, "as planned") : tinted(output, Tint::bad, "not as planned")) +
         "\n";
}

}  // namespace

Result<int> shards_command(const Output& output, const ShardsCommand& command) {
  const JobName name = TRY(parse_job_name(command.job));
  if (name.only.size() != 1)
    return fail(Kind::bad_input, fmt::format("\"{}\" is not one task", printable(command.job)),
                "Write it like cleanup/purge-signals.");
  const std::string& task = name.only.front();
  const Session session = TRY(open_session_with_notes(output));
  if (!command.plan.empty()) {
    const ShardSum sum = TRY(sum_of(*session.ledger, name.job, task, command.plan));
    if (output.json)
      print_json(to_json(sum));
    else
      print(text_of(output, sum));
    return sum.complete ? 0 : 1;
  }
  Job job = make_job(name.job, session.settings, session.state, caller(name.job, "shards"));
  const std::string by = trigger_of_process();
  const HandOutSettings settings{.count = command.count,
                                 .allow_removal = command.allow_removal,
                                 .barred = TRY(barred(session)),
                                 .brakes = session.settings.brakes,
                                 .approval = session.settings.schedules.at(name.job).approval,
                                 .unattended = by == "dagster",
                                 .actor = user_name(),
                                 .environment = session.settings.environment};
  const HandedOut out = TRY(hand_out(job, task, settings, session.clock, session.state, *session.ledger));
  if (output.json)
    print_json(to_json(out));
  else
    print(text_of(out, command.job));
  return 0;
}

}  // namespace steward::app
