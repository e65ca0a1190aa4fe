#include <fmt/format.h>

#include <array>
#include <charconv>
#include <limits>
#include <nlohmann/json.hpp>

#include "run/manifest/manifest.h"
#include "run/manifest/row_json.h"

namespace steward::manifest {
namespace {
using nlohmann::json;

/// The second has rows of other tables with a row (referring.h); a manifest without them is of the first.
constexpr int format = 2;
constexpr std::array state_names{"planned",     "copied",      "verified", "row_gone",
                                 "source_gone", "source_kept", "undone",   "forgotten"};

std::unexpected<Error> not_a_line(std::string_view why) {
  return fail(Kind::corrupt, fmt::format("a manifest has a line that is none: {}", why),
              "Compare it with docs/archive-format.md; the copies beside it are untouched.");
}

/// What is nested deeper than any line of ours would use up the stack when it is copied or written.
bool is_too_deep(std::string_view line) {
  constexpr int most = 100;
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < line.size() && depth <= most; ++i) {
    const char c = line[i];
    if (c == '"') in_string = !in_string;
    if (in_string && c == '\\') ++i;
    if (in_string) continue;
    if (c == '[' || c == '{') ++depth;
    if (c == ']' || c == '}') --depth;
  }
  return depth > most;
}

Result<json> parsed(std::string_view line) {
  if (is_too_deep(line)) return not_a_line("it is nested too deep");
  json document = json::parse(line, nullptr, false);
  if (!document.is_object()) return not_a_line("it is not a JSON object");
  return document;
}

/// Copies a member that is there into `to`.
Result<void> take_bytes(const json& document, const char* name, std::string& to) {
  if (const auto it = document.find(name); it != document.end()) to = TRY(bytes_from_json(*it));
  return {};
}

Result<void> take_count(const json& document, const char* name, std::uint64_t& to) {
  const auto it = document.find(name);
  if (it == document.end()) return {};
  if (!it->is_number_unsigned()) return not_a_line(fmt::format("\"{}\" is not a count", name));
  to = it->get<std::uint64_t>();
  return {};
}

Result<void> take_flag(const json& document, const char* name, bool& to) {
  const auto it = document.find(name);
  if (it == document.end()) return {};
  if (!it->is_boolean()) return not_a_line(fmt::format("\"{}\" is not true or false", name));
  to = it->get<bool>();
  return {};
}

Result<std::vector<std::string>> strings_in(const json& document, const char* name) {
  std::vector<std::string> out;
  const auto it = document.find(name);
  if (it == document.end()) return out;
  if (!it->is_array()) return not_a_line(fmt::format("\"{}\" is not a list", name));
  for (const json& element : *it) out.push_back(TRY(bytes_from_json(element)));
  return out;
}

json to_list(const std::vector<std::string>& strings) {
  json out = json::array();
  for (const std::string& s : strings) out.push_back(bytes_to_json(s));
  return out;
}

/// A user's or a group's number: cut off at 32 bits it would be another's, 4294967296 root's.
Result<void> take_id(const json& document, const char* name, std::uint32_t& to) {
  std::uint64_t number = to;
  TRY(take_count(document, name, number));
  if (number > std::numeric_limits<std::uint32_t>::max()) return not_a_line(fmt::format("\"{}\" is not an id", name));
  to = static_cast<std::uint32_t>(number);
  return {};
}

/// Permission bits (octal, as chmod takes them), owner, group and mtime of the source.
Result<void> take_attributes(const json& document, Item& item) {
  if (const auto mode = document.find("mode"); mode != document.end()) {
    const std::string digits = TRY(bytes_from_json(*mode));
    std::uint32_t bits = 0;
    const auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), bits, 8);
    if (ec != std::errc{} || end != digits.data() + digits.size() || bits > 07777)
      return not_a_line("\"mode\" is not one");
    item.mode = bits;
  }
  TRY(take_id(document, "owner", item.owner));
  TRY(take_id(document, "group", item.group));
  std::string modified;
  TRY(take_bytes(document, "modified", modified));
  if (!modified.empty()) item.modified = parse_instant(modified);
  return {};
}

Result<State> state_in(const json& document) {
  const auto it = document.find("state");
  if (it == document.end() || !it->is_string()) return not_a_line("it has no state");
  for (std::size_t i = 0; i < state_names.size(); ++i)
    if (*it == state_names[i]) return static_cast<State>(i);
  return fail(Kind::refused, "a manifest has a state that this program does not know",
              "Use the steward that wrote it, or a newer one.", "manifest-newer");
}

}  // namespace

std::string_view name_of(State state) { return state_names[static_cast<std::size_t>(state)]; }

bool is_final(const Header& header, State state) {
  if (state == State::undone || state == State::forgotten) return true;
  if (header.final_state == "row_gone") return state == State::row_gone;
  return state == State::source_gone || state == State::source_kept;
}

std::string line_of(const Header& header) {
  json document{{"steward", "manifest"},
                {"format", header.referring.empty() ? 1 : format},
                {"run", bytes_to_json(header.run)},
                {"task", bytes_to_json(header.task)},
                {"archive", bytes_to_json(header.archive)},
                {"environment", bytes_to_json(header.environment)},
                {"database", bytes_to_json(header.database)},
                {"database_id", bytes_to_json(header.database_id)},
                {"table", bytes_to_json(header.table)},
                {"key_columns", to_list(header.key_columns)},
                {"file_column", bytes_to_json(header.file_column)},
                {"final_state", bytes_to_json(header.final_state)},
                {"began", format_instant(header.began)}};
  if (header.cutoff) document["cutoff"] = format_instant(*header.cutoff);
  if (!header.referring.empty()) document["referring"] = to_list(header.referring);
  return document.dump();
}

Result<Header> header_from_line(std::string_view line) {
  const json document = TRY(parsed(line));
  if (document.value("steward", json()) != "manifest" || !document.value("format", json()).is_number_integer())
    return not_a_line("it is no header");
  if (document["format"].get<double>() > format)  // a double holds any number that may stand there
    return fail(Kind::refused,
                fmt::format("a manifest is of format {}, this program knows {}", document["format"].dump(), format),
                "Use the steward that wrote it, or a newer one.", "manifest-newer");
  Header header;
  for (const auto& [name, to] : {std::pair{"run", &header.run},
                                 {"task", &header.task},
                                 {"archive", &header.archive},
                                 {"environment", &header.environment},
                                 {"database", &header.database},
                                 {"database_id", &header.database_id},
                                 {"table", &header.table},
                                 {"file_column", &header.file_column},
                                 {"final_state", &header.final_state}})
    TRY(take_bytes(document, name, *to));
  header.key_columns = TRY(strings_in(document, "key_columns"));
  header.referring = TRY(strings_in(document, "referring"));
  std::string began;
  TRY(take_bytes(document, "began", began));
  header.began = parse_instant(began).value_or(Instant{});
  std::string cutoff;
  TRY(take_bytes(document, "cutoff", cutoff));
  if (const auto instant = parse_instant(cutoff)) header.cutoff = *instant;
  return header;
}

std::string line_of(const Item& item, bool whole) {
  json document{{"item", item.number}, {"state", name_of(item.state)}};
  if (!item.superseded.empty()) document["superseded"] = to_list(item.superseded);
  if (item.state == State::forgotten) {  // of what it was, nothing stays but that it was
    document["reason"] = bytes_to_json(item.reason);
    return document.dump();
  }
  if (whole || item.state == State::planned) {
    document["key"] = bytes_to_json(item.key);
    if (!item.row.empty()) document["row"] = json::parse(item.row, nullptr, false);
    if (!item.referring.empty()) document["referring"] = to_json(item.referring);
    if (!item.source.empty()) document["source"] = bytes_to_json(item.source);
    if (item.rows > 0) document["rows"] = item.rows;
    if (item.missing) document["missing"] = true;
  }
  const bool has_copy = !item.missing;
  if (has_copy && (whole || item.state == State::planned || item.state == State::copied))
    document["copy"] = bytes_to_json(item.copy);
  if (has_copy && ((whole && !item.sha256.empty()) || item.state == State::copied)) {
    document["sha256"] = bytes_to_json(item.sha256);
    document["bytes"] = item.size.count;
    document["made"] = item.made;
    if (item.mode) {
      document["mode"] = fmt::format("{:04o}", *item.mode);
      document["owner"] = item.owner;
      document["group"] = item.group;
    }
    if (item.modified) document["modified"] = format_instant(*item.modified);
  }
  if (!item.kept.empty()) document["kept"] = to_list(item.kept);
  if (!item.reason.empty()) document["reason"] = bytes_to_json(item.reason);
  return document.dump();
}

Result<std::uint64_t> number_in_line(std::string_view line) {
  const json document = TRY(parsed(line));
  std::uint64_t number = 0;
  TRY(take_count(document, "item", number));
  if (number == 0) return not_a_line("it has no item number");
  return number;
}

Result<Item> item_from_line(std::string_view line, const Item* known) {
  const json document = TRY(parsed(line));
  Item item = known != nullptr ? *known : Item{};
  TRY(take_count(document, "item", item.number));
  if (item.number == 0) return not_a_line("it has no item number");
  item.state = TRY(state_in(document));
  for (const auto& [name, to] : {std::pair{"key", &item.key},
                                 {"source", &item.source},
                                 {"copy", &item.copy},
                                 {"sha256", &item.sha256},
                                 {"reason", &item.reason}})
    TRY(take_bytes(document, name, *to));
  TRY(take_count(document, "rows", item.rows));
  TRY(take_count(document, "bytes", item.size.count));
  if (const auto row = document.find("row"); row != document.end()) {
    if (!row->is_object()) return not_a_line("\"row\" is not an object");
    item.row = row->dump();
  }
  if (const auto referring = document.find("referring"); referring != document.end())
    item.referring = TRY(referring_from_json(*referring));
  TRY(take_flag(document, "made", item.made));
  TRY(take_flag(document, "missing", item.missing));
  TRY(take_attributes(document, item));
  if (document.contains("kept")) item.kept = TRY(strings_in(document, "kept"));
  if (document.contains("superseded")) item.superseded = TRY(strings_in(document, "superseded"));
  return item;
}

}  // namespace steward::manifest
