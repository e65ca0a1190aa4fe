#include "io/sql/postgres_catalogue.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/text.h"

namespace steward::sql::postgres_catalogue {
namespace {

Result<Rows> ask(Connection& db, std::string_view statement, std::initializer_list<Value> parameters) {
  return db.query(statement, {parameters.begin(), parameters.size()});
}

bool is_true(const Value& value) { return value == Value{"t"}; }

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');  // as PostgreSQL folds: ASCII alone
  return out;
}

/// $1 is the whole name, $2 and $3 its parts about the first dot; a name may hold a dot.
constexpr std::string_view find_table = R"(
select c.oid::bigint, n.nspname, c.relname, c.relkind, c.relrowsecurity,
       exists (select from pg_inherits where inhparent = c.oid)
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p', 'v', 'm', 'f') and c.oid = coalesce(
  to_regclass(quote_ident($1)),
  case when $2 <> '' and $3 <> '' then to_regclass(quote_ident($2) || '.' || quote_ident($3)) end))";

constexpr std::string_view table_columns = R"(
select attname, format_type(atttypid, atttypmod), attnotnull, attgenerated <> '', attidentity = 'a'
from pg_attribute where attrelid = $1::bigint::oid and attnum > 0 and not attisdropped order by attnum)";

constexpr std::string_view key_columns = R"(
select a.attname
from pg_index i, unnest(i.indkey) with ordinality k(attnum, n)
join pg_attribute a on a.attnum = k.attnum
where i.indrelid = $1::bigint::oid and i.indisprimary and a.attrelid = i.indrelid and k.n <= i.indnkeyatts order by k.n)";

// Constraints on partitions that only mirror their parents' are left out, where the parents' are in the list. What
// points at a descendant counts: deleting through the parent deletes there.
// A referencing table is indexed if each table that really holds rows has an index on the columns of those names.
constexpr std::string_view foreign_keys = R"(
with recursive
target as (select c.oid from pg_class c join pg_namespace n on n.oid = c.relnamespace
           where n.nspname = $1 and c.relname = $2),
down as (select oid from target union select i.inhrelid from pg_inherits i join down on i.inhparent = down.oid),
family as (select oid from down union select a.relid::oid from target, pg_partition_ancestors(target.oid) a),
pointing as (select * from pg_constraint where contype = 'f' and confrelid in (select oid from family)),
chosen as (select p.oid, p.conname, p.conrelid, p.confdeltype,
                  (select array_agg(a.attname::text order by k.n) from unnest(p.conkey) with ordinality k(attnum, n)
                   join pg_attribute a on a.attrelid = p.conrelid and a.attnum = k.attnum) as columns,
                  (select array_agg(a.attname::text order by k.n) from unnest(p.confkey) with ordinality k(attnum, n)
                   join pg_attribute a on a.attrelid = p.confrelid and a.attnum = k.attnum) as target_columns
           from pointing p where p.conparentid not in (select oid from pointing)),
holders as (select chosen.oid as constraint_oid, l.relid::oid from chosen,
              lateral (select relid from pg_partition_tree(chosen.conrelid) where isleaf
                       union select chosen.conrelid
                       where not exists (select from pg_partition_tree(chosen.conrelid))) l),
lacking as (select h.constraint_oid from holders h join chosen c on c.oid = h.constraint_oid
            where not exists (
              select from pg_index i join pg_class x on x.oid = i.indexrelid join pg_am m on m.oid = x.relam
              where i.indrelid = h.relid and i.indisvalid and i.indisready and i.indpred is null
                and m.amname in ('btree', 'hash') and i.indnkeyatts >= cardinality(c.columns)
                and (select array_agg(a.attname::text) from unnest(i.indkey) with ordinality k(attnum, n)
                     join pg_attribute a on a.attrelid = h.relid and a.attnum = k.attnum
                     where k.n <= cardinality(c.columns)) @> c.columns))
select n.nspname, r.relname, c.conname, c.confdeltype, k.n, c.columns[k.n], c.target_columns[k.n],
       c.oid not in (select constraint_oid from lacking)
from chosen c join pg_class r on r.oid = c.conrelid join pg_namespace n on n.oid = r.relnamespace,
     generate_subscripts(c.columns, 1) k(n)
order by n.nspname, r.relname, c.conname, k.n)";

constexpr std::string_view leading_index = R"(
with target as (select c.oid from pg_class c join pg_namespace n on n.oid = c.relnamespace
                where n.nspname = $1 and c.relname = $2),
holders as (select t.relid::oid from target, pg_partition_tree(target.oid) t where isleaf
            union select oid from target where not exists (select from pg_partition_tree(target.oid)))
select count(*) > 0 and bool_and(exists (
  select from pg_index i join pg_class x on x.oid = i.indexrelid join pg_am m on m.oid = x.relam
  join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
  where i.indrelid = h.relid and i.indisvalid and i.indisready and i.indpred is null
    and m.amname in ('btree', 'brin') and a.attname = $3)) from holders h)";

// As the planner: rows for each page when it was last analyzed, times its pages now.
constexpr std::string_view row_estimate = R"(
with recursive family as (
  select c.oid from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = $1 and c.relname = $2
  union select i.inhrelid from pg_inherits i join family on i.inhparent = family.oid)
select case when count(*) > 0 and bool_and(c.reltuples >= 0 and (c.relpages > 0 or c.reltuples = 0)) then
  sum(case when c.relpages > 0 then c.reltuples / c.relpages * pg_relation_size(c.oid)
                                    / current_setting('block_size')::float8 else 0 end)::bigint end
from family join pg_class c on c.oid = family.oid where c.relkind in ('r', 'm'))";

// Rights on single columns count where those columns are all that is asked for; of UPDATE any column will do, where
// nothing but a lock needs it.
constexpr std::string_view has_right = R"(
select has_table_privilege(c.oid, $3)
       or $3 = 'UPDATE' and not $5::boolean and $4::text[] <> '{}' and has_any_column_privilege(c.oid, $3)
       or $4::text[] <> '{}' and (select bool_and(has_column_privilege(c.oid, name, $3)) from unnest($4::text[]) name)
from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = $1 and c.relname = $2)";

std::string array_of(std::span<const std::string> names) {
  std::string out = "{";
  for (const std::string& name : names) {
    out += out.size() > 1 ? ",\"" : "\"";
    for (const char c : name) {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
    out += '"';
  }
  return out + '}';
}

TableKind kind_of(std::string_view relkind) {
  switch (relkind.empty() ? ' ' : relkind[0]) {
    case 'r': return TableKind::table;
    case 'p': return TableKind::partitioned;
    case 'v': return TableKind::view;
    case 'm': return TableKind::materialized_view;
    case 'f': return TableKind::foreign;
    default: return TableKind::other;
  }
}

std::string_view on_delete(std::string_view code) {
  switch (code.empty() ? ' ' : code[0]) {
    case 'r': return "RESTRICT";
    case 'c': return "CASCADE";
    case 'n': return "SET NULL";
    case 'd': return "SET DEFAULT";
    default: return "NO ACTION";
  }
}

Result<std::optional<Row>> find(Connection& db, std::string_view table) {
  const std::size_t dot = table.find('.');
  const std::string schema(dot == std::string_view::npos ? "" : table.substr(0, dot));
  const std::string name(dot == std::string_view::npos ? "" : table.substr(dot + 1));
  Rows rows = TRY(ask(db, find_table, {std::string(table), schema, name}));
  if (rows.rows.empty()) return std::nullopt;
  return std::move(rows.rows[0]);
}

std::unexpected<Error> no_such_table(Connection& db, std::string_view table) {
  std::vector<std::string> names;
  const auto visible = ask(db,
                           "select case when pg_table_is_visible(c.oid) then '' else n.nspname || '.' end || c.relname "
                           "from pg_class c join pg_namespace n on n.oid = c.relnamespace "
                           "where c.relkind in ('r', 'p', 'v', 'm', 'f') and n.nspname !~ '^pg_' "
                           "and n.nspname <> 'information_schema'",
                           {});
  if (visible)
    for (const Row& row : visible->rows) names.push_back(to_text(row[0]));
  std::string hint = did_you_mean(table, names);
  const std::string elsewhere = "." + std::string(table);
  for (const std::string& name : names)
    if (hint.empty() && name.ends_with(elsewhere)) hint = fmt::format("Did you mean \"{}\"?", name);
  return fail(Kind::not_found, fmt::format("there is no table \"{}\" in {}", printable(table), db.shown()), hint);
}

}  // namespace

Result<TableInfo> describe(Connection& db, std::string_view table) {
  std::optional<Row> found = TRY(find(db, table));
  if (!found) found = TRY(find(db, lower(table)));
  if (!found) return no_such_table(db, table);
  const Row& row = *found;
  TableInfo out{.schema = to_text(row[1]),
                .name = to_text(row[2]),
                .kind = kind_of(to_text(row[3])),
                .has_children = is_true(row[5]),
                .row_security = is_true(row[4])};
  const Rows columns = TRY(ask(db, table_columns, {row[0]}));
  for (const Row& column : columns.rows)
    out.columns.push_back({.name = to_text(column[0]),
                           .type = to_text(column[1]),
                           .not_null = is_true(column[2]),
                           .generated = is_true(column[3]),
                           .identity_always = is_true(column[4])});
  const Rows key = TRY(ask(db, key_columns, {row[0]}));
  for (const Row& column : key.rows) out.primary_key.push_back(to_text(column[0]));
  return out;
}

Result<std::vector<Reference>> references_to(Connection& db, const TableInfo& table) {
  const Rows rows = TRY(ask(db, foreign_keys, {table.schema, table.name}));
  std::vector<Reference> out;
  for (const Row& row : rows.rows) {
    if (to_integer(row[4]) == 1)
      out.push_back({.schema = to_text(row[0]),
                     .table = to_text(row[1]),
                     .name = to_text(row[2]),
                     .on_delete = std::string(on_delete(to_text(row[3]))),
                     .indexed = is_true(row[7])});
    out.back().columns.push_back(to_text(row[5]));
    out.back().target_columns.push_back(to_text(row[6]));
  }
  return out;
}

Result<bool> has_index_on(Connection& db, const TableInfo& table, std::string_view column) {
  const Rows rows = TRY(ask(db, leading_index, {table.schema, table.name, std::string(column)}));
  return is_true(rows.rows.at(0).at(0));
}

Result<std::optional<std::uint64_t>> estimated_rows(Connection& db, const TableInfo& table) {
  const Rows rows = TRY(ask(db, row_estimate, {table.schema, table.name}));
  const Value& count = rows.rows.at(0).at(0);
  if (is_null(count)) return std::nullopt;
  return static_cast<std::uint64_t>(to_integer(count));
}

Result<std::vector<Right>> missing_rights(Connection& db, std::span<const Right> wanted) {
  std::vector<Right> missing;
  for (const Right& right : wanted) {
    const Rows rows = TRY(ask(db, has_right,
                              {right.schema, right.table, right.privilege, array_of(right.columns),
                               std::string(right.of_each ? "true" : "false")}));
    if (rows.rows.empty() || !is_true(rows.rows[0][0])) missing.push_back(right);
  }
  return missing;
}

}  // namespace steward::sql::postgres_catalogue
