#include <fmt/format.h>

#include "app/cli/commands.h"
#include "core/text.h"

namespace steward::app {
namespace {

constexpr std::string_view bash = R"(# steward completion for bash: source <(steward completion bash)
_steward() {
  local cur=${COMP_WORDS[COMP_CWORD]} words
  case "${COMP_WORDS[1]}" in
    plan|run) words="cleanup cleanup/archive-mockups cleanup/purge-signals cleanup/purge-logs cleanup/expire-objects cleanup/purge-audit-logs --json"
      [ "${COMP_WORDS[1]}" = run ] && words="$words --plan --allow-removal --force" ;;
    schedule) words="cleanup rotate-logs backup analyze-query-plans update-dependencies rotate-secrets -n --from --cron --time-zone --dst-gap --dst-overlap --json" ;;
    healthcheck) words="--only --url --json" ;;
    runs) words="show log cancel latest --job --limit --json" ;;
    archive) words="list verify restore --all --run --table --key --json" ;;
    hold) words="add test list release --table --key --where --path --object --prefix --reason --until --all --json" ;;
    notify) words="list test --open --json" ;;
    freeze) words="list lift --reason --until --all --json" ;;
    tidy-state) words="--plan --json" ;;
    config) words="show --json" ;;
    ledger) words="verify adopt --json" ;;
    completion) words="bash zsh fish" ;;
    *) words="plan run status healthcheck schedule runs archive hold freeze notify tidy-state doctor config ledger completion --json --help --version" ;;
  esac
  [ "$COMP_CWORD" -eq 1 ] && words="plan run status healthcheck schedule runs archive hold freeze notify tidy-state doctor config ledger completion --json --help --version"
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}
complete -F _steward steward
)";

constexpr std::string_view zsh = R"(#compdef steward
# steward completion for zsh: source <(steward completion zsh)
_steward() {
  local -a commands jobs
  commands=(plan run status healthcheck schedule runs archive hold freeze notify tidy-state doctor config ledger completion)
  jobs=(cleanup cleanup/archive-mockups cleanup/purge-signals cleanup/purge-logs cleanup/expire-objects cleanup/purge-audit-logs)
  if (( CURRENT == 2 )); then compadd -- $commands --json --help --version; return; fi
  case $words[2] in
    plan|run) compadd -- $jobs --plan --allow-removal --force --json ;;
    schedule) compadd -- cleanup rotate-logs backup analyze-query-plans update-dependencies rotate-secrets -n --from --cron --time-zone --dst-gap --dst-overlap --json ;;
    healthcheck) compadd -- --only --url --json ;;
    runs) compadd -- show log cancel latest --job --limit --json ;;
    archive) compadd -- list verify restore --all --run --table --key --json ;;
    hold) compadd -- add test list release --table --key --where --path --object --prefix --reason --until --all --json ;;
    notify) compadd -- list test --open --json ;;
    freeze) compadd -- list lift --reason --until --all --json ;;
    tidy-state) compadd -- --plan --json ;;
    config) compadd -- show --json ;;
    ledger) compadd -- verify adopt --json ;;
    completion) compadd -- bash zsh fish ;;
  esac
}
compdef _steward steward
)";

constexpr std::string_view fish = R"(# steward completion for fish: steward completion fish | source
complete -c steward -f
complete -c steward -n __fish_use_subcommand -a "plan run status healthcheck schedule runs archive hold freeze notify tidy-state doctor config ledger completion"
complete -c steward -n "__fish_seen_subcommand_from plan run" -a "cleanup cleanup/archive-mockups cleanup/purge-signals cleanup/purge-logs cleanup/expire-objects cleanup/purge-audit-logs"
complete -c steward -n "__fish_seen_subcommand_from run" -l plan -l allow-removal -l force
complete -c steward -n "__fish_seen_subcommand_from healthcheck" -l only -l url
complete -c steward -n "__fish_seen_subcommand_from schedule" -a "cleanup rotate-logs backup analyze-query-plans update-dependencies rotate-secrets" -s n -l from -l cron -l time-zone -l dst-gap -l dst-overlap
complete -c steward -n "__fish_seen_subcommand_from runs" -a "show log cancel" -l job -l limit
complete -c steward -n "__fish_seen_subcommand_from archive" -a "list verify restore" -l all -l run -l table -l key
complete -c steward -n "__fish_seen_subcommand_from hold" -a "add test list release" -l table -l key -l where -l path -l object -l prefix -l reason -l until -l all
complete -c steward -n "__fish_seen_subcommand_from notify" -a "list test" -l open
complete -c steward -n "__fish_seen_subcommand_from freeze" -a "list lift" -l reason -l until -l all
complete -c steward -n "__fish_seen_subcommand_from tidy-state" -l plan
complete -c steward -n "__fish_seen_subcommand_from config" -a show
complete -c steward -n "__fish_seen_subcommand_from ledger" -a "verify adopt"
complete -c steward -n "__fish_seen_subcommand_from completion" -a "bash zsh fish"
complete -c steward -l json -l help -l version
)";

}  // namespace

Result<int> completion_command(const std::string& shell) {
  if (shell == "bash")
    print(bash);
  else if (shell == "zsh")
    print(zsh);
  else if (shell == "fish")
    print(fish);
  else
    return fail(Kind::bad_input, fmt::format("there is no completion for \"{}\"", printable(shell)),
                "Choose bash, zsh or fish.");
  return 0;
}

}  // namespace steward::app
