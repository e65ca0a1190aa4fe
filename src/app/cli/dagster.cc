#include "app/cli/dagster.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <nlohmann/json.hpp>
#include <thread>

#include "app/cli/print_plan.h"
#include "app/config/settings.h"
#include "app/documents/documents.h"
#include "app/pipes/stored_objects.h"
#include "core/text.h"
#include "io/object/profile.h"

namespace steward::app {
namespace {
using nlohmann::json;

constexpr std::chrono::seconds progress_every{10};

std::uint64_t items_in(const std::vector<Skip>& skips) {
  std::uint64_t items = 0;
  for (const Skip& skip : skips) items += skip.items;
  return items;
}

double seconds_of(Instant instant) { return std::chrono::duration<double>(instant.time_since_epoch()).count(); }

/// A cell of a table in Markdown.
std::string cell(std::string_view text) {
  std::string out;
  for (const char c : printable(text)) {
    if (c == '|' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string row(std::string_view label, std::string_view text) {
  return text.empty() ? std::string{} : fmt::format("| {} | {} |\n", label, cell(text));
}

std::string plan_table(const Step& step, const Amount& done, const std::vector<Skip>& skipped) {
  std::string out = "| plan and run | |\n|---|---|\n";
  out += row("target", step.target);
  out += row("what", step.age.empty()
                         ? step.reason
                         : fmt::format("{}: before {}", step.reason,
                                       format_instant(std::chrono::floor<std::chrono::seconds>(step.cutoff))));
  out += row("how", step.strategy);
  out += row("which", step.filter);
  out += row("planned", amount_text(step.planned) + (step.final ? ", final" : ""));
  out += row("done", amount_text(done));
  for (const Skip& skip : skipped) out += row("stays", fmt::format("{} {}", format_count(skip.items), skip.reason));
  return out;
}

/// "Refused", as exceptions are called.
std::string class_of(Kind kind) {
  std::string out;
  bool upper = true;
  for (const char c : row_of(kind).name) {
    if (c == '-') {
      upper = true;
      continue;
    }
    out += upper ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c;
    upper = false;
  }
  return out;
}

/// There are no frames that would help anybody; what stands in their place is where it happened and what to do.
pipes::Exception exception_of(const Error& error, std::string_view where) {
  pipes::Exception out{.name = class_of(error.kind), .message = printable(error.message)};
  if (!where.empty()) out.stack.push_back(fmt::format("  in {}\n", where));
  if (!error.code.empty()) out.stack.push_back(fmt::format("  code {}: {}\n", error.code, page_of(error)));
  if (!error.hint.empty()) out.stack.push_back(fmt::format("  hint: {}\n", printable(error.hint)));
  return out;
}

}  // namespace

std::vector<std::string> checks_of(std::string_view kind) {
  std::vector<std::string> out{"plan_equals_run"};
  if (kind == "archive") out.emplace_back("archive_verified");
  if (kind == "backup") out.emplace_back("backup_proved_and_fresh");
  return out;
}

/// Looks whether the process that has started this one is there, and stops this one when it is not.
struct DagsterRun::Watch {
  static std::unique_ptr<Watch> start() {
    const pid_t parent = ::getppid();
    // 1 and 0 are nobody in particular: whoever has started this is gone already, or is in another PID namespace.
    if (parent <= 1) return nullptr;
    auto watch = std::make_unique<Watch>();
    watch->parent = static_cast<int>(::syscall(SYS_pidfd_open, parent, 0));
    watch->ending = ::eventfd(0, EFD_CLOEXEC);
    if (watch->parent < 0 || watch->ending < 0) return nullptr;
    watch->thread = std::thread([&looks = *watch] { looks.look(); });
    return watch;
  }
  Watch() = default;
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;
  ~Watch() {
    const std::uint64_t one = 1;
    if (thread.joinable()) {
      (void)!::write(ending, &one, sizeof one);
      thread.join();
    }
    for (const int fd : {parent, ending})
      if (fd >= 0) ::close(fd);
  }
  void look() const {
    std::array<pollfd, 2> waited{pollfd{.fd = parent, .events = POLLIN, .revents = 0},
                                 pollfd{.fd = ending, .events = POLLIN, .revents = 0}};
    while (::poll(waited.data(), waited.size(), -1) < 0 && errno == EINTR) {
    }
    if (waited[1].revents == 0) ::kill(::getpid(), SIGINT);
  }
  int parent = -1, ending = -1;
  std::thread thread{};
};

DagsterRun::DagsterRun(std::unique_ptr<pipes::Objects> objects) : objects_(std::move(objects)) {}
DagsterRun::~DagsterRun() = default;

Result<std::unique_ptr<DagsterRun>> DagsterRun::open(const pipes::Bootstrap& bootstrap) {
  std::unique_ptr<pipes::Objects> objects;
  if (bootstrap.context) objects = pipes::stored_objects(TRY(object::s3_settings_from(process_environment())));
  std::unique_ptr<DagsterRun> run(new DagsterRun(std::move(objects)));
  auto session = pipes::Session::open({.bootstrap = bootstrap, .objects = run->objects_.get()});
  if (!session) return fail_while("speaking to Dagster", std::move(session).error());
  run->session_ = *std::move(session);
  if (!run->is_active()) return run;
  run->watch_ = Watch::start();
  const json extras = json::parse(run->session_->context()->extras, nullptr, false);
  if (const auto given = extras.is_object() ? extras.find("asset_prefix") : extras.end();
      extras.is_object() && given != extras.end() && given->is_array()) {
    run->prefix_.clear();
    for (const json& part : *given)
      if (part.is_string()) run->prefix_.push_back(part.get<std::string>());
  }
  return run;
}

std::string DagsterRun::actor() const { return std::string(dagster_actor) + session_->context()->run_id; }

void DagsterRun::about(About what) {
  if (!is_active()) return;
  job_ = std::move(what.job);
  run_ = std::move(what.run);
  kinds_ = std::move(what.kinds);
  page_ = std::move(what.page);
  is_shard_ = what.is_shard;
  (void)session_->report_custom_message({{"steward", {{"event", "began"}, {"job", job_}, {"run", run_}}}});
  (void)session_->log(pipes::LogLevel::info,
                      fmt::format("steward run {}{}", run_, page_.empty() ? "" : fmt::format(": {}", page_)));
}

std::string DagsterRun::asset_of(std::string_view task) const {
  if (is_shard_) return {};
  std::vector<std::string> parts = prefix_;
  parts.push_back(job_);
  parts.emplace_back(task);
  std::string key = pipes::asset_key(parts);
  const std::vector<std::string>& known = session_->context()->asset_keys;
  return known.empty() || std::ranges::find(known, key) != known.end() ? key : std::string{};
}

void DagsterRun::report(pipes::Check check, std::string_view task) {
  check.asset_key = asset_of(task);
  if (!check.asset_key.empty()) (void)session_->report_check(check);
}

pipes::Metadata DagsterRun::described(const Step& step, const Amount& done, const std::vector<Skip>& skipped) const {
  pipes::Metadata out;
  out.integer("items", static_cast<std::int64_t>(done.items));
  if (done.bytes) out.integer("bytes", static_cast<std::int64_t>(done.bytes->count));
  out.integer("planned_items", static_cast<std::int64_t>(step.planned.items));
  if (step.planned.bytes) out.integer("planned_bytes", static_cast<std::int64_t>(step.planned.bytes->count));
  out.integer("skipped_items", static_cast<std::int64_t>(items_in(skipped)));
  out.boolean("final", step.final).text("target", step.target).text("steward_run", run_);
  if (step.cutoff != Instant{}) out.timestamp("cutoff", seconds_of(step.cutoff));
  out.markdown("plan", plan_table(step, done, skipped));
  if (!page_.empty()) out.url("dashboard", page_);
  return out;
}

void DagsterRun::task_began(const Step& step) {
  if (!is_active()) return;
  steps_.insert_or_assign(step.task, step);
  (void)session_->log(pipes::LogLevel::info,
                      fmt::format("{}: {}, {}", step.task, amount_text(step.planned), printable(step.target)));
}

void DagsterRun::progress(const Progress& progress) {
  if (!is_active()) return;
  const auto now = std::chrono::steady_clock::now();
  if (told_ == decltype(told_){}) told_ = now;
  if (now - told_ < progress_every) return;
  told_ = now;
  (void)session_->log(pipes::LogLevel::info, fmt::format("{}: {} of {}", progress.task, amount_text(progress.done),
                                                         amount_text(progress.planned)));
}

void DagsterRun::note(Level level, std::string_view task, std::string_view text) {
  if (!is_active()) return;
  const auto as = level == Level::info      ? pipes::LogLevel::info
                  : level == Level::warning ? pipes::LogLevel::warning
                                            : pipes::LogLevel::error;
  (void)session_->log(as, task.empty() ? printable(text) : fmt::format("{}: {}", task, printable(text)));
}

void DagsterRun::task_ended(std::string_view task, std::string_view status, const Amount& done,
                            const std::vector<Skip>& skipped, const Error* error) {
  if (!is_active()) return;
  std::string said = fmt::format("{}: {}, {}", task, status, amount_text(done));
  if (error != nullptr) said += fmt::format("; {}", printable(error->message));
  const bool failed = status == "failed";
  (void)session_->log(failed             ? pipes::LogLevel::error
                      : error != nullptr ? pipes::LogLevel::warning
                                         : pipes::LogLevel::info,
                      said);
  const auto step = steps_.find(task);
  if (step == steps_.end()) return;  // it was not begun: nothing to compare
  const bool succeeded = status == "succeeded";
  const std::uint64_t left_on_the_way = items_in(skipped) - std::min(items_in(skipped), items_in(step->second.skipped));
  const bool equal = succeeded && done.items + left_on_the_way >= step->second.planned.items &&
                     done.items <= step->second.planned.items;
  pipes::Metadata compared;
  compared.integer("planned_items", static_cast<std::int64_t>(step->second.planned.items))
      .integer("items", static_cast<std::int64_t>(done.items))
      .integer("left_on_the_way", static_cast<std::int64_t>(left_on_the_way))
      .text("steward_run", run_);
  if (succeeded) {
    const std::string key = asset_of(task);
    if (!key.empty())
      (void)session_->report_materialization({.asset_key = key, .metadata = described(step->second, done, skipped)});
  }
  report({.name = "plan_equals_run", .passed = equal, .severity = pipes::Severity::warn, .metadata = compared}, task);
  const auto kind = kinds_.find(std::string(task));
  if (kind == kinds_.end() || kind->second != "archive") return;
  // No source goes before its copy was read back and found equal: a task that ends well has verified each.
  pipes::Metadata verified;
  verified.integer("verified_copies", static_cast<std::int64_t>(done.items)).text("steward_run", run_);
  report({.name = "archive_verified", .passed = succeeded, .metadata = verified}, task);
}

void DagsterRun::check_freshness(std::span<const engine::Freshness> found, Instant now) {
  if (!is_active()) return;
  for (const engine::Freshness& one : found) {
    if (one.job != job_ || !steps_.contains(one.task)) continue;
    pipes::Metadata metadata;
    metadata.boolean("proof_is_configured", one.is_proved).text("says", engine::text_of(one, now));
    if (one.newest) metadata.timestamp("newest", seconds_of(*one.newest));
    if (one.proved) metadata.timestamp("proved", seconds_of(*one.proved));
    const bool well = one.newest && !one.is_stale(now) && (!one.is_proved || one.proved);
    report({.name = "backup_proved_and_fresh", .passed = well, .metadata = metadata}, one.task);
  }
}

void DagsterRun::ended(const RunResult& result) {
  if (!is_active()) return;
  json tasks = json::array();
  std::shared_ptr<const pipes::Exception> first;
  std::size_t wrong = 0;
  for (const TaskResult& task : result.tasks) {
    tasks.push_back({{"task", task.task}, {"status", task.status}});
    if (!task.error) continue;
    ++wrong;
    if (!first)
      first = std::make_shared<const pipes::Exception>(
          exception_of(*task.error, fmt::format("task {} of run {}", task.task, run_)));
  }
  const std::string_view status = ledger::name_of(result.status);
  (void)session_->report_custom_message({{"steward",
                                          {{"event", "ended"},
                                           {"job", job_},
                                           {"run", run_},
                                           {"status", status},
                                           {"exit_code", result.exit_code},
                                           {"tasks", tasks}}}});
  if (result.exit_code == 0) {
    (void)session_->close();
    return;
  }
  pipes::Exception why{.name = "StewardRunNotDone",
                       .message = fmt::format("run {} of {}: {}", run_, job_, status),
                       .stack = {fmt::format("  steward runs show {}\n", run_)},
                       .cause = first};
  if (wrong > 0) why.message += fmt::format(", {} of {} tasks", wrong, result.tasks.size());
  if (result.status == ledger::Status::waiting)
    why.stack.push_back(fmt::format("  it waits for an approval: steward approvals show {}\n", run_));
  (void)session_->close(why);
}

void DagsterRun::failed(const Error& error) {
  if (is_active()) (void)session_->close(exception_of(error, run_.empty() ? "steward run" : "run " + run_));
}

}  // namespace steward::app
