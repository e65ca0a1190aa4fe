#include "engine/notify/words.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/text.h"
#include "run/asking.h"
#include "run/runner.h"

namespace steward::notify {
namespace {
using namespace std::chrono;
using nlohmann::ordered_json;

/// What one message lists, of tasks, ticks or starts; more are counted.
constexpr std::size_t most_lines = 15;

std::string text_of(Instant instant) { return format_instant(floor<seconds>(instant)); }

std::string dumped(const ordered_json& document) {
  return document.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

/// "production: cleanup", "cleanup", "production".
std::string head(const Place& place, const std::string& job) {
  const std::string environment = printable(place.environment), name = printable(job);
  if (environment.empty()) return name.empty() ? "steward" : name;
  return name.empty() ? environment : environment + ": " + name;
}

std::string link_to(const Place& place, std::string_view what, const std::string& run) {
  if (place.public_url.empty()) return {};
  std::string base = place.public_url;
  while (base.ends_with('/')) base.pop_back();
  return run.empty() ? base + '/' : fmt::format("{}/{}/{}", base, what, run);
}

Message begin(const Place& place, std::string_view topic, const std::string& job, const std::string& run, Instant at) {
  return {.topic = std::string(topic),
          .environment = printable(place.environment),
          .job = printable(job),
          .run = printable(run),
          .at = floor<seconds>(at)};
}

std::string starter_of(const ledger::Run& run) {
  if (run.trigger == "serve") return "the schedule";
  return fmt::format("{} ({})", printable(run.actor), printable(run.trigger));
}

std::vector<TaskResult> results_of(const RunFacts& facts) {
  std::vector<TaskResult> out;
  for (const ledger::TaskRecord& record : facts.tasks) {
    TaskResult result = task_result_from(nlohmann::json::parse(record.detail, nullptr, false));
    result.task = record.task;
    result.status = record.status;
    result.done.items = record.done_items;
    out.push_back(std::move(result));
  }
  return out;
}

std::optional<Error> error_of(const ledger::Run& run) {
  const auto document = nlohmann::json::parse(run.error, nullptr, false);
  if (!document.is_object()) return {};
  return error_from_json(document);
}

std::string items(std::uint64_t n) { return fmt::format("{} {}", format_count(n), n == 1 ? "item" : "items"); }

std::string items(const Amount& amount) {
  return amount.bytes ? fmt::format("{}, {}", items(amount.items), format_bytes(*amount.bytes)) : items(amount.items);
}

/// When, for how long, by whom.
std::string course_of(const ledger::Run& run) {
  std::string out = fmt::format("Began {}, started by {}", text_of(run.started), starter_of(run));
  if (run.ended) out = fmt::format("{}; ended after {}", out, format_span(*run.ended - run.started));
  if (run.attempt > 1) out += fmt::format("; attempt {}", run.attempt);
  return out + '.';
}

std::optional<std::string> approver_of(const RunFacts& facts) {
  if (!facts.approval || facts.approval->decided_by.empty()) return {};
  const ledger::Approval& approval = *facts.approval;
  if (approval.state != ledger::Answer::approved && approval.state != ledger::Answer::used) return {};
  return fmt::format("Approved by {}{}.", printable(approval.decided_by),
                     approval.decision.empty() ? "" : ": " + printable(approval.decision));
}

std::string error_text(const Error& error) {
  std::string out = printable(error.message);
  if (!error.hint.empty()) out += "\n  " + printable(error.hint);
  return out;
}

/// Why a run did not do all of its work, a paragraph a task.
std::string reasons_of_end(const RunFacts& facts, const std::vector<TaskResult>& results) {
  std::string out;
  const auto add = [&](const std::string& text) { out += (out.empty() ? "" : "\n") + text; };
  if (const auto error = error_of(facts.run)) add(error_text(*error));
  for (const TaskResult& result : results)
    if (result.error && (result.status == "failed" || result.status == "refused"))
      add(fmt::format("{}: {}", printable(result.task), error_text(*result.error)));
  return out;
}

ordered_json as_json(const Error& error) {
  return {{"kind", row_of(error.kind).name},
          {"message", printable(error.message)},
          {"hint", printable(error.hint)},
          {"code", error.code.empty() ? ordered_json(nullptr) : ordered_json(error.code)}};
}

ordered_json data_of(const RunFacts& facts, const std::vector<TaskResult>& results) {
  ordered_json tasks = ordered_json::array();
  for (const TaskResult& result : results)
    tasks.push_back({{"task", printable(result.task)},
                     {"status", result.status},
                     {"done", {{"items", result.done.items}}},
                     {"error", result.error ? as_json(*result.error) : ordered_json(nullptr)}});
  const ledger::Run& run = facts.run;
  const auto error = error_of(run);
  ordered_json out{{"status", ledger::name_of(run.status)},
                   {"attempt", run.attempt},
                   {"trigger", printable(run.trigger)},
                   {"actor", printable(run.actor)},
                   {"started", text_of(run.started)},
                   {"ended", run.ended ? ordered_json(text_of(*run.ended)) : ordered_json(nullptr)},
                   {"tasks", std::move(tasks)},
                   {"error", error ? as_json(*error) : ordered_json(nullptr)}};
  if (approver_of(facts)) out["approved_by"] = printable(facts.approval->decided_by);
  return out;
}

/// What was done all the same, a line a task.
void add_done(Message& message, const std::vector<TaskResult>& results) {
  std::size_t left = 0;
  for (const TaskResult& result : results) {
    if (result.status != "succeeded" && result.done.items == 0) continue;
    if (result.status == "not_configured" || result.status == "off") continue;
    if (message.lines.size() < most_lines)
      message.lines.push_back(fmt::format("{}: {} done{}", printable(result.task), items(result.done),
                                          result.status == "succeeded" ? "." : " before it ended."));
    else
      ++left;
  }
  if (left > 0) message.lines.push_back(fmt::format("And {} more tasks.", left));
}

void add_run(const Place& place, const RunFacts& facts, Message& message) {
  message.facts.emplace_back("Run", printable(facts.run.id));
  if (!facts.run.process.host.empty()) message.facts.emplace_back("Host", printable(facts.run.process.host));
  message.link = link_to(place, "runs", facts.run.id);
}

}  // namespace

namespace {

/// As the supervisor writes it: "max_runtime 4 h".
bool was_stopped_for_its_time(const ledger::Run& run) {
  return run.status == ledger::Status::cancelled && run.cancelled_by.starts_with("max_runtime ");
}

}  // namespace

std::string_view verdict_of(const RunFacts& facts) {
  switch (facts.run.status) {
    case ledger::Status::succeeded: return "succeeded";
    case ledger::Status::failed:
    case ledger::Status::interrupted: return "failed";
    case ledger::Status::refused: return "refused";
    case ledger::Status::partial:
      return std::ranges::any_of(facts.tasks, [](const auto& task) { return task.status == "failed"; }) ? "failed"
                                                                                                        : "refused";
    // A person who cancels a run knows of it; of one that took too long nobody does.
    case ledger::Status::cancelled: return was_stopped_for_its_time(facts.run) ? "failed" : "cancelled";
    default: return ledger::name_of(facts.run.status);
  }
}

Message words_of_end(const Place& place, Topic topic, const RunFacts& facts, const Streak& streak) {
  const ledger::Run& run = facts.run;
  const std::vector<TaskResult> results = results_of(facts);
  Message message = begin(place, name_of(topic), run.job, run.id, run.ended.value_or(run.started));
  const bool part = run.status == ledger::Status::partial;
  std::string what = topic == Topic::refused ? "was refused" : "failed";
  if (run.status == ledger::Status::interrupted) what = "died without a word";
  if (was_stopped_for_its_time(run)) what = "was stopped: it took too long";
  message.title = fmt::format(
      "{} {}{}{}", head(place, run.job), what, part ? " in part" : "",
      streak.count > 1 ? fmt::format(", {} times in a row since {}", streak.count, text_of(streak.since)) : "");
  message.lines.push_back(course_of(run));
  if (const auto approver = approver_of(facts)) message.lines.push_back(*approver);
  if (!run.scope.empty()) message.lines.push_back(fmt::format("Of the job only {}.", printable(run.scope)));
  if (run.status == ledger::Status::interrupted)
    message.lines.emplace_back("Its process is gone. What it had begun is finished or undone by the next run.");
  if (was_stopped_for_its_time(run))
    message.lines.push_back(fmt::format("Stopped by {}.", printable(run.cancelled_by)));
  add_done(message, results);
  message.verbatim = reasons_of_end(facts, results);
  message.command = fmt::format("steward runs show {}", printable(run.id));
  add_run(place, facts, message);
  ordered_json data = data_of(facts, results);
  data["in_a_row"] = streak.count;
  data["since"] = text_of(streak.since);
  message.data = dumped(data);
  return message;
}

Message words_of_recovery(const Place& place, const RunFacts& facts, const Streak& streak) {
  const std::vector<TaskResult> results = results_of(facts);
  const ledger::Run& run = facts.run;
  const Instant at = run.ended.value_or(run.started);
  Message message = begin(place, name_of(Topic::recovered), run.job, run.id, at);
  message.title = fmt::format("{} works again", head(place, run.job));
  message.lines.push_back(course_of(run));
  message.lines.push_back(fmt::format("Before that {} did not succeed, since {}: for {}.",
                                      streak.count == 1 ? "one run" : fmt::format("{} runs", streak.count),
                                      text_of(streak.since), format_span(at - streak.since)));
  if (const auto approver = approver_of(facts)) message.lines.push_back(*approver);
  add_done(message, results);
  add_run(place, facts, message);
  ordered_json data = data_of(facts, results);
  data["in_a_row"] = streak.count;
  data["since"] = text_of(streak.since);
  message.data = dumped(data);
  return message;
}

Message words_of_success(const Place& place, const RunFacts& facts) {
  const std::vector<TaskResult> results = results_of(facts);
  const ledger::Run& run = facts.run;
  Message message = begin(place, name_of(Topic::done), run.job, run.id, run.ended.value_or(run.started));
  message.title = fmt::format("{} is done", head(place, run.job));
  message.lines.push_back(course_of(run));
  if (const auto approver = approver_of(facts)) message.lines.push_back(*approver);
  add_done(message, results);
  add_run(place, facts, message);
  message.data = dumped(data_of(facts, results));
  return message;
}

namespace {

/// What would be done, and why somebody is asked, a line a task.
void add_question(const RunFacts& facts, Message& message, ordered_json& data) {
  const ledger::Approval& approval = *facts.approval;
  const auto plan = asked_plan(approval, facts.run);
  const std::vector<Question> questions = questions_from_json(nlohmann::json::parse(approval.reasons, nullptr, false));
  ordered_json tasks = ordered_json::array();
  for (const std::string& task : approval.tasks) {
    std::string line = printable(task);
    ordered_json entry{{"task", line}};
    for (const Step& step : plan ? plan->steps : std::vector<Step>{}) {
      if (step.task != task) continue;
      line += fmt::format(": {}{}", items(step.planned), step.final ? ", gone for good" : "");
      entry["planned"] = {{"items", step.planned.items}};
      entry["final"] = step.final;
    }
    std::vector<std::string> reasons;
    for (const Question& question : questions)
      if (question.task == task) reasons = reasons_of(question);
    entry["reasons"] = reasons;
    if (!reasons.empty()) line += fmt::format(" ({})", fmt::join(reasons, "; "));
    tasks.push_back(std::move(entry));
    if (tasks.size() <= most_lines) message.lines.push_back(line + '.');
  }
  if (tasks.size() > most_lines) message.lines.push_back(fmt::format("And {} more tasks.", tasks.size() - most_lines));
  data["tasks"] = std::move(tasks);
}

}  // namespace

Message words_of_question(const Place& place, Topic topic, const RunFacts& facts, Instant at) {
  const ledger::Approval& approval = *facts.approval;
  const std::string run = printable(approval.run), digest = approval.digest.substr(0, 12);
  const std::string who = printable(approval.decided_by);
  Message message = begin(place, name_of(topic), approval.job, approval.run, at);
  ordered_json data{{"digest", approval.digest},
                    {"asked", text_of(approval.asked)},
                    {"asked_by", printable(approval.asked_by)},
                    {"expires", text_of(approval.expires)},
                    {"four_eyes", approval.four_eyes}};
  const std::string start = head(place, approval.job);
  const bool open = topic == Topic::waiting || topic == Topic::reminder;
  if (topic == Topic::waiting) {
    message.title = fmt::format("{} waits for an approval", start);
  } else if (topic == Topic::reminder) {
    message.title = fmt::format("{} still waits for an approval, since {}", start, text_of(approval.asked));
  } else if (topic == Topic::expired) {
    message.title = fmt::format("{}: nobody has approved in time", start);
    message.lines.push_back(
        fmt::format("Asked {}, expired {}. {}", text_of(approval.asked), text_of(approval.expires),
                    approval.again ? "The next run asks again." : "A fresh run asks once more, with a fresh plan."));
  } else {
    message.title = fmt::format("{}: {} has approved alone, against the rule of four eyes", start, who);
    message.lines.push_back(fmt::format("Reason given: {}.", printable(approval.decision)));
    data["approved_by"] = who;
    data["reason"] = printable(approval.decision);
  }
  add_question(facts, message, data);
  if (open) {
    if (approval.four_eyes)
      message.lines.push_back(fmt::format("Somebody else than {} has to answer.", printable(approval.asked_by)));
    message.facts.emplace_back("Open until", text_of(approval.expires));
    // Looking comes first, and never answers.
    message.command = fmt::format(
        "steward approvals show {0}\nsteward approvals approve {0} --digest {1}\nsteward approvals reject {0} --reason "
        "\"…\"",
        run, digest);
  } else {
    message.command = fmt::format("steward approvals show {}", run);
  }
  message.facts.emplace_back("Run", run);
  message.facts.emplace_back("Plan", digest);
  message.facts.emplace_back("Asked by", printable(approval.asked_by));
  message.link = link_to(place, "approvals", approval.run);
  message.data = dumped(data);
  return message;
}

Message words_of_missed(const Place& place, std::span<const MissedTick> ticks, Instant at) {
  const std::string job = ticks.size() == 1 ? ticks[0].job : "";
  Message message = begin(place, name_of(Topic::missed), job, "", at);
  message.title = ticks.size() == 1 ? fmt::format("{} missed its start of {}", head(place, job), text_of(ticks[0].due))
                                    : fmt::format("{}: {} starts were missed", head(place, job), ticks.size());
  ordered_json missed = ordered_json::array();
  for (const MissedTick& tick : ticks) {
    missed.push_back({{"job", printable(tick.job)},
                      {"due", text_of(tick.due)},
                      {"since", tick.since ? ordered_json(text_of(*tick.since)) : ordered_json(nullptr)},
                      {"reason", printable(tick.reason)}});
    if (missed.size() > most_lines) continue;
    std::string line = fmt::format("{}, due {}", printable(tick.job), text_of(tick.due));
    if (tick.since) line += fmt::format(" (and older ones, from {} on)", text_of(*tick.since));
    if (!tick.reason.empty()) line += ": " + printable(tick.reason);
    message.lines.push_back(line + '.');
  }
  if (ticks.size() > most_lines) message.lines.push_back(fmt::format("And {} more.", ticks.size() - most_lines));
  message.command = "steward schedule";
  message.link = link_to(place, "", "");
  message.data = dumped({{"missed", std::move(missed)}});
  return message;
}

Message words_of_late(const Place& place, std::span<const LateStart> starts, Instant at) {
  const bool one = starts.size() == 1;
  const std::string job = one ? starts[0].job : "";
  Message message = begin(place, name_of(Topic::late), job, one ? starts[0].run : "", at);
  if (one && starts[0].started)
    message.title = fmt::format("{} began {} late", head(place, job), format_span(*starts[0].started - starts[0].due));
  else if (one)
    message.title =
        fmt::format("{} has not begun, {} after it was due", head(place, job), format_span(at - starts[0].due));
  else
    message.title = fmt::format("{}: {} starts are late", head(place, job), starts.size());
  ordered_json late = ordered_json::array();
  for (const LateStart& start : starts) {
    late.push_back({{"job", printable(start.job)},
                    {"run", printable(start.run)},
                    {"due", text_of(start.due)},
                    {"started", start.started ? ordered_json(text_of(*start.started)) : ordered_json(nullptr)}});
    if (late.size() > most_lines) continue;
    message.lines.push_back(
        fmt::format("{}, due {}: {}", printable(start.job), text_of(start.due),
                    start.started ? fmt::format("began {}.", text_of(*start.started)) : "it has not begun."));
  }
  if (starts.size() > most_lines) message.lines.push_back(fmt::format("And {} more.", starts.size() - most_lines));
  message.command = "steward status";
  message.link = link_to(place, "runs", one ? starts[0].run : "");
  message.data = dumped({{"late", std::move(late)}});
  return message;
}

Message words_of_overrun(const Place& place, const RunFacts& facts, const RuntimeLimit& limit, Instant at) {
  const ledger::Run& run = facts.run;
  Message message = begin(place, name_of(Topic::running_too_long), run.job, run.id, at);
  message.title = fmt::format("{} has been running for {}", head(place, run.job), format_span(at - run.started));
  message.lines.push_back(course_of(run));
  if (limit.usual)
    message.lines.push_back(fmt::format(
        "That is more than three times what it usually takes, and more than {} (expected_runtime sets another limit).",
        printable(limit.text)));
  else if (!limit.text.empty())
    message.lines.push_back(fmt::format("It was to take {} at the most.", printable(limit.text)));
  message.command = fmt::format("steward runs show {0}\nsteward runs cancel {0}", printable(run.id));
  add_run(place, facts, message);
  message.data = dumped({{"started", text_of(run.started)}, {"limit", printable(limit.text)}});
  return message;
}

Message words_of_end_after_overrun(const Place& place, const RunFacts& facts) {
  const std::vector<TaskResult> results = results_of(facts);
  const ledger::Run& run = facts.run;
  const Instant at = run.ended.value_or(run.started);
  Message message = begin(place, name_of(Topic::running_too_long), run.job, run.id, at);
  message.title = fmt::format("{} is done after all, in {}", head(place, run.job), format_span(at - run.started));
  message.lines.push_back(course_of(run));
  if (const auto approver = approver_of(facts)) message.lines.push_back(*approver);
  add_done(message, results);
  add_run(place, facts, message);
  message.data = dumped(data_of(facts, results));
  return message;
}

Message words_of_notice(const Place& place, Topic topic, const std::string& job, std::string_view text, Instant at) {
  Message message = begin(place, name_of(topic), job, "", at);
  message.title = fmt::format("{}: {}", head(place, job), printable(text));
  message.command = "steward status";
  message.link = link_to(place, "", "");
  message.data = dumped({{"text", printable(text)}});
  return message;
}

Message words_of_test(const Place& place, std::string_view channel, std::string_view who, Instant at) {
  Message message = begin(place, "test", "", "", at);
  message.title = fmt::format("{}: the channel {} works", head(place, ""), printable(channel));
  message.lines.push_back(fmt::format("{} has sent this test. Nothing is wrong, and nothing is to be done.",
                                      who.empty() ? "Somebody" : printable(who)));
  message.link = link_to(place, "", "");
  message.data = dumped({{"channel", printable(channel)}, {"by", printable(who)}});
  return message;
}

Message words_of_ping(const Place& place, std::string_view act, const RunFacts& facts, Instant at) {
  const ledger::Run& run = facts.run;
  Message message = begin(place, fmt::format("ping-{}", act), run.job, run.id, at);
  message.title = fmt::format("{} {}", head(place, run.job), act == "start" ? "begins" : ledger::name_of(run.status));
  if (act != "start") message.lines.push_back(course_of(run));
  if (act == "fail") {
    message.verbatim = reasons_of_end(facts, results_of(facts));
    if (!facts.log.empty()) message.verbatim += (message.verbatim.empty() ? "" : "\n\n") + facts.log;
  }
  message.facts.emplace_back("Run", printable(run.id));
  return message;
}

}  // namespace steward::notify
