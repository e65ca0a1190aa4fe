#include "io/sql/sqlite_catalogue.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "core/text.h"

namespace steward::sql::sqlite_catalogue {
namespace {

/// One table or index of the catalogue, with its columns in order; a name is empty where it is an expression.
struct Columns {
  std::string name{};
  std::vector<std::string> columns{};
};

Result<Rows> ask(Connection& db, std::string_view statement, std::initializer_list<Value> parameters) {
  return db.query(statement, {parameters.begin(), parameters.size()});
}

bool same_name(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::ranges::equal(a, b, {}, lower, lower);
}

TableKind kind_of(std::string_view type) {
  if (type == "table") return TableKind::table;
  return type == "view" ? TableKind::view : TableKind::other;  // virtual, shadow
}

/// By its name alone, then by "schema.name": a name may hold a dot.
Result<std::optional<TableInfo>> find(Connection& db, std::string_view table) {
  const std::size_t dot = table.find('.');
  const std::string schema(dot == std::string_view::npos ? "" : table.substr(0, dot));
  const std::string rest(dot == std::string_view::npos ? "" : table.substr(dot + 1));
  const Rows rows = TRY(ask(db,
                            "select schema, name, type, wr from pragma_table_list "
                            "where (name = ?1 collate nocase and schema = 'main') "
                            "or (name = ?3 collate nocase and schema = ?2 collate nocase) "
                            "order by name = ?1 collate nocase desc",
                            {std::string(table), schema, rest}));
  if (rows.rows.empty()) return std::nullopt;
  const Row& row = rows.rows[0];
  return TableInfo{.schema = to_text(row[0]),
                   .name = to_text(row[1]),
                   .kind = kind_of(to_text(row[2])),
                   .without_rowid = to_integer(row[3]) != 0};
}

Result<std::vector<std::string>> primary_key(Connection& db, const std::string& schema, const std::string& table) {
  const Rows rows =
      TRY(ask(db, "select name from pragma_table_xinfo(?1, ?2) where pk > 0 order by pk", {table, schema}));
  std::vector<std::string> out;
  for (const Row& row : rows.rows) out.push_back(to_text(row[0]));
  return out;
}

std::unexpected<Error> no_such_table(Connection& db, std::string_view table) {
  std::vector<std::string> names;
  if (const auto rows =
          ask(db, "select name from pragma_table_list where schema = 'main' and name not like 'sqlite\\_%' escape '\\'",
              {}))
    for (const Row& row : rows->rows) names.push_back(to_text(row[0]));
  return fail(Kind::not_found, fmt::format("there is no table \"{}\" in {}", printable(table), db.shown()),
              did_you_mean(table, names));
}

/// The indexes of a table that hold all of its rows. A rowid table's INTEGER PRIMARY KEY is one, though SQLite lists
/// none for it.
Result<std::vector<Columns>> indexes(Connection& db, const std::string& schema, const std::string& table) {
  const Rows rows = TRY(ask(db,
                            "select l.name, i.name from pragma_index_list(?1, ?2) l "
                            "join pragma_index_info(l.name, ?2) i where l.partial = 0 order by l.seq, i.seqno",
                            {table, schema}));
  std::vector<Columns> out;
  for (const Row& row : rows.rows) {
    if (out.empty() || out.back().name != to_text(row[0])) out.push_back({to_text(row[0]), {}});
    out.back().columns.push_back(is_null(row[1]) ? std::string{} : to_text(row[1]));
  }
  const std::vector<std::string> key = TRY(primary_key(db, schema, table));
  if (key.size() == 1) out.push_back({"primary key", key});
  return out;
}

/// Whether the columns are the first of some index, in any order.
bool leads(const std::vector<Columns>& indexes, const std::vector<std::string>& columns) {
  return std::ranges::any_of(indexes, [&](const Columns& index) {
    if (index.columns.size() < columns.size()) return false;
    const std::span<const std::string> first(index.columns.data(), columns.size());
    return std::ranges::all_of(columns, [&](const std::string& column) {
      return std::ranges::any_of(first, [&](const std::string& name) { return same_name(name, column); });
    });
  });
}

}  // namespace

Result<TableInfo> describe(Connection& db, std::string_view table) {
  std::optional<TableInfo> found = TRY(find(db, table));
  if (!found) return no_such_table(db, table);
  constexpr int hidden_of_virtual_table = 1, generated = 2;  // 2 virtual, 3 stored
  const Rows rows = TRY(ask(db, "select name, type, \"notnull\", hidden from pragma_table_xinfo(?1, ?2) order by cid",
                            {found->name, found->schema}));
  for (const Row& row : rows.rows) {
    if (to_integer(row[3]) == hidden_of_virtual_table) continue;
    found->columns.push_back({.name = to_text(row[0]),
                              .type = to_text(row[1]),
                              .not_null = to_integer(row[2]) != 0,
                              .generated = to_integer(row[3]) >= generated});
  }
  found->primary_key = TRY(primary_key(db, found->schema, found->name));
  return *found;
}

Result<std::vector<Reference>> references_to(Connection& db, const TableInfo& table) {
  const std::string tables = TRY(db.quote_identifier(table.schema)) + ".sqlite_schema";
  const Rows rows = TRY(ask(db,
                            "select t.name, f.id, f.\"from\", f.\"to\", f.on_delete from " + tables +
                                " t join pragma_foreign_key_list(t.name, ?2) f where t.type = 'table' "
                                "and f.\"table\" = ?1 collate nocase order by t.name, f.id, f.seq",
                            {table.name, table.schema}));
  std::vector<Reference> out;
  std::int64_t last = -1;
  for (const Row& row : rows.rows) {
    if (out.empty() || out.back().table != to_text(row[0]) || last != to_integer(row[1]))
      out.push_back({.schema = table.schema, .table = to_text(row[0]), .on_delete = to_text(row[4])});
    last = to_integer(row[1]);
    Reference& reference = out.back();
    // `references t` without columns means its primary key.
    const std::size_t n = reference.columns.size();
    const std::string implied = n < table.primary_key.size() ? table.primary_key[n] : std::string{};
    reference.columns.push_back(to_text(row[2]));
    reference.target_columns.push_back(is_null(row[3]) ? implied : to_text(row[3]));
  }
  for (Reference& reference : out)
    reference.indexed = leads(TRY(indexes(db, reference.schema, reference.table)), reference.columns);
  return out;
}

Result<bool> has_index_on(Connection& db, const TableInfo& table, std::string_view column) {
  return leads(TRY(indexes(db, table.schema, table.name)), {std::string(column)});
}

Result<std::optional<std::uint64_t>> estimated_rows(Connection& db, const TableInfo& table) {
  const std::string schema = TRY(db.quote_identifier(table.schema));
  const Rows analyzed = TRY(ask(db, "select 1 from " + schema + ".sqlite_schema where name = 'sqlite_stat1'", {}));
  if (analyzed.rows.empty()) return std::nullopt;
  // "1000 20 1": rows, then rows for each value of the index's first columns.
  const Rows rows =
      TRY(ask(db, "select stat from " + schema + ".sqlite_stat1 where tbl = ?1 collate nocase limit 1", {table.name}));
  if (rows.rows.empty()) return std::nullopt;
  const std::string stat = to_text(rows.rows[0][0]);
  std::uint64_t count = 0;
  const auto [end, error] = std::from_chars(stat.data(), stat.data() + stat.size(), count);
  return error == std::errc{} ? std::optional(count) : std::nullopt;
}

}  // namespace steward::sql::sqlite_catalogue
