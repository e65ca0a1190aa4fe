// What the command line may say of people, notifications and steward itself.

#include <fmt/format.h>

#include "app/cli/grammar.h"
#include "app/config/catalogue.h"

namespace steward::app {

namespace {

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

}  // namespace

void Grammar::add_people() {
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

void Grammar::add_notify() {
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

void Grammar::add_rest() {
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

}  // namespace steward::app
