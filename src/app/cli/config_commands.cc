// config: show, check, init, schema

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "app/cli/commands.h"
#include "app/cli/session.h"
#include "app/config/init.h"
#include "app/config/json_schema.h"
#include "app/config/reference.h"
#include "app/config/variables.h"
#include "core/text.h"
#include "io/files/folder.h"

namespace steward::app {

using nlohmann::json;

Result<int> config_show_command(const Output& output) {
  const Settings settings = TRY(settings_of_process());
  json all = json::array();
  // What each key of a file is for is in its reference, and would make these lines too long.
  const bool brief = !settings.files.empty();
  std::vector<std::vector<std::string>> rows{{"SETTING", "VALUE", "FROM"}};
  if (!brief) rows.front().emplace_back("WHAT");
  for (const Shown& shown : settings.shown) {
    all.push_back({{"name", shown.name},
                   {"value", shown.value.empty() ? json(nullptr) : json(shown.value)},
                   {"from", shown.origin},
                   {"what", shown.what}});
    rows.push_back({shown.name, shown.value.empty() ? "-" : shown.value, shown.origin});
    if (!brief) rows.back().push_back(shown.what);
  }
  if (output.json)
    print_json({{"settings", all}, {"notes", settings.notes}});
  else
    print(table(rows));
  if (!output.json)
    for (const std::string& note : settings.notes) print(fmt::format("note: {}\n", printable(note)));
  return 0;
}

Result<int> config_check_command(const Output& output) {
  const CheckedSettings checked = check_settings(process_environment(), TRY(working_directory()));
  const std::string what = checked.settings.files.empty() ? "the variables" : join_and(checked.settings.files);
  json errors = json::array();
  for (const Error& error : checked.errors) {
    errors.push_back(to_json(error));
    if (output.json) continue;
    print(tinted(output, Tint::bad, printable(error.message)) + '\n');
    if (!error.hint.empty()) print(fmt::format("  {}\n", printable(error.hint)));
  }
  if (output.json) {
    print_json({{"files", checked.settings.files}, {"errors", errors}, {"notes", checked.settings.notes}});
  } else if (checked.errors.empty()) {
    for (const std::string& note : checked.settings.notes) print(fmt::format("note: {}\n", printable(note)));
    print(fmt::format("{}: right. {} {}; `steward doctor` looks at what they name.\n", what,
                      checked.settings.cleanup.size(), checked.settings.cleanup.size() == 1 ? "task" : "tasks"));
  } else {
    print(fmt::format("{} {}.\n", checked.errors.size(), checked.errors.size() == 1 ? "error" : "errors"));
  }
  return checked.errors.empty() ? 0 : 2;
}

Result<int> config_init_command(const Output& output, const std::string& file) {
  const Settings settings = TRY(read_variables(process_environment(), TRY(working_directory())));
  const std::string text = initial_file(settings);
  if (file.empty()) {
    print(text);
    return 0;
  }
  const files::Handle handle(::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!handle.valid() && errno == EEXIST)
    return fail(Kind::refused, fmt::format("{} is there already", printable(file)), "Name another file, or remove it.",
                "exists");
  if (!handle.valid())
    return fail(Kind::unavailable, fmt::format("cannot write {}: {}", printable(file), std::strerror(errno)));
  files::FileSink sink(handle.fd());
  TRY(sink.write(std::as_bytes(std::span(text))));
  TRY(files::sync_file(handle.fd()));
  if (output.json)
    print_json({{"file", file}});
  else
    print(fmt::format("{} is written. Check it: steward config check --config {}\n", file, file));
  return 0;
}

Result<int> config_schema_command(const Output&, bool markdown) {
  const Shape shape = configuration_shape();
  if (markdown)
    print(reference(shape));
  else
    print_json(json_schema(shape));
  return 0;
}

}  // namespace steward::app
