#include "app/cli/grammar.h"

#include <fmt/format.h>

#include "app/cli/session.h"

namespace steward::app {

Grammar::Grammar(pipes::Bootstrap dagster) {
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

CLI::App* Grammar::command(CLI::App* parent, const std::string& name, const std::string& what, Command act) {
  CLI::App* sub = parent->add_subcommand(name, what);
  sub->fallthrough();
  sub->callback([this, act = std::move(act)] {
    if (!chosen_) chosen_ = act;
  });
  return sub;
}

CLI::App* Grammar::group(const std::string& name, const std::string& what) {
  CLI::App* sub = app_.add_subcommand(name, what);
  sub->require_subcommand(1);
  sub->fallthrough();
  return sub;
}

}  // namespace steward::app
