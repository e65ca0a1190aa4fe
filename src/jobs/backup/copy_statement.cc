#include "jobs/backup/copy_statement.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "core/text.h"

namespace steward::backup {
namespace {

constexpr std::string_view copying = "COPY ", from_input = " FROM stdin;";

/// Takes an identifier off the front, bare or in quotes, and gives its name; nothing where there is none.
std::optional<std::string> take_identifier(std::string_view& text) {
  std::string name;
  if (!text.starts_with('"')) {
    name = text.substr(0, text.find_first_of(" .("));
    text.remove_prefix(name.size());
    return name.empty() ? std::nullopt : std::optional(name);
  }
  for (std::size_t at = 1; at < text.size(); ++at) {
    const bool is_quote = text[at] == '"', is_twice = is_quote && text.substr(at + 1).starts_with('"');
    if (is_quote && !is_twice) {
      text.remove_prefix(at + 1);
      return name;
    }
    if (is_twice) ++at;
    name += text[at];
  }
  return {};
}

/// Of `COPY schema.table (columns) FROM stdin;`.
struct Copied {
  std::string schema{}, table{};
  std::string columns{};  ///< "(id, at)", or nothing: of a table that has no columns that are copied.
};
std::optional<Copied> parts_of(std::string_view statement) {
  std::string_view rest = trim(statement);
  if (!rest.starts_with(copying) || !rest.ends_with(from_input)) return {};
  rest.remove_prefix(copying.size());
  rest.remove_suffix(from_input.size());
  const auto schema = take_identifier(rest);
  if (!schema || !rest.starts_with('.')) return {};
  rest.remove_prefix(1);
  const auto table = take_identifier(rest);
  rest = trim(rest);
  if (!table || (!rest.empty() && !(rest.starts_with('(') && rest.ends_with(')')))) return {};
  return Copied{.schema = *schema, .table = *table, .columns = std::string(rest)};
}

}  // namespace

std::string quoted_name(std::string_view schema, std::string_view table) {
  std::string out;
  for (const std::string_view name : {schema, table}) {
    out += out.empty() ? "\"" : ".\"";
    for (const char c : name) {
      if (c == '"') out += '"';
      out += c;
    }
    out += '"';
  }
  return out;
}

std::string root_of(const TocEntry& entry) {
  const auto copied = parts_of(entry.copy);
  const bool is_its_own = !copied || (copied->schema == entry.schema && copied->table == entry.tag);
  return is_its_own ? std::string{} : copied->schema + '.' + copied->table;
}

Result<std::string> copy_out_statement(const TocEntry& entry, std::string_view condition) {
  const auto copied = parts_of(entry.copy);
  if (!copied)
    return fail(Kind::corrupt,
                fmt::format("pg_dump copies in a way that is not known here: {}", printable(entry.copy)));
  const std::string& columns = copied->columns;
  const std::string table = quoted_name(entry.schema, entry.tag);
  if (condition.empty()) return fmt::format("COPY {} {} TO STDOUT", table, columns);
  const std::string_view selected = columns.size() > 2 ? std::string_view(columns).substr(1, columns.size() - 2) : "*";
  return fmt::format("COPY (SELECT {} FROM {} {}) TO STDOUT", selected, table, condition);
}

}  // namespace steward::backup
