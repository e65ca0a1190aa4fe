// What the command line may say of jobs and their runs.

#include "app/cli/grammar.h"

namespace steward::app {

void Grammar::add_running() {
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

void Grammar::add_shards() {
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

void Grammar::add_serve() {
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

void Grammar::add_schedule() {
  CLI::App* schedule = command(&app_, "schedule", "when jobs are due next",
                               [this](const Output& output) { return schedule_command(output, schedule_); });
  schedule->add_option("JOB", schedule_.job, "one job; without it, all");
  schedule->add_option("-n", schedule_.count, "how many firings")->check(CLI::Range(1, 10'000))->capture_default_str();
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
  CLI::Option* past =
      schedule->add_flag("--past", schedule_.past, "what became of the last ticks, and why")->excludes(cron);
  schedule
      ->add_option("--tick", schedule_.tick,
                   "whether this moment of another scheduler is to start JOB, or what is in its way")
      ->type_name("TIME")
      ->needs("JOB")
      ->excludes(cron)
      ->excludes(past);
  schedule->footer(
      "Examples:\n"
      "  steward schedule                     the next ten firings of all jobs\n"
      "  steward schedule cleanup -n 3 --from 2026-10-24T00:00:00Z\n"
      "  steward schedule cleanup --past      which ticks fired, and why others did not\n"
      "  steward schedule --cron '30 2 * * *' --time-zone Europe/Berlin --from 2026-03-28T00:00:00Z\n"
      "Each is shown in UTC and as the clock in its zone shows it, with a mark where a change of clocks moves it.");
}

void Grammar::add_runs() {
  CLI::App* runs = app_.add_subcommand("runs", "what ran: list, show, log, cancel");
  runs->fallthrough();
  runs->require_subcommand(0, 1);
  runs->add_option("--job", runs_.job, "of this job alone");
  runs->add_option("--limit", runs_.limit, "how many at the most")->check(CLI::Range(1, 10'000))->capture_default_str();
  runs->callback([this, runs] {
    if (runs->get_subcommands().empty()) chosen_ = [this](const Output& output) { return runs_command(output, runs_); };
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

}  // namespace steward::app
