// The program: reads the command line and has its function answer.

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "app/cli/grammar.h"
#include "app/cli/session.h"
#include "app/cli/signals.h"
#include "app/pipes/pipes.h"
#include "core/text.h"

namespace steward::app {
namespace {

<<<<<<< HEAD
=======
using Command = std::function<Result<int>(const Output&)>;

/// The names that a command takes in its first place, where they are known without a configuration.
std::vector<Word> names_for(const std::string& command) {
  std::vector<Word> names;
  if (command == "completion") return {{"bash", {}}, {"zsh", {}}, {"fish", {}}};
  if (command != "plan" && command != "run" && command != "schedule" && command != "pause" && command != "resume")
    return names;
  for (const std::string& job : job_names()) names.push_back({job, {}});
  if (command == "plan" || command == "run")
    for (const char* task : {"archive-mockups", "purge-signals", "purge-logs", "expire-objects", "purge-audit-logs"})
      names.push_back({fmt::format("cleanup/{}", task), {}});
  return names;
}

/// What may follow each command of an application and of its commands.
std::vector<CommandWords> words_of(const CLI::App& app, const std::string& command = {}) {
  CommandWords own{.command = command, .next = names_for(command)};
  std::vector<CommandWords> below;
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
    own.next.push_back({sub->get_name(), sub->get_description()});
    for (CommandWords& words : words_of(*sub, command.empty() ? sub->get_name() : command + ' ' + sub->get_name()))
      below.push_back(std::move(words));
  }
  for (const CLI::Option* option : app.get_options([](const CLI::Option*) { return true; }))
    for (const std::string& name : option->get_lnames())
      if (name != "help-all") own.flags.push_back({"--" + name, option->get_description()});
  if (!command.empty() && below.empty()) own.flags.push_back({"--json", "one JSON document on standard output"});
  below.insert(below.begin(), std::move(own));
  return below;
}

/// The command line as CLI11 has it, and what was chosen.
class Grammar {
 public:
  /// `dagster`: what Dagster gave this process; for the command that speaks to it.
  explicit Grammar(pipes::Bootstrap dagster) {
    run_.dagster = std::move(dagster);
    app_.name("steward");
    app_.set_version_flag("--version", fmt::format("steward {}", version));
    app_.require_subcommand(1);
    app_.fallthrough();
    app_.add_flag("--json", json_, "one JSON document on standard output");
    app_.add_option("--config", config_, "a configuration file; several are laid over one another, in their order")
        ->type_name("FILE")
        ->allow_extra_args(false);
    app_.footer(
        "Examples:\n"
        "  steward plan cleanup                 what would happen now; changes nothing\n"
        "  steward run cleanup                  do it\n"
        "  steward run cleanup/purge-signals    one task of it\n"
        "  steward archive restore --table mockups --key 17\n"
        "  steward doctor                       connections, rights, indexes, disk\n\n"
        "With no configuration at all, variables say what there is: DATABASE_URL, MEDIA_ROOT, COLD_STORAGE_PATH, "
        "LOG_DIR, S3_BUCKET,\n"
        "S3_RETENTION_DAYS, the usual AWS_*; `steward config show` lists them.\n"
        "Exit codes: 0 done, 1 failed, 2 bad usage or nothing configured, 3 refused, 4 partly done, 75 another run has "
        "the target.");
    add_running();
    add_runs();
    add_archive();
    add_backup();
    add_holds();
    add_freeze();
    add_notify();
    add_approvals();
    add_people();
    add_rest();
  }

  CLI::App& app() { return app_; }
  bool json() const { return json_; }
  const std::vector<std::string>& config() const { return config_; }
  const Command& chosen() const { return chosen_; }

 private:
  CLI::App* command(CLI::App* parent, const std::string& name, const std::string& what, Command act) {
    CLI::App* sub = parent->add_subcommand(name, what);
    sub->fallthrough();
    sub->callback([this, act = std::move(act)] {
      if (!chosen_) chosen_ = act;
    });
    return sub;
  }
  CLI::App* group(const std::string& name, const std::string& what) {
    CLI::App* sub = app_.add_subcommand(name, what);
    sub->require_subcommand(1);
    sub->fallthrough();
    return sub;
  }

  void add_running() {
    CLI::App* plan = command(&app_, "plan", "what a job would do now; changes nothing", [this](const Output& output) {
      against_.job = plan_.job;
      return against_.against.empty() ? plan_command(output, plan_) : against_command(output, against_);
    });
    CLI::Option* against = plan->add_option("--against", against_.against,
                                            "compare with this configuration: what is removed more or less than by it")
                               ->type_name("FILE");
    plan->add_flag("--discard", plan_.discard, "only to look at: it is not kept, and no run can be made from it")
        ->excludes(against);
    plan->add_flag("--markdown", against_.markdown, "the comparison as Markdown, for a comment on a pull request")
        ->needs(against);
    plan->add_option("--limit", against_.limit, "exit 3 where more items than this are removed more")->needs(against);
    plan->footer(
        "Examples:\n  steward plan cleanup\n"
        "  steward plan cleanup --config new.yaml --against old.yaml --markdown --limit 10000");
    plan->add_option("JOB", plan_.job, "JOB or JOB/TASK: cleanup, cleanup/purge-signals")->required();
    CLI::App* run =
        command(&app_, "run", "carry out a job", [this](const Output& output) { return run_command(output, run_); });
    run->add_option("JOB", run_.job, "JOB or JOB/TASK: cleanup, cleanup/purge-signals")->required();
    CLI::Option* of_plan =
        run->add_option("--plan", run_.plan, "carry out exactly this plan: its digest, eight digits or more");
    CLI::Option* shard = run->add_option("--shard", run_.shard, "of a plan of `steward shards`, this one alone")
                             ->type_name("NUMBER")
                             ->check(CLI::PositiveNumber)
                             ->needs(of_plan);
    run->add_flag("--force", run_.force, "rotate-logs: also logs that were rotated just now");
    run->add_option("--allow-removal", run_.allow_removal, "let this task past its brakes, for this run")
        ->type_name("TASK");
    CLI::Option* approval =
        run->add_option("--approval", run_.approval, "carry out a run that waited and was approved")->type_name("RUN");
    run->add_option("--tick", run_.tick, "for this moment of another scheduler: refused where it has had its run")
        ->type_name("TIME")
        ->excludes(approval)
        ->excludes(shard);
    approval->excludes(shard);
    add_shards();
    run->add_flag("--full-speed", run_.full_speed, "wait for nothing that the database feels, for this run");
    command(&app_, "catalogue", "jobs, tasks and schedules, for other schedulers", catalogue_command)->alias("catalog");
    command(&app_, "status", "what needs attention", status_command);
    CLI::App* health = command(&app_, "healthcheck", "whether it does what it is there for, for machines that ask",
                               [this](const Output& output) { return healthcheck_command(output, healthcheck_); });
    health->add_option("--only", healthcheck_.only, "of these jobs alone, with commas between them")->type_name("JOBS");
    health->add_option("--url", healthcheck_.url, "ask the server there too, whether it is alive")->type_name("URL");
    health->footer(
        "Exit code 0: well; 1: not, with a line for each thing that is wrong. Warnings change nothing of it.\n"
        "Examples:\n"
        "  steward healthcheck\n"
        "  steward healthcheck --url http://127.0.0.1:8420\n"
        "  HEALTHCHECK --interval=60s CMD [\"steward\", \"healthcheck\"]");
    CLI::App* metrics = command(&app_, "metrics", "what monitoring asks, as Prometheus reads it",
                                [this](const Output& output) { return metrics_command(output, file_); });
    metrics->add_option("--output", file_, "into this file, which is replaced whole, and not on standard output")
        ->type_name("FILE");
    metrics->footer(
        "Example, for node_exporter's textfile collector, from cron after each run:\n"
        "  steward metrics --output /var/lib/prometheus/node-exporter/steward.prom");
    add_schedule();
    add_serve();
  }

  void add_shards() {
    CLI::App* shards = command(&app_, "shards", "a task's plan in parts that are carried out side by side",
                               [this](const Output& output) { return shards_command(output, shards_); });
    shards->add_option("TASK", shards_.job, "JOB/TASK: cleanup/purge-signals")->required();
    CLI::Option* plan = shards->add_option("--plan", shards_.plan, "what became of this one: its digest");
    shards->add_option("--count", shards_.count, "how many at the most")
        ->check(CLI::Range(1, 1'000))
        ->capture_default_str()
        ->excludes(plan);
    shards->add_flag("--allow-removal", shards_.allow_removal, "let the whole past its brakes")->excludes(plan);
    shards->footer(
        "Examples:\n"
        "  steward shards cleanup/purge-signals --count 16\n"
        "  steward run cleanup/purge-signals --plan 4f2a91c0 --shard 3     on any machine with this ledger\n"
        "  steward shards cleanup/purge-signals --plan 4f2a91c0            what all of them did; exit 1 until all "
        "have");
  }

  void add_serve() {
    CLI::App* serve = command(&app_, "serve", "start jobs when they are due, and watch them",
                              [this](const Output& output) { return serve_command(output, serve_); });
    serve->add_option("--only", serve_.only, "these jobs alone, with commas between them")->type_name("JOBS");
    serve
        ->add_option("--shutdown", serve_.shutdown,
                     "runs under way when it is stopped: leave, wait for, or stop them; default: serve.shutdown, leave")
        ->check(CLI::IsMember({"leave", "wait", "stop"}));
    serve->add_option("--listen", serve_.listen, "where the API answers, or off; default: STEWARD_LISTEN, serve.listen")
        ->type_name("HOST:PORT");
    serve
        ->add_option("--log-format", serve_.log_format,
                     "how it tells what happens, on standard output; default: serve.log_format, text")
        ->check(CLI::IsMember({"text", "json"}));
    serve->footer(
        "Examples:\n"
        "  steward serve\n"
        "  steward serve --only backup          one job, as a container of its own\n"
        "  steward serve --listen 0.0.0.0:8420  the API for others, behind a proxy that speaks TLS\n"
        "SIGTERM ends it and leaves what runs: the next `steward serve` finds it. SIGHUP reads the configuration "
        "again.");
    CLI::App* pause = app_.add_subcommand("pause", "do not start a job by its schedule: set, list");
    pause->fallthrough();
    pause->require_subcommand(0, 1);
    CLI::Option* job = pause->add_option("JOB", pause_.job, "the job, or all");
    pause->add_option("--reason", pause_.reason, "why: what the next person reads");
    pause->add_option("--until", pause_.until, "a date or time; without it, until it is resumed");
    pause->callback([this, pause, job] {
      if (!pause->get_subcommands().empty()) return;
      if (job->count() == 0) throw CLI::RequiredError("JOB");
      chosen_ = [this](const Output& output) { return pause_command(output, pause_); };
    });
    pause->footer(
        "Examples:\n"
        "  steward pause cleanup --reason \"an index is being built\" --until 2027-01-31\n"
        "  steward pause list\n"
        "  steward resume cleanup");
    CLI::App* list = command(pause, "list", "what is paused",
                             [this](const Output& output) { return pause_list_command(output, all_holds_); });
    list->add_flag("--all", all_holds_, "also those that are over");
    CLI::App* resume = command(&app_, "resume", "start a job by its schedule again",
                               [this](const Output& output) { return resume_command(output, pause_.job); });
    resume->add_option("JOB", pause_.job, "the job, or all")->required();
  }

  void add_schedule() {
    CLI::App* schedule = command(&app_, "schedule", "when jobs are due next",
                                 [this](const Output& output) { return schedule_command(output, schedule_); });
    schedule->add_option("JOB", schedule_.job, "one job; without it, all");
    schedule->add_option("-n", schedule_.count, "how many firings")
        ->check(CLI::Range(1, 10'000))
        ->capture_default_str();
    schedule->add_option("--from", schedule_.from, "those after this moment; without it, after now")->type_name("TIME");
    CLI::Option* cron = schedule->add_option("--cron", schedule_.cron, "try an expression: five fields, or @daily")
                            ->type_name("EXPRESSION");
    cron->excludes("JOB");
    schedule->add_option("--time-zone", schedule_.time_zone, "its time zone")
        ->type_name("ZONE")
        ->capture_default_str()
        ->needs(cron);
    schedule->add_option("--dst-gap", schedule_.dst_gap, "a time that clocks go forward over: after the gap, or skip")
        ->check(CLI::IsMember({"after", "skip"}))
        ->needs(cron);
    schedule->add_option("--dst-overlap", schedule_.dst_overlap, "a time that comes twice: first, second or both")
        ->check(CLI::IsMember({"first", "second", "both"}))
        ->needs(cron);
    schedule->add_flag("--past", schedule_.past, "what became of the last ticks, and why")->excludes(cron);
    schedule->footer(
        "Examples:\n"
        "  steward schedule                     the next ten firings of all jobs\n"
        "  steward schedule cleanup -n 3 --from 2026-10-24T00:00:00Z\n"
        "  steward schedule cleanup --past      which ticks fired, and why others did not\n"
        "  steward schedule --cron '30 2 * * *' --time-zone Europe/Berlin --from 2026-03-28T00:00:00Z\n"
        "Each is shown in UTC and as the clock in its zone shows it, with a mark where a change of clocks moves it.");
  }

  void add_runs() {
    CLI::App* runs = app_.add_subcommand("runs", "what ran: list, show, log, cancel");
    runs->fallthrough();
    runs->require_subcommand(0, 1);
    runs->add_option("--job", runs_.job, "of this job alone");
    runs->add_option("--limit", runs_.limit, "how many at the most")
        ->check(CLI::Range(1, 10'000))
        ->capture_default_str();
    runs->callback([this, runs] {
      if (runs->get_subcommands().empty())
        chosen_ = [this](const Output& output) { return runs_command(output, runs_); };
    });
    CLI::App* show = command(runs, "show", "one run, its tasks and what stayed",
                             [this](const Output& output) { return runs_show_command(output, run_id_); });
    CLI::App* log = command(runs, "log", "a run's log, as JSON lines",
                            [this](const Output& output) { return runs_log_command(output, run_id_); });
    CLI::App* cancel = command(runs, "cancel", "stop a run after the item or batch at hand",
                               [this](const Output& output) { return runs_cancel_command(output, run_id_); });
    for (CLI::App* sub : {show, log, cancel})
      sub->add_option("RUN", run_id_, "a run's id, a beginning of it, or `latest`")->required();
  }

  void add_backup() {
    CLI::App* backup = group("backup", "backups of databases: list, verify, restore");
    CLI::App* list = command(backup, "list", "all that are whole, with what is proved of each",
                             [this](const Output& output) { return backup_list_command(output, backup_list_); });
    list->add_option("--task", backup_list_.task, "of this policy alone");
    CLI::App* verify = command(backup, "verify", "read a backup, or restore it into a throwaway server, and compare",
                               [this](const Output& output) { return backup_verify_command(output, backup_verify_); });
    verify->add_option("ID", backup_verify_.backup, "which: its id, a beginning of it, or latest")
        ->capture_default_str();
    verify->add_option("--task", backup_verify_.task, "the policy, where there are several");
    verify->add_option("--depth", backup_verify_.depth, "bytes: every object is read and hashed; restore: and restored")
        ->check(CLI::IsMember({"bytes", "restore"}))
        ->capture_default_str();
    verify->add_option("--to", backup_verify_.to, "restore into this empty database, instead of a throwaway server");
    verify->add_option("--identity", backup_verify_.identity, "the file of the secret key of age");
    verify->add_flag("--copy", backup_verify_.copy, "its copy in the second store (copy_to)");
    verify->footer("Example:\n  steward backup verify latest --depth restore");
    CLI::App* restore =
        command(backup, "restore", "bring a backup back into an empty database; says first what it would do",
                [this](const Output& output) { return backup_restore_command(output, backup_restore_); });
    restore->add_option("ID", backup_restore_.backup, "which: its id, a beginning of it, or latest")->required();
    restore->add_option("--to", backup_restore_.to, "the database: a URL")->required();
    restore->add_option("--task", backup_restore_.task, "the policy, where there are several");
    restore->add_option("--table", backup_restore_.tables, "this table alone, with its indexes; may be repeated");
    restore
        ->add_option("--jobs", backup_restore_.jobs, "so many at once; else as many as there are processors, up to 8")
        ->check(CLI::Range(1, 64));
    restore->add_option("--identity", backup_restore_.identity, "the file of the secret key of age");
    restore->add_flag("--copy", backup_restore_.copy, "from its copy in the second store (copy_to)");
    restore->add_flag("--plan", backup_restore_.plan_only, "only say what it would do");
    restore->add_flag("--into-existing", backup_restore_.into_existing, "also into a database that is not empty");
    restore->add_flag("--globals", backup_restore_.globals, "roles and tablespaces first");
    restore->add_flag("--no-owner", backup_restore_.no_owner, "all belongs to who restores");
    restore->add_flag("--no-privileges", backup_restore_.no_privileges, "without GRANTs");
    restore->add_flag("--no-compare", backup_restore_.no_compare, "do not compare what was restored with the backup");
    restore->footer(
        "Examples:\n  steward backup restore latest --to postgresql://postgres@db/app_restored\n"
        "  steward backup restore 20261129T0000 --to postgresql://postgres@db/scratch --table signals");
  }

  void add_archive() {
    CLI::App* archive = group("archive", "what was archived: list, show, file, verify, restore, forget");
    command(archive, "list", "what lies in cold storage, by run", archive_list_command);
    CLI::App* show = command(archive, "show", "look at rows in cold storage, the newest run's first",
                             [this](const Output& output) { return archive_show_command(output, archive_show_); });
    show->add_option("--run", archive_show_.run, "what this run archived");
    show->add_option("--table", archive_show_.table, "rows of this table");
    show->add_option("--key", archive_show_.key, "the row of this primary key");
    show->add_option("--match", archive_show_.match, "in whose key, values or file name this stands");
    show->add_option("--limit", archive_show_.limit, "at most so many (50)")->check(CLI::Range(1, 500));
    show->add_option("--after", archive_show_.after, "go on behind a page: its `next`");
    show->footer(
        "Examples:\n  steward archive show --table mockups --match poster\n  steward archive show --run 20261123");
    CLI::App* file = command(archive, "file", "write the bytes of an archived file, checked, to standard output",
                             [this](const Output& output) { return archive_file_command(output, archive_file_); });
    file->add_option("--table", archive_file_.table, "of a row of this table");
    file->add_option("--key", archive_file_.key, "with this primary key");
    file->add_option("--archive", archive_file_.archive, "which archive, where there are several");
    file->add_option("--copy", archive_file_.copy, "its name there, as `archive show --json` gives it,");
    file->add_option("--sha256", archive_file_.sha256, "and its hash")->needs("--copy");
    file->add_option("--most", archive_file_.most, "refuse more bytes than these");
    file->footer("Example:\n  steward archive file --table mockups --key 17 > mockup-17.png");
    command(archive, "verify", "read every copy and compare it with its manifest", archive_verify_command);
    CLI::App* restore = command(archive, "restore", "bring back files and rows; nothing is overwritten",
                                [this](const Output& output) { return archive_restore_command(output, restore_); });
    restore->add_flag("--all", restore_.all, "everything");
    restore->add_option("--run", restore_.run, "what this run archived");
    restore->add_option("--table", restore_.table, "rows of this table");
    restore->add_option("--key", restore_.keys, "these rows alone, by primary key")->allow_extra_args(false);
    restore->footer(
        "Examples:\n  steward archive restore --all\n  steward archive restore --table mockups --key 17 --key 18");
    add_forget(archive);
  }

  void add_forget(CLI::App* archive) {
    CLI::App* forget =
        command(archive, "forget", "remove single rows from the archive for good; says first what it would do",
                [this](const Output& output) { return archive_forget_command(output, forget_); });
    forget->add_option("--table", forget_.table, "rows of this table")->required();
    forget->add_option("--key", forget_.keys, "with this primary key")->required()->allow_extra_args(false);
    forget->add_option("--reason", forget_.reason, "why; it stays in the manifest and the ledger")->required();
    forget->add_flag("--yes", forget_.yes, "do it");
    forget->footer("Example:\n  steward archive forget --table mockups --key 17 --reason \"request 81\" --yes");
  }

  void add_holds() {
    CLI::App* hold = group("hold", "keep items from every removal: add, test, list, release");
    CLI::App* add = command(hold, "add", "nothing removes it until it is released",
                            [this](const Output& output) { return hold_add_command(output, hold_); });
    add->add_option("--table", hold_.table, "rows of this table");
    add->add_option("--key", hold_.key, "the one with this primary key");
    add->add_option("--where", hold_.where, "those whose columns say this; several: all of them")
        ->type_name("CONDITION")
        ->allow_extra_args(false);
    add->add_option("--path", hold_.path, "a file; * and ? in it match any characters, slashes too");
    add->add_option("--object", hold_.object, "an object: s3://bucket/key, with * and ? as in a path");
    add->add_flag("--prefix", hold_.prefix, "everything whose key, path or address begins so");
    add->add_option("--reason", hold_.reason, "why: what the next person reads")->required();
    add->add_option("--until", hold_.until, "a date or time; without it, until it is released");
    add->footer(
        "Examples:\n"
        "  steward hold add --table mockups --key 17 --reason \"case 12\"\n"
        "  steward hold add --table signals --where \"status = disputed\" --reason \"case 12\"\n"
        "  steward hold add --table signals --where \"plan in free, trial\" --where \"score >= 0.5\" --reason study\n"
        "  steward hold add --path /srv/app/logs/2025/ --prefix --reason audit --until 2027-01-31\n"
        "  steward hold add --path '/srv/app/logs/*/payment-*.log' --reason audit\n"
        "  steward hold add --object s3://app-exports/legal/ --prefix --reason \"case 12\"\n"
        "Conditions: = != < <= > >= in, not in, like, is null, is not null. NULL meets none of them but is null.");
    CLI::App* test = command(hold, "test", "what keeps an item: exit code 0 where something does, 1 where nothing",
                             [this](const Output& output) { return hold_test_command(output, hold_); });
    test->add_option("--table", hold_.table, "a row of this table");
    test->add_option("--key", hold_.key, "with this primary key");
    test->add_option("--path", hold_.path, "a file");
    test->add_option("--object", hold_.object, "an object: s3://bucket/key");
    test->footer("Example:\n  steward hold test --table mockups --key 17 && echo kept");
    CLI::App* list = command(hold, "list", "the holds in force",
                             [this](const Output& output) { return hold_list_command(output, all_holds_); });
    list->add_flag("--all", all_holds_, "released ones too");
    CLI::App* release = command(hold, "release", "end a hold",
                                [this](const Output& output) { return hold_release_command(output, hold_id_); });
    release->add_option("HOLD", hold_id_, "its id")->required();
  }

  void add_approvals() {
    CLI::App* approvals = app_.add_subcommand("approvals", "what waits for a person: list, show, approve, reject");
    approvals->fallthrough();
    approvals->require_subcommand(0, 1);
    const auto list_all = [this](const Output& output) { return approvals_list_command(output, approvals_); };
    approvals->callback([this, approvals, list_all] {
      if (approvals->get_subcommands().empty()) chosen_ = list_all;
    });
    CLI::App* list = command(approvals, "list", "what waits, newest first", list_all);
    list->add_flag("--all", approvals_.all, "answered ones too");
    list->add_option("--job", approvals_.job, "of this job alone");
    CLI::App* show = command(approvals, "show", "why a run waits, and the plan that it would carry out",
                             [this](const Output& output) { return approvals_show_command(output, approvals_); });
    CLI::App* approve = command(approvals, "approve", "let a run carry out its plan, once",
                                [this](const Output& output) { return approvals_approve_command(output, approvals_); });
    approve->add_option("--digest", approvals_.digest, "of the plan that you have seen: refused where it is another")
        ->type_name("DIGEST");
    approve->add_option("--reason", approvals_.reason, "why: kept for good");
    approve->add_flag("--break-glass", approvals_.break_glass,
                      "although you have started it yourself: needs a reason, and is announced");
    CLI::App* reject = command(approvals, "reject", "end a run that waits, with nothing done",
                               [this](const Output& output) { return approvals_reject_command(output, approvals_); });
    reject->add_option("--reason", approvals_.reason, "why: what the next person reads");
    for (CLI::App* sub : {show, approve, reject})
      sub->add_option("RUN", approvals_.run, "a run's id, or a beginning of it")->required();
    approvals->footer(
        "Examples:\n"
        "  steward approvals\n"
        "  steward approvals show 20261123T030000Z-4f2a91\n"
        "  steward approvals approve 20261123T030000Z-4f2a91 --digest 8c1f0a2b77de\n"
        "  steward approvals reject 20261123T030000Z-4f2a91 --reason \"the import ran twice\"");
  }

  void add_notify() {
    CLI::App* notify = app_.add_subcommand("notify", "who was told of what: list, test a channel");
    notify->fallthrough();
    notify->require_subcommand(1);
    CLI::App* list = command(notify, "list", "messages, newest first",
                             [this](const Output& output) { return notify_list_command(output, notify_list_); });
    list->add_flag("--open", notify_list_.open, "only what is neither sent nor given up");
    CLI::App* test = command(notify, "test", "send a message to a channel now",
                             [this](const Output& output) { return notify_test_command(output, notify_channel_); });
    test->add_option("channel", notify_channel_, "its name in the configuration; slack with SLACK_WEBHOOK_URL alone")
        ->required();
  }

  void add_freeze() {
    CLI::App* freeze = app_.add_subcommand("freeze", "no removal from anywhere: set one, list, lift");
    freeze->fallthrough();
    freeze->require_subcommand(0, 1);
    freeze->add_option("--reason", freeze_.reason, "why: what the next person reads");
    freeze->add_option("--until", freeze_.until, "a date or time; without it, until it is lifted");
    freeze->callback([this, freeze] {
      if (freeze->get_subcommands().empty())
        chosen_ = [this](const Output& output) { return freeze_command(output, freeze_); };
    });
    freeze->footer(
        "Examples:\n"
        "  steward freeze --reason \"moving the database\" --until 2027-01-31\n"
        "  steward freeze list\n"
        "  steward freeze lift                  the only one; several: steward freeze lift f-4f2a91c0\n"
        "Runs under way stop before their next removal; what they have done stays done. Backups and restores go on.");
    CLI::App* list = command(freeze, "list", "the freezes in force",
                             [this](const Output& output) { return freeze_list_command(output, all_holds_); });
    list->add_flag("--all", all_holds_, "those that are over too");
    CLI::App* lift = command(freeze, "lift", "removals go on",
                             [this](const Output& output) { return freeze_lift_command(output, hold_id_); });
    lift->add_option("FREEZE", hold_id_, "its id; without it, the only one in force");
  }

  void add_people() {
    CLI::App* user = group("user", "who may use the API and the dashboard: add, list, passwd, role, disable, remove");
    const auto named = [&](const std::string& name, const std::string& what, auto act) {
      CLI::App* sub = command(user, name, what, [this, act](const Output& output) { return act(output, user_); });
      sub->add_option("NAME", user_.name, "the user")->required();
      return sub;
    };
    named("add", "a new user; the password is asked for, or the first line of standard input", user_add_command)
        ->add_option("--role", user_.role, "viewer, operator, approver or administrator")
        ->capture_default_str();
    command(user, "list", "all users", user_list_command);
    named("passwd", "a new password; signs the user out everywhere", user_passwd_command);
    named("role", "another role", user_role_command)
        ->add_option("ROLE", user_.role, "viewer, operator, approver or administrator")
        ->required();
    named("disable", "sign the user out, and let the user not in again", user_disable_command)
        ->add_flag("--undo", user_.enable, "let the user in again");
    named("remove", "remove the user, with sessions and tokens", user_remove_command);
    user->footer(
        "Examples:\n"
        "  steward user add ann --role administrator\n"
        "  steward user passwd ann < password.txt");
    CLI::App* token = group("token", "what scripts call the API with: add, list, revoke");
    CLI::App* add = command(token, "add", "a new token; it is shown once",
                            [this](const Output& output) { return token_add_command(output, token_); });
    add->add_option("NAME", token_.name, "what it is for")->required();
    add->add_option("--role", token_.role, "viewer, operator, approver or administrator")->capture_default_str();
    add->add_option("--for", token_.owner, "the user whom it acts for; without it, it acts for itself")
        ->type_name("USER");
    add->add_option("--expires", token_.expires, "an age, a date, or never")->capture_default_str();
    add->footer("Example:\n  steward token add deploys --role operator --expires \"30 days\" > token.txt");
    command(token, "list", "all tokens, without their secrets", token_list_command);
    CLI::App* revoke = command(token, "revoke", "end a token at once",
                               [this](const Output& output) { return token_revoke_command(output, hold_id_); });
    revoke->add_option("TOKEN", hold_id_, "its id")->required();
  }

  void add_rest() {
    CLI::App* doctor = command(
        &app_, "doctor", "connections, rights, indexes, versions, disk",
        [this](const Output& output) { return grants_ ? grants_command(output, role_) : doctor_command(output); });
    CLI::Option* grants = doctor->add_flag("--grants", grants_, "the rights that the tasks need, as statements to run");
    doctor->add_option("--for", role_, "the database role that is to have them")->type_name("ROLE")->needs(grants);
    doctor->footer("Examples:\n  steward doctor\n  steward doctor --grants --for steward");
    CLI::App* config = group("config", "the settings: check, show, init, schema");
    command(config, "check", "all that is wrong, each with its place", config_check_command);
    command(config, "show", "each setting and where it comes from", config_show_command);
    CLI::App* init = command(config, "init", "the built-in tasks as a file to begin with",
                             [this](const Output& output) { return config_init_command(output, file_); });
    init->add_option("FILE", file_, "the file to write; without it, standard output");
    CLI::App* schema = command(config, "schema", "the JSON Schema of a configuration file, for editors",
                               [this](const Output& output) { return config_schema_command(output, markdown_); });
    schema->add_flag("--markdown", markdown_, "the reference for people instead");
    config->footer(
        "Examples:\n  steward config init steward.yaml\n  steward config check --config steward.yaml\n"
        "  steward config check --config base.yaml --config production.yaml");
    CLI::App* tidy = command(&app_, "tidy-state", "remove old logs, plans and lists from the state directory",
                             [this](const Output& output) { return tidy_state_command(output, plan_only_); });
    tidy->add_flag("--plan", plan_only_, "say what would go, and change nothing");
    tidy->footer(
        "Run logs go after 90 days, or the oldest first beyond 2 GiB together; saved plans, item lists and lists of "
        "what\n"
        "was removed after 13 months. Each run does so at its end. The audit trail stays for good.\n"
        "Examples:\n  steward tidy-state --plan\n  steward tidy-state");
    CLI::App* ledger = group("ledger", "the durable record: verify, adopt");
    command(ledger, "verify", "walk the audit trail's chain of hashes", ledger_verify_command);
    CLI::App* adopt =
        command(ledger, "adopt", "give the archives of this configuration to this ledger", ledger_adopt_command);
    adopt->footer(
        "After the loss of a ledger, or a move to another: look at `steward hold list` and `steward freeze list` "
        "first,\n"
        "and add what is missing. The ledger of before is refused from then on.");
    CLI::App* completion =
        command(&app_, "completion", "a completion script for bash, zsh or fish", [this](const Output&) -> Result<int> {
          print(TRY(completion_script(shell_, words_of(app_))));
          return 0;
        });
    completion->add_option("SHELL", shell_, "bash, zsh or fish")->required();
  }

  CLI::App app_{"keeps an application's data tidy, backed up, fast and safe"};
  bool json_ = false;
  std::vector<std::string> config_{};
  Command chosen_{};
  PlanCommand plan_{};
  AgainstCommand against_{};
  RunCommand run_{};
  ShardsCommand shards_{};
  HealthcheckCommand healthcheck_{};
  ScheduleCommand schedule_{};
  ServeCommand serve_{};
  PauseCommand pause_{};
  RunsCommand runs_{};
  BackupListCommand backup_list_{};
  BackupVerifyCommand backup_verify_{};
  BackupRestoreCommand backup_restore_{};
  ArchiveShowCommand archive_show_{};
  ArchiveFileCommand archive_file_{};
  RestoreCommand restore_{};
  ForgetCommand forget_{};
  HoldCommand hold_{};
  FreezeCommand freeze_{};
  NotifyListCommand notify_list_{};
  std::string notify_channel_{};
  UserCommand user_{};
  TokenCommand token_{};
  ApprovalsCommand approvals_{};
  bool all_holds_ = false, markdown_ = false, grants_ = false, plan_only_ = false;
  std::string run_id_{}, hold_id_{}, shell_{}, file_{}, role_{};
};

>>>>>>> shards
/// The nearest subcommand to the word that was not understood.
std::string hint_for(const CLI::App& app, const std::vector<std::string>& arguments) {
  std::vector<std::string> names;
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(sub->get_name());
  for (const std::string& argument : arguments) {
    if (argument.starts_with('-')) continue;
    if (std::string hint = did_you_mean(argument, names);
        !hint.empty() && std::ranges::find(names, argument) == names.end())
      return hint;
    break;
  }
  return "`steward --help` shows the commands.";
}

bool asks_for_json(const std::vector<std::string>& arguments) {
  return std::ranges::find(arguments, "--json") != arguments.end();
}

int start(int argc, char** argv) {
  std::vector<std::string> arguments(argv + std::min(argc, 1), argv + argc);
  // First of all, so that nothing that this process starts takes itself for Dagster's.
  Grammar grammar(pipes::take_bootstrap(arguments));
  try {
    grammar.app().parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));  // as CLI11 wants them
  } catch (const CLI::Success& success) {
    return grammar.app().exit(success);  // --help, --version
  } catch (const CLI::ParseError& error) {
    std::string message = error.what();
    if (message.size() > 1 && std::islower(static_cast<unsigned char>(message[1])))
      message[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(message[0])));
    while (message.ends_with('\n') || message.ends_with('.')) message.pop_back();
    std::ranges::replace(message, '\n', ' ');
    return report(output_of_process(asks_for_json(arguments)),
                  {.kind = Kind::bad_input, .message = std::move(message), .hint = hint_for(grammar.app(), arguments)});
  }
  // A flag comes before the variable, and is one for everything that this process starts.
  if (!grammar.config().empty())
    ::setenv("STEWARD_CONFIG", fmt::format("{}", fmt::join(grammar.config(), ":")).c_str(), 1);
  listen_for_signals();
  const Output output = output_of_process(grammar.json());
  const Result<int> code = grammar.chosen()(output);
  return code ? *code : report(output, code.error());
}

}  // namespace

}  // namespace steward::app

int main(int argc, char** argv) {
  try {
    return steward::app::start(argc, argv);
  } catch (const std::bad_alloc&) {
    return steward::app::report(
        steward::app::output_of_process(false),
        {.kind = steward::Kind::unavailable,
         .message = "there is no more memory for this process",
         .hint = "Nothing is lost: the next run goes on. Raise the job's `memory`, or the machine's."});
  } catch (const std::exception& error) {
    return steward::app::report(steward::app::output_of_process(false),
                                {.kind = steward::Kind::bug,
                                 .message = std::string("an unexpected fault: ") + error.what(),
                                 .hint = "Nothing is lost; please report this with the command that you gave."});
  }
}
