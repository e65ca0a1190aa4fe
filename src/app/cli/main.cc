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
