// What the command line may say of holds, freezes and approvals.

#include "app/cli/grammar.h"

namespace steward::app {

void Grammar::add_holds() {
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

void Grammar::add_freeze() {
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

void Grammar::add_approvals() {
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

}  // namespace steward::app
