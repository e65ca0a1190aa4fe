// schedule: when jobs are due, and when any expression would be

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "app/cli/commands.h"
#include "app/cli/print_plan.h"
#include "app/cli/session.h"
#include "app/documents/documents.h"
#include "core/text.h"
#include "engine/outlook.h"
#include "engine/schedule.h"
#include "run/ledger/agenda.h"
#include "run/ledger/approvals.h"
#include "run/runner.h"

namespace steward::app {
namespace {
using nlohmann::json;

/// A job that is due, or an expression that was given (without a name).
struct Due {
  std::string job{};
  Firing firing{};
  const engine::Schedule* schedule = nullptr;
};

/// "first", as JSON says it; empty where no change of clocks has to do with it.
std::string_view name_of(Firing::Dst dst) {
  switch (dst) {
    case Firing::Dst::none: break;
    case Firing::Dst::after_gap: return "after-gap";
    case Firing::Dst::first: return "first";
    case Firing::Dst::second: return "second";
  }
  return "";
}

std::string_view mark_of(Firing::Dst dst) {
  switch (dst) {
    case Firing::Dst::none: break;
    case Firing::Dst::after_gap: return "clocks go forward over its time: right after";
    case Firing::Dst::first: return "clocks go back: the first of two";
    case Firing::Dst::second: return "clocks go back: the second of two";
  }
  return "";
}

Result<Instant> moment_of(std::string_view flag, const std::string& text) {
  const auto read = parse_instant(text);
  if (read && text.find_first_of("Tt ") != std::string::npos) return *read;
  return fail(Kind::bad_input, fmt::format("{} is \"{}\": expected a date and time", flag, printable(text)),
              "Write it like 2026-03-29T00:00:00Z.");
}

json to_json(const Due& due) {
  json one{{"at", format_instant(due.firing.at)}, {"local", format_local(due.firing.at, due.schedule->zone)}};
  if (!due.job.empty()) one["job"] = due.job;
  if (due.firing.dst != Firing::Dst::none) one["dst"] = name_of(due.firing.dst);
  return one;
}

json to_json(const engine::Schedule& schedule) {
  json one{{"time_zone", schedule.zone.name()}, {"words", engine::words_of(schedule)}, {"from", schedule.origin}};
  if (const auto* every = std::get_if<engine::Every>(&schedule.timing))
    one["every_seconds"] = every->interval.count();
  else
    one["cron"] = engine::text_of(schedule);
  return one;
}

/// The first `count` of all, in the order of time; of one moment, in the order of names.
std::vector<Due> first_of(const std::map<std::string, const engine::Schedule*>& schedules, Instant from,
                          std::size_t count) {
  std::vector<Due> all;
  for (const auto& [job, schedule] : schedules) {
    auto tick = engine::next_tick(*schedule, from);
    for (std::size_t i = 0; tick && i < count; ++i, tick = engine::next_tick(*schedule, tick->at))
      all.push_back({.job = job, .firing = *tick, .schedule = schedule});
  }
  std::ranges::sort(all, {}, [](const Due& due) { return std::pair(due.firing.at, due.job); });
  if (all.size() > count) all.resize(count);
  return all;
}

json instants_of(const std::vector<Due>& all) {
  json instants = json::array();
  for (const Due& due : all) instants.push_back(format_instant(due.firing.at));
  return instants;
}

std::string table_of(const std::vector<Due>& all, bool with_job) {
  std::vector<std::vector<std::string>> rows;
  for (const Due& due : all) {
    rows.push_back({format_instant(due.firing.at), wall_clock(due.firing.at, due.schedule->zone)});
    if (with_job) rows.back().push_back(due.job);
    rows.back().emplace_back(mark_of(due.firing.dst));
  }
  return table(rows);
}

/// "every day at 03:00, Europe/Berlin"; with the expression, where the words are others.
std::string heading_of(const engine::Schedule& schedule) {
  const std::string text = engine::text_of(schedule), words = engine::words_of(schedule);
  return fmt::format("{}{}, {}", text == words ? "" : text + "  ", words, schedule.zone.name());
}

int show_one(const Output& output, const std::string& job, const engine::Schedule& schedule, const std::string& why_not,
             Instant from, std::size_t count) {
  const std::vector<Due> all = first_of({{job, &schedule}}, from, count);
  if (output.json) {
    json ticks = json::array();
    for (const Due& due : all) ticks.push_back(to_json(due));
    json document{{"firings", instants_of(all)}, {"ticks", std::move(ticks)}, {"schedule", to_json(schedule)}};
    if (!job.empty()) document["job"] = job;
    if (!why_not.empty()) document["not_started"] = why_not;
    print_json(document);
    return 0;
  }
  print(fmt::format("{}{}\n", job.empty() ? "" : job + ": ", heading_of(schedule)));
  if (!why_not.empty()) print(tinted(output, Tint::warn, fmt::format("not started here: {}", why_not)) + '\n');
  print(table_of(all, false));
  return 0;
}

/// Why a job's ticks start nothing here, as far as the configuration says; empty where they do.
std::string why_not(const Settings& settings, const std::string& job, Instant now) {
  const engine::Outlook found = engine::outlook(scheduled_job(settings, job), {.now = now});
  return found.standing == engine::Standing::scheduled || found.standing == engine::Standing::blackout ? ""
                                                                                                       : found.reason;
}

int show_all(const Output& output, const Settings& settings, Instant from, std::size_t count) {
  std::map<std::string, const engine::Schedule*> scheduled;
  std::vector<std::vector<std::string>> others;
  json jobs = json::array();
  for (const auto& [job, schedule] : settings.schedules) {
    const std::string reason = why_not(settings, job, from);
    json one = to_json(schedule);
    one["job"] = job;
    if (reason.empty()) {
      scheduled[job] = &schedule;
    } else {
      one["not_started"] = reason;
      others.push_back({"  " + job, engine::text_of(schedule), schedule.zone.name(), reason});
    }
    jobs.push_back(std::move(one));
  }
  const std::vector<Due> all = first_of(scheduled, from, count);
  if (output.json) {
    json ticks = json::array();
    for (const Due& due : all) ticks.push_back(to_json(due));
    print_json({{"firings", instants_of(all)}, {"ticks", std::move(ticks)}, {"jobs", std::move(jobs)}});
    return 0;
  }
  print(all.empty() ? "No job is due.\n" : table_of(all, true));
  if (!others.empty()) print("Not started here:\n" + table(others));
  return 0;
}

/// What runs, as far as anybody can see.
Result<std::vector<engine::UnderWay>> under_way(const Session& session, Instant now) {
  std::vector<engine::UnderWay> all;
  const std::vector<ledger::Run> open = TRY(session.ledger->agenda().open_runs());
  for (const ledger::Run& run : open) {
    if (as_it_stands(run, now).status != ledger::Status::running) continue;
    const auto schedule = session.settings.schedules.find(run.job);
    all.push_back({.job = run.job,
                   .run = run.id,
                   .concurrency = schedule == session.settings.schedules.end() ? "" : schedule->second.concurrency});
  }
  return all;
}

/// Another scheduler asks, before it starts anything.
Result<int> show_tick(const Output& output, const std::string& job, const std::string& text) {
  const Instant tick = TRY(moment_of("--tick", text));
  const Session session = TRY(open_session_saying(output));
  const Instant now = session.clock.now();
  engine::OutlookFacts facts{.now = now};
  facts.pauses = TRY(session.ledger->agenda().pauses(now));
  facts.freezes = TRY(session.ledger->freezes(now));
  facts.under_way = TRY(under_way(session, now));
  const std::vector<ledger::Approval> waiting = TRY(session.ledger->approvals().approvals({.job = job}));
  for (const ledger::Approval& approval : waiting)
    if (approval.expires > now) facts.waiting.emplace(approval.job, approval.run);
  const auto obstacle = engine::obstacle_elsewhere(scheduled_job(session.settings, job), facts, tick);
  if (output.json)
    print_json({{"job", job},
                {"tick", format_instant(tick)},
                {"starts", !obstacle},
                {"outcome", obstacle ? json(engine::name_of(obstacle->outcome)) : json(nullptr)},
                {"reason", obstacle ? json(printable(obstacle->reason)) : json(nullptr)},
                {"until", obstacle ? or_null(obstacle->until) : json(nullptr)}});
  else
    print(obstacle ? fmt::format("{} is not to start: {}\n", job, printable(obstacle->reason))
                   : fmt::format("{} is to start.\n", job));
  return 0;
}

Result<int> show_past(const Output& output, const ScheduleCommand& command) {
  const Session session = TRY(open_session_saying(output));
  json all = json::array();
  std::vector<std::vector<std::string>> rows{{"TICK", "JOB", "OUTCOME", "RUN", "REASON"}};
  for (const ledger::Tick& tick :
       TRY(session.ledger->agenda().ticks({.job = command.job, .limit = static_cast<std::size_t>(command.count)}))) {
    all.push_back(document_of(tick));
    const std::string since = tick.since ? fmt::format(" (and those since {})", format_instant(*tick.since)) : "";
    rows.push_back({format_instant(tick.due), tick.job, tick.outcome, tick.run.empty() ? "-" : tick.run,
                    printable(tick.reason) + since});
  }
  if (output.json)
    print_json({{"ticks", all}});
  else
    print(rows.size() == 1 ? "No tick has been decided yet: steward serve\n" : table(rows));
  return 0;
}

}  // namespace

Result<int> schedule_command(const Output& output, const ScheduleCommand& command) {
  if (command.past) return show_past(output, command);
  const Instant from = command.from.empty() ? SystemClock{}.now() : TRY(moment_of("--from", command.from));
  if (command.cron) {
    engine::Schedule schedule{.origin = "--cron"};
    schedule.timing = TRY(Cron::parse(*command.cron));
    schedule.zone = TRY(Zone::load(command.time_zone));
    schedule.dst = {.gap = command.dst_gap == "skip" ? DstGap::skip : DstGap::after,
                    .overlap = command.dst_overlap == "second" ? DstOverlap::second
                               : command.dst_overlap == "both" ? DstOverlap::both
                                                               : DstOverlap::first};
    return show_one(output, "", schedule, "", from, command.count);
  }
  const Settings settings = TRY(settings_of_process());
  if (command.job.empty()) return show_all(output, settings, from, command.count);
  const auto found = settings.schedules.find(command.job);
  if (found == settings.schedules.end()) {
    std::vector<std::string> names;
    for (const auto& [name, schedule] : settings.schedules) names.push_back(name);
    std::string hint = did_you_mean(command.job, names);
    return fail(Kind::bad_input, fmt::format("there is no job \"{}\"", printable(command.job)),
                hint.empty() ? fmt::format("The jobs are {}.", join_and(names)) : std::move(hint));
  }
  if (!command.tick.empty()) return show_tick(output, found->first, command.tick);
  return show_one(output, found->first, found->second, why_not(settings, found->first, from), from, command.count);
}

}  // namespace steward::app
