// hold: items that nothing may remove until they are released

#include <fmt/format.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "app/cli/await_runs.h"
#include "app/cli/commands.h"
#include "app/cli/session.h"
#include "app/documents/documents.h"
#include "core/random.h"
#include "core/text.h"
#include "io/sql/connection.h"
#include "jobs/retention/conditions.h"
#include "jobs/retention/held_rows.h"
#include "jobs/retention/needs.h"
#include "run/manifest/archive.h"

namespace steward::app {
namespace {
using nlohmann::json;

constexpr std::string_view wildcards = "*?[\\";

std::string covers_text(const ledger::Hold& hold) {
  if (hold.kind != "row" && !hold.condition.empty()) return printable(hold.condition);
  if (!hold.condition.empty())
    return fmt::format("{} where {}", hold.target,
                       printable(fmt::format("{}", fmt::join(conditions_of(hold), " and "))));
  const std::string key = printable(hold.key) + (hold.prefix ? "*" : "");
  return hold.target.empty() ? key : fmt::format("{} {}", hold.target, key);
}

// A hold that says more than a key or its beginning is entered as a prefix that covers at least as much: a steward that
// does not know of conditions holds all of it.

Result<void> rows_from(const HoldCommand& command, ledger::Hold& hold) {
  hold.kind = "row";
  hold.target = command.table;
  hold.key = command.key;
  if (command.where.empty()) {
    if (command.key.empty() && !command.prefix)
      return fail(Kind::bad_input, "a hold on rows needs a key or a condition",
                  "Give --key K or --where \"status = free\"; for all rows of the table, --key '' --prefix.");
    return {};
  }
  if (!command.key.empty() || command.prefix)
    return fail(Kind::bad_input, "--where and --key are two ways to say which rows", "Give one of them.");
  std::vector<retention::Where> conditions;
  for (const std::string& text : command.where) conditions.push_back(TRY(retention::parse_where(text)));
  hold.prefix = true;
  hold.condition = retention::conditions_to_json(conditions);
  return {};
}

std::string escaped(std::string_view literal) {
  std::string out;
  for (const char c : literal) {
    if (wildcards.contains(c)) out += '\\';
    out += c;
  }
  return out;
}

Result<void> files_from(const HoldCommand& command, ledger::Hold& hold) {
  hold.kind = "file";
  const std::string real = retention::resolved(command.path);
  const std::size_t wild = command.path.find_first_of(wildcards);
  if (!real.empty() || command.prefix || wild == std::string::npos) {
    hold.key = real.empty() ? command.path : real;
    if (command.prefix && command.path.ends_with('/') && !hold.key.ends_with('/')) hold.key += '/';
  } else {
    // Symlinks in the folders before the first wildcard are resolved, as they are in the paths that it is compared
    // with.
    const std::size_t slash = command.path.substr(0, wild).rfind('/');
    const std::string folder = slash == std::string::npos ? "." : command.path.substr(0, slash + 1);
    const std::string rest = slash == std::string::npos ? command.path : command.path.substr(slash + 1);
    std::string root = retention::resolved(folder);
    if (root.empty()) root = folder;
    if (!root.ends_with('/')) root += '/';
    hold.key = root + rest.substr(0, rest.find_first_of(wildcards));
    hold.prefix = true;
    hold.condition = escaped(root) + rest;
  }
  if (!hold.key.starts_with('/'))
    return fail(Kind::bad_input, fmt::format("there is no file {}", printable(command.path)),
                "Give an absolute path, or one that exists.");
  return {};
}

Result<void> objects_from(const HoldCommand& command, ledger::Hold& hold) {
  if (!command.object.starts_with("s3://") || command.object.find('/', 5) == std::string::npos)
    return fail(Kind::bad_input, fmt::format("\"{}\" is no object's address", printable(command.object)),
                "Write it like s3://bucket/key.");
  const std::size_t slash = command.object.find('/', 5);
  hold.kind = "object";
  hold.target = command.object.substr(0, slash);
  hold.key = command.object.substr(slash + 1);
  const std::size_t wild = hold.key.find_first_of(wildcards);
  if (hold.prefix || wild == std::string::npos) return {};
  hold.condition = command.object;
  hold.key.resize(wild);
  hold.prefix = true;
  return {};
}

/// Exactly one of rows, files and objects.
Result<void> check_one_kind(const HoldCommand& command) {
  const int kinds = !command.table.empty() + !command.path.empty() + !command.object.empty();
  if (kinds != 1)
    return fail(Kind::bad_input, "a hold covers rows, files or objects: one of them",
                "Give --table T --key K, --path P, or --object s3://bucket/key.");
  if (command.table.empty() && !command.where.empty())
    return fail(Kind::bad_input, "--where is about rows", "Give --table T as well.");
  return {};
}

/// Turns what the command line said into a hold.
Result<ledger::Hold> hold_from(const HoldCommand& command, Instant now) {
  TRY(check_one_kind(command));
  ledger::Hold hold{
      .id = "h-" + random_hex(4), .prefix = command.prefix, .reason = command.reason, .who = user_name(), .made = now};
  if (trim(command.reason).empty())
    return fail(Kind::bad_input, "a hold needs a reason",
                "Add --reason \"case 12\": it is what the next person reads.");
  hold.until = TRY(until_of(command.until, now));
  if (!command.table.empty())
    TRY(rows_from(command, hold));
  else if (!command.path.empty())
    TRY(files_from(command, hold));
  else
    TRY(objects_from(command, hold));
  return hold;
}

/// Beside the archives too, where there are any, so that a lost ledger loses no hold.
Result<void> write_beside_archives(const Session& session, const ledger::Hold& hold) {
  for (const object::StoreTarget& archive : session.settings.archives) {
    auto store = object::open(archive);
    if (!store && store.error().kind == Kind::not_found) continue;
    if (!store) return std::unexpected(std::move(store).error());
    TRY(manifest::write_hold(**store, hold));
  }
  return {};
}

/// Calls `act` with each database of the settings that has the table. not_found, with the nearest name, where none has.
Result<void> each_database_with(const Settings& settings, const std::string& table,
                                const std::function<Result<void>(const sql::Target& target, sql::Connection& db,
                                                                 const sql::TableInfo& info)>& act) {
  std::optional<Error> missing;
  bool found_one = false;
  for (const auto& [name, target] : settings.databases) {
    auto db = TRY(sql::connect(as(caller("hold", ""), target)));
    const auto found = db->describe(table);
    if (!found && found.error().kind != Kind::not_found) return std::unexpected(found.error());
    if (!found && !missing) missing = found.error();
    if (!found) continue;
    found_one = true;
    TRY(act(target, *db, *found));
  }
  return missing && !found_one ? std::unexpected(*missing) : Result<void>{};
}

/// What keeps one item, and what there is to say of it.
struct Tested {
  std::string item{};
  bool there = true;
  json by = json::array();
  std::vector<std::string> lines{};
  void add_hold(const retention::Keeper& keeper) {
    by.push_back({{"hold", keeper.hold}, {"task", nullptr}, {"why", printable(keeper.why)}});
    lines.push_back(fmt::format("{}: {}", keeper.hold, printable(keeper.why)));
  }
  void add_rule(const std::string& task, const retention::Keeper& keeper) {
    by.push_back({{"hold", nullptr}, {"task", task}, {"why", printable(keeper.why)}});
    lines.push_back(fmt::format("hold_when of {}: {}", task, printable(keeper.why)));
  }
};

Result<Tested> test_row(const Session& session, const HoldCommand& command, const Holds& holds) {
  if (command.key.empty())
    return fail(Kind::bad_input, "which row of the table?", "Give --key K, the row's primary key.");
  Tested tested{.item = fmt::format("{} {}", command.table, printable(command.key)), .there = false};
  TRY(each_database_with(
      session.settings, command.table,
      [&](const sql::Target& target, sql::Connection& db, const sql::TableInfo& info) -> Result<void> {
        const retention::RowKeepers held = TRY(retention::keepers_of_row(db, info, command.key, holds, {}));
        tested.there = tested.there || held.there;
        for (const retention::Keeper& keeper : held.keepers) tested.add_hold(keeper);
        for (const retention::TaskSpec& spec : session.settings.cleanup) {
          const retention::RowRules* rows = spec.policy ? retention::rows_of(*spec.policy) : nullptr;
          if (rows == nullptr || rows->hold_when.empty() || rows->database.url != target.url) continue;
          if (!names_table(rows->table, retention::full_name(db, info))) continue;
          const auto kept = TRY(retention::keepers_of_row(db, info, command.key, {}, rows->hold_when));
          for (const retention::Keeper& keeper : kept.keepers) tested.add_rule(spec.info.name, keeper);
        }
        return {};
      }));
  return tested;
}

/// Files and objects: each hold by itself, so that all that cover it are named.
Result<Tested> test_name(const HoldCommand& command, const Holds& holds) {
  ledger::Hold item;
  if (!command.path.empty()) {
    item.key = retention::resolved(command.path);
    if (item.key.empty()) item.key = command.path;
    if (!item.key.starts_with('/'))
      return fail(Kind::bad_input, fmt::format("there is no file {}", printable(command.path)),
                  "Give an absolute path, or one that exists.");
  } else {
    HoldCommand literal = command;
    literal.prefix = true;  // the address of one object, whatever characters are in it
    TRY(objects_from(literal, item));
  }
  Tested tested{.item = command.path.empty() ? printable(command.object) : printable(item.key)};
  for (const ledger::Hold& hold : holds.list()) {
    const Holds alone({hold}, 0);
    if (command.path.empty() ? alone.covers_object(item.target, item.key) : alone.covers_file(item.key))
      tested.add_hold({.hold = hold.id, .why = hold.reason});
  }
  return tested;
}

}  // namespace

Result<int> hold_add_command(const Output& output, const HoldCommand& command) {
  Session session = TRY(open_session_saying(output));
  const ledger::Hold hold = TRY(hold_from(command, session.clock.now()));
  if (hold.kind == "row")
    TRY(each_database_with(session.settings, hold.target,
                           [&](const sql::Target&, sql::Connection& db, const sql::TableInfo& info) {
                             return retention::check_hold(db, info, hold);
                           }));
  TRY(session.ledger->add_holds(std::span(&hold, 1)));
  TRY(write_beside_archives(session, hold));
  // Since now, not since it was made: a pulse between the two may have come before the ledger had it.
  const bool seen = TRY(await_runs(session, session.clock.now()));
  if (output.json)
    print_json(document_of(hold));
  else
    print(fmt::format("{}: {} is held{}.{}\n", hold.id, covers_text(hold),
                      hold.until ? " until " + format_instant(*hold.until) : "",
                      seen ? "" : " A run under way has not looked yet; it does before its next removal."));
  return 0;
}

Result<int> hold_test_command(const Output& output, const HoldCommand& command) {
  TRY(check_one_kind(command));
  const Session session = TRY(open_session_saying(output));
  const Holds holds(TRY(session.ledger->holds(session.clock.now())), 0);
  const Tested tested = command.table.empty() ? TRY(test_name(command, holds)) : TRY(test_row(session, command, holds));
  const bool held = !tested.lines.empty();
  if (output.json) {
    print_json({{"item", tested.item}, {"held", held}, {"there", tested.there}, {"by", tested.by}});
  } else {
    print(fmt::format("{} is {}held{}{}\n", tested.item, held ? "" : "not ", held ? ":" : ".",
                      tested.there ? "" : " There is no such row, so that conditions could not be asked."));
    for (const std::string& line : tested.lines) print(fmt::format("  {}\n", line));
  }
  return held ? 0 : 1;
}

Result<int> hold_list_command(const Output& output, bool all) {
  const Session session = TRY(open_session_saying(output));
  json list = json::array();
  std::vector<std::vector<std::string>> rows{{"HOLD", "COVERS", "REASON", "BY", "UNTIL"}};
  for (const ledger::Hold& hold : TRY(session.ledger->holds(session.clock.now(), all))) {
    list.push_back(document_of(hold));
    rows.push_back({hold.id, fmt::format("{} {}", hold.kind, covers_text(hold)), printable(hold.reason), hold.who,
                    hold.released ? "released"
                    : hold.until  ? format_instant(std::chrono::floor<std::chrono::seconds>(*hold.until))
                                  : "released by hand"});
  }
  if (output.json)
    print_json({{"holds", list}});
  else if (rows.size() == 1)
    print("Nothing is held.\n");
  else
    print(table(rows));
  return 0;
}

Result<int> hold_release_command(const Output& output, const std::string& id) {
  Session session = TRY(open_session_saying(output));
  TRY(session.ledger->release_hold(id, user_name(), session.clock.now()));
  for (const ledger::Hold& hold : TRY(session.ledger->holds(session.clock.now(), true)))
    if (hold.id == id) TRY(write_beside_archives(session, hold));
  if (output.json)
    print_json({{"id", id}, {"released", true}});
  else
    print(fmt::format("{} is released.\n", id));
  return 0;
}

}  // namespace steward::app
