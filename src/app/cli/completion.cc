#include "app/cli/completion.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/text.h"

namespace steward::app {
namespace {

std::string words_of(const CommandWords& command) {
  std::vector<std::string> words;
  for (const auto* list : {&command.next, &command.flags})
    for (const Word& word : *list) words.push_back(word.text);
  return fmt::format("{}", fmt::join(words, " "));
}

/// The branches of a `case` on the first two words behind the program's name; "archive show" stands before "archive".
std::string branches(const std::vector<CommandWords>& commands, std::string_view act) {
  std::string out;
  for (const bool deep : {true, false})
    for (const CommandWords& command : commands) {
      if (command.command.contains(' ') != deep || command.command.empty()) continue;
      out += fmt::format("    \"{}\"*) {} ;;\n", command.command + (deep ? "" : " "),
                         fmt::format(fmt::runtime(act), words_of(command)));
    }
  for (const CommandWords& command : commands)
    if (command.command.empty())
      out += fmt::format("    *) {} ;;\n", fmt::format(fmt::runtime(act), words_of(command)));
  return out;
}

std::string bash(const std::vector<CommandWords>& commands) {
  return "# steward completion for bash: source <(steward completion bash)\n"
         "_steward() {\n"
         "  local current=${COMP_WORDS[COMP_CWORD]} first= second= words=\n"
         "  [ \"$COMP_CWORD\" -le 1 ] || first=${COMP_WORDS[1]}\n"
         "  [ \"$COMP_CWORD\" -le 2 ] || second=${COMP_WORDS[2]}\n"
         "  case \"$first $second\" in\n" +
         branches(commands, "words=\"{}\"") +
         "  esac\n"
         "  mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\")\n"
         "}\n"
         "complete -o default -F _steward steward\n";
}

std::string zsh(const std::vector<CommandWords>& commands) {
  return "#compdef steward\n"
         "# steward completion for zsh: source <(steward completion zsh)\n"
         "_steward() {\n"
         "  local first= second=\n"
         "  (( CURRENT > 2 )) && first=$words[2]\n"
         "  (( CURRENT > 3 )) && second=$words[3]\n"
         "  case \"$first $second\" in\n" +
         branches(commands, "compadd -- {}") +
         "  esac\n"
         "}\n"
         "compdef _steward steward\n";
}

/// In single quotes, as fish reads them.
std::string quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + '\'';
}

/// When a command's words fit: all of its own were seen, and none of those that may follow.
std::string condition(const CommandWords& command, bool none_of_next) {
  if (command.command.empty()) return none_of_next ? "__fish_use_subcommand" : "";
  std::vector<std::string> parts;
  for (const std::string& word : split(command.command, ' ')) parts.push_back("__fish_seen_subcommand_from " + word);
  std::vector<std::string> next;
  for (const Word& word : command.next) next.push_back(word.text);
  if (none_of_next && !next.empty())
    parts.push_back(fmt::format("not __fish_seen_subcommand_from {}", fmt::join(next, " ")));
  return fmt::format("{}", fmt::join(parts, "; and "));
}

std::string fish(const std::vector<CommandWords>& commands) {
  std::string out = "# steward completion for fish: steward completion fish | source\ncomplete -c steward -f\n";
  const auto line = [&](const std::string& when, std::string_view option, const Word& word) {
    out += "complete -c steward";
    if (!when.empty()) out += fmt::format(" -n {}", quoted(when));
    out += fmt::format(" {} {}", option, word.text);
    if (!word.what.empty()) out += fmt::format(" -d {}", quoted(word.what));
    out += '\n';
  };
  for (const CommandWords& command : commands) {
    for (const Word& word : command.next) line(condition(command, true), "-a", word);
    for (const Word& flag : command.flags) line(condition(command, false), "-l", {flag.text.substr(2), flag.what});
  }
  return out;
}

}  // namespace

Result<std::string> completion_script(const std::string& shell, const std::vector<CommandWords>& commands) {
  if (shell == "bash") return bash(commands);
  if (shell == "zsh") return zsh(commands);
  if (shell == "fish") return fish(commands);
  return fail(Kind::bad_input, fmt::format("there is no completion for \"{}\"", printable(shell)),
              "Choose bash, zsh or fish.");
}

}  // namespace steward::app
