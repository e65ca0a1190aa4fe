/// Completion scripts for shells, made from the command line's own grammar, so that no command can be left out.
#pragma once
#include <string>
#include <vector>

#include "core/result.h"

namespace steward::app {

/// A word that may follow, and what it means.
struct Word {
  std::string text{}, what{};
};

/// What may stand behind a command.
struct CommandWords {
  std::string command{};      ///< "archive show"; empty: behind the program's name.
  std::vector<Word> next{};   ///< Its commands, or the names that it takes.
  std::vector<Word> flags{};  ///< "--table"
};

/// The script for "bash", "zsh" or "fish"; bad_input for another.
Result<std::string> completion_script(const std::string& shell, const std::vector<CommandWords>& commands);

}  // namespace steward::app
