#include "jobs/backup/copy_statement.h"

#include <fmt/format.h>

#include "core/text.h"

namespace steward::backup {
namespace {

constexpr std::string_view copying = "COPY ", from_input = " FROM stdin;";

/// Takes an identifier off the front, bare or in quotes; false where there is none.
bool take_identifier(std::string_view& text) {
  if (!text.starts_with('"')) {
    const std::size_t length = std::min(text.find_first_of(" .("), text.size());
    text.remove_prefix(length);
    return length > 0;
  }
  for (std::size_t at = 1; at < text.size(); ++at) {
    if (text[at] != '"') continue;
    if (at + 1 < text.size() && text[at + 1] == '"') {
      ++at;
      continue;
    }
    text.remove_prefix(at + 1);
    return true;
  }
  return false;
}

/// "(id, at)", or nothing: of a table that has no columns that are copied.
Result<std::string> columns_in(std::string_view statement) {
  const auto other = [&] {
    return fail(Kind::corrupt, fmt::format("pg_dump copies in a way that is not known here: {}", printable(statement)));
  };
  std::string_view rest = trim(statement);
  if (!rest.starts_with(copying) || !rest.ends_with(from_input)) return other();
  rest.remove_prefix(copying.size());
  rest.remove_suffix(from_input.size());
  if (!take_identifier(rest) || !rest.starts_with('.')) return other();
  rest.remove_prefix(1);
  if (!take_identifier(rest)) return other();
  rest = trim(rest);
  if (!rest.empty() && !(rest.starts_with('(') && rest.ends_with(')'))) return other();
  return std::string(rest);
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

Result<std::string> copy_out_statement(const TocEntry& entry, std::string_view condition) {
  const std::string columns = TRY(columns_in(entry.copy));
  const std::string table = quoted_name(entry.schema, entry.tag);
  if (condition.empty()) return fmt::format("COPY {} {} TO STDOUT", table, columns);
  const std::string_view selected = columns.size() > 2 ? std::string_view(columns).substr(1, columns.size() - 2) : "*";
  return fmt::format("COPY (SELECT {} FROM {} {}) TO STDOUT", selected, table, condition);
}

}  // namespace steward::backup
