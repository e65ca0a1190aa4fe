#include "jobs/retention/partitions.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "core/text.h"
#include "run/state.h"

namespace steward::retention {
namespace {

using nlohmann::json;

constexpr std::size_t named_at_most = 3;
constexpr std::size_t samples_at_most = 10;

/// The tree below $1.$2, parents first; a partition that is being detached is not in it. By a parent's key: whether it
/// is RANGE of the column $3 alone.
constexpr std::string_view partition_tree = R"(
with recursive tree as (
  select c.oid, null::oid as parent, 0 as level
  from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = $1 and c.relname = $2
  union all
  select i.inhrelid, i.inhparent, level + 1 from pg_inherits i join tree on i.inhparent = tree.oid
  where not coalesce((to_jsonb(i) ->> 'inhdetachpending')::boolean, false))
select tree.oid::bigint, tree.parent::bigint, n.nspname, c.relname, pn.nspname, pc.relname,
       coalesce(pg_get_expr(c.relpartbound, c.oid), ''),
       coalesce(p.partstrat = 'r' and p.partnatts = 1 and a.attname = $3, false)
from tree join pg_class c on c.oid = tree.oid join pg_namespace n on n.oid = c.relnamespace
join pg_class pc on pc.oid = tree.parent join pg_namespace pn on pn.oid = pc.relnamespace
left join pg_partitioned_table p on p.partrelid = tree.parent
left join pg_attribute a on a.attrelid = tree.parent and a.attnum = p.partattrs[0]
order by tree.level, n.nspname, c.relname)";

constexpr std::string_view tree_keys = R"(
select distinct pg_get_partkeydef(t.relid) from pg_class c join pg_namespace n on n.oid = c.relnamespace,
  lateral pg_partition_tree(c.oid) t
where n.nspname = $1 and c.relname = $2 and not t.isleaf order by 1)";

/// Why the partition $1 of $2 cannot go as a whole: whatever a DELETE would set off and a drop would not, and whatever
/// stands in the way of a drop.
constexpr std::string_view obstacles = R"(
with own as (select relid::oid as oid from pg_partition_tree($1::bigint::oid::regclass)
             union select $1::bigint::oid),
line as (select oid from own union select relid::oid from pg_partition_ancestors($1::bigint::oid::regclass))
select 1, 'it, or a part of it, is a foreign table' from own join pg_class c using (oid) where c.relkind = 'f'
union all
select 2, 'the trigger ' || t.tgname || ' is for rows that are deleted' from pg_trigger t join line on t.tgrelid = line.oid
where not t.tgisinternal and t.tgenabled <> 'D' and t.tgtype & 8 <> 0
union all
select 3, 'the rule ' || r.rulename || ' is for rows that are deleted' from pg_rewrite r join line on r.ev_class = line.oid
where r.ev_type = '4'
union all
select 4, 'the publication ' || p.pubname || ' sends deletes to its subscribers, and no drop'
from pg_publication_tables pt join pg_publication p using (pubname)
join pg_namespace n on n.nspname = pt.schemaname join pg_class c on c.relnamespace = n.oid and c.relname = pt.tablename
join line on line.oid = c.oid where p.pubdelete
union all
select 5, regexp_replace(pg_describe_object(d.classid, d.objid, d.objsubid), '^rule "?_RETURN"? on ', '')
          || ' depends on it'
from pg_depend d join own on d.refobjid = own.oid
where d.refclassid = 'pg_class'::regclass and d.deptype = 'n' and not exists (
  select from pg_constraint c where d.classid = 'pg_constraint'::regclass and c.oid = d.objid
  and (c.conparentid <> 0 or c.conrelid in (select oid from own)))
union all
select 6, format('%s owns it, and %s is not a member of that role', pg_get_userbyid(c.relowner), current_user)
from pg_class c where (c.oid in (select oid from own) or c.oid = $2::bigint::oid) and not pg_has_role(c.relowner, 'USAGE')
order by 1, 2 limit 1)";

std::string full(const sql::Value& schema, const sql::Value& name) {
  return sql::to_text(schema) + '.' + sql::to_text(name);
}

Result<std::string> quoted(const sql::Connection& db, const sql::Value& schema, const sql::Value& name) {
  return TRY(db.quote_identifier(sql::to_text(schema))) + '.' + TRY(db.quote_identifier(sql::to_text(name)));
}

bool is_true(const sql::Value& value) { return value == sql::Value{"t"}; }

/// One of the tree, and whether its bounds are of the age column.
struct Node {
  Partition partition{};
  bool by_age = false;
};

Result<std::vector<Node>> tree_of(const Table& table, const std::string& age_column) {
  const sql::Value parameters[] = {table.info().schema, table.info().name, age_column};
  std::vector<Node> nodes;
  for (const sql::Row& row : TRY(table.db().query(partition_tree, parameters)).rows) {
    Node node{.partition = {.oid = sql::to_integer(row[0]),
                            .parent_oid = sql::to_integer(row[1]),
                            .name = full(row[2], row[3]),
                            .parent = full(row[4], row[5]),
                            .sql_name = TRY(quoted(table.db(), row[2], row[3])),
                            .parent_sql = TRY(quoted(table.db(), row[4], row[5]))}};
    const auto bounds = bounds_in(sql::to_text(row[6]));
    node.by_age = is_true(row[7]) && bounds;
    if (bounds) {
      node.partition.from = bounds->from;
      node.partition.to = bounds->to;
    }
    nodes.push_back(std::move(node));
  }
  return nodes;
}

/// Those with an upper bound below which no value can be young: the policy's own predicate is asked about the largest
/// value that the bound lets in. From the oldest on.
Result<std::vector<std::int64_t>> old_by_bound(const Table& table, const RowRules& rules,
                                               const std::vector<Node>& nodes, Instant cutoff) {
  const auto column =
      std::ranges::find_if(table.info().columns, [&](const sql::Column& c) { return c.name == rules.age_column; });
  const bool moments = column->type.starts_with("timestamp");
  const std::string type = !moments                                     ? column->type
                           : column->type.contains("without time zone") ? "timestamp"
                                                                        : "timestamptz";
  std::string oids = "{", uppers = "{";
  for (const Node& node : nodes) {
    if (!node.by_age || !node.partition.to) continue;
    oids += fmt::format("{}{}", oids.size() > 1 ? "," : "", node.partition.oid);
    uppers += fmt::format("{}\"{}\"", uppers.size() > 1 ? "," : "", *node.partition.to);
  }
  const sql::Fragment statement =
      "select t.steward_oid from (select x.o as steward_oid, x.u::" + type + " - " +
      (moments ? "interval '1 microsecond'" : "1") + " as " + TRY(table.quoted(rules.age_column)) + " from unnest(" +
      sql::Fragment::of(oids + "}") + "::bigint[], " + sql::Fragment::of(uppers + "}") + "::text[]) x(o, u)) t where " +
      table.old(cutoff) + " order by t." + TRY(table.quoted(rules.age_column)) + ", 1";
  std::vector<std::int64_t> old;
  for (const sql::Row& row : TRY(sql::query(table.db(), statement)).rows) old.push_back(sql::to_integer(row[0]));
  return old;
}

/// Why it cannot go as a whole, whatever is in it.
Result<std::string> obstacle(const Table& table, const Partition& partition) {
  const sql::Value parameters[] = {partition.oid, partition.parent_oid};
  const sql::Rows rows = TRY(table.db().query(obstacles, parameters));
  return rows.rows.empty() ? std::string{} : sql::to_text(rows.rows[0][1]);
}

/// Why none of them goes as a whole, without looking at any; empty: some might.
Result<std::string> why_none(const Table& table, const RowPolicy& policy, const std::vector<Node>& nodes) {
  if (!policy.whole_partitions) return std::string("partitions: rows");
  if (!policy.rows.where.empty()) return std::string("the policy has conditions (where)");
  if (!policy.rows.hold_when.empty()) return std::string("the policy has conditions (hold_when)");
  if (std::ranges::any_of(nodes, &Node::by_age)) return std::string{};
  const sql::Value parameters[] = {table.info().schema, table.info().name};
  std::vector<std::string> keys;
  for (const sql::Row& row : TRY(table.db().query(tree_keys, parameters)).rows) keys.push_back(sql::to_text(row[0]));
  return fmt::format("the table is partitioned by {}, not by RANGE ({})", join_and(keys), policy.rows.age_column);
}

std::string names_of(std::span<const std::string> names) {
  std::vector<std::string> shown(names.begin(),
                                 names.begin() + static_cast<std::ptrdiff_t>(std::min(names.size(), named_at_most)));
  const std::size_t more = names.size() - shown.size();
  return fmt::format("{}{}", fmt::join(shown, ", "), more == 0 ? "" : fmt::format(" and {} more", more));
}

/// By the reason: which partitions it keeps.
class Kept {
 public:
  void add(const std::string& reason, const std::string& name) {
    if (!by_reason_.contains(reason)) order_.push_back(reason);
    by_reason_[reason].push_back(name);
  }
  std::vector<std::string> notes() const {
    std::vector<std::string> notes;
    for (const std::string& reason : order_) {
      const std::vector<std::string>& names = by_reason_.at(reason);
      notes.push_back(fmt::format("{} {} row by row, though all in {} is old: {}", names_of(names),
                                  names.size() == 1 ? "goes" : "go", names.size() == 1 ? "it" : "them", reason));
    }
    return notes;
  }

 private:
  std::vector<std::string> order_{};
  std::map<std::string, std::vector<std::string>> by_reason_{};
};

Result<Bytes> size_of(const Table& table, const Partition& partition) {
  const sql::Value oid = partition.oid;
  const sql::Rows rows =
      TRY(table.db().query("select sum(pg_total_relation_size(oid)) from (select relid::oid as oid "
                           "from pg_partition_tree($1::bigint::oid::regclass) union select $1::bigint::oid) s",
                           {&oid, 1}));
  return Bytes{static_cast<std::uint64_t>(sql::to_integer(rows.rows.at(0).at(0)))};
}

json line_of(const Partition& partition) {
  return {{"partition", partition.name},
          {"oid", partition.oid},
          {"of", partition.parent_oid},
          {"rows", partition.rows},
          {"bytes", partition.size.count}};
}

std::optional<std::string> value_in(std::string_view text) {
  if (text.size() >= 2 && text.front() == '\'' && text.back() == '\'') text = text.substr(1, text.size() - 2);
  return std::string(text);
}

}  // namespace

std::uint64_t PartitionPlan::rows() const {
  std::uint64_t sum = 0;
  for (const Partition& partition : whole) sum += partition.rows;
  return sum;
}

Bytes PartitionPlan::size() const {
  Bytes sum{};
  for (const Partition& partition : whole) sum = Bytes{sum.count + partition.size.count};
  return sum;
}

std::optional<Bounds> bounds_in(std::string_view text) {
  constexpr std::string_view begin = "FOR VALUES FROM (", middle = ") TO (";
  const std::size_t at = text.find(middle);
  if (!text.starts_with(begin) || !text.ends_with(')') || at == std::string_view::npos) return {};
  const std::string_view from = text.substr(begin.size(), at - begin.size());
  const std::string_view to = text.substr(at + middle.size(), text.size() - at - middle.size() - 1);
  const auto several = [](std::string_view values) { return values.find_first_of(",\"\\") != std::string_view::npos; };
  if (from.empty() || to.empty() || several(from) || several(to)) return {};
  Bounds bounds;
  if (from != "MINVALUE") bounds.from = value_in(from);
  if (to != "MAXVALUE") bounds.to = value_in(to);
  return bounds;
}

Result<RowVerdicts> row_verdicts(const Table& table, const Partition& partition, Instant cutoff, const Holds& holds) {
  const sql::Fragment old = table.old(cutoff);
  const sql::Rows rows =
      TRY(sql::query(table.db(), "select v, count(*) from (select case when not " + old +
                                     " then 'of no age that can be read' else " + TRY(table.strict_verdict(holds)) +
                                     " end as v from " + partition.sql_name + " t) s group by v order by v"));
  RowVerdicts verdicts;
  for (const sql::Row& row : rows.rows) {
    const std::string reason = sql::to_text(row[0]);
    const auto count = static_cast<std::uint64_t>(sql::to_integer(row[1]));
    if (reason.empty()) {
      verdicts.free = count;
      continue;
    }
    verdicts.kept += count;
    if (verdicts.reason.empty()) verdicts.reason = reason;
  }
  return verdicts;
}

Result<PartitionPlan> plan_partitions(const Table& table, const RowPolicy& policy, Instant cutoff, const Holds& holds) {
  PartitionPlan plan;
  if (table.info().kind != sql::TableKind::partitioned) return plan;
  const std::vector<Node> nodes = TRY(tree_of(table, policy.rows.age_column));
  if (nodes.empty()) return plan;
  if (std::string why = TRY(why_none(table, policy, nodes)); !why.empty()) {
    if (policy.whole_partitions) plan.notes.push_back("no partition goes as a whole: " + why);
    return plan;
  }
  const std::vector<std::int64_t> by_age = TRY(old_by_bound(table, policy.rows, nodes, cutoff));
  const std::set<std::int64_t> old(by_age.begin(), by_age.end());
  std::set<std::int64_t> covered;  // what is below one that was looked at already
  Kept kept;
  for (const Node& node : nodes) {
    const bool below = covered.contains(node.partition.parent_oid);
    if (below || old.contains(node.partition.oid)) covered.insert(node.partition.oid);
    if (below || !old.contains(node.partition.oid)) continue;
    Partition partition = node.partition;
    if (holds.any_for_table(partition.name)) {
      kept.add("a hold names it", partition.name);
      continue;
    }
    if (const std::string reason = TRY(obstacle(table, partition)); !reason.empty()) {
      kept.add(reason, partition.name);
      continue;
    }
    const RowVerdicts verdicts = TRY(row_verdicts(table, partition, cutoff, holds));
    if (verdicts.kept > 0) {
      kept.add(fmt::format("rows in it stay ({})", verdicts.reason), partition.name);
      continue;
    }
    partition.rows = verdicts.free;
    partition.size = TRY(size_of(table, partition));
    plan.whole.push_back(std::move(partition));
  }
  std::ranges::sort(plan.whole, {}, [&](const Partition& p) { return std::ranges::find(by_age, p.oid); });
  for (std::string& note : kept.notes()) plan.notes.push_back(std::move(note));
  return plan;
}

Result<std::string> enter_partitions(const PartitionPlan& partitions, Step& step, PlanContext& context) {
  std::ranges::copy(partitions.notes, std::back_inserter(step.notes));
  if (partitions.whole.empty()) return std::string{};
  LineListWriter list = TRY(LineListWriter::create(*context.state));
  std::vector<std::string> names;
  std::vector<Sample> samples;
  for (const Partition& partition : partitions.whole) {
    TRY(list.add(line_of(partition).dump()));
    names.push_back(partition.name);
    if (samples.size() < samples_at_most)
      samples.push_back(
          {.item = printable(fmt::format("partition {}, {} rows", partition.name, format_count(partition.rows))),
           .size = partition.size});
  }
  step.items = TRY(list.finish());
  step.samples = std::move(samples);
  step.planned.bytes = partitions.size();
  const std::uint64_t rest = step.planned.items - std::min(step.planned.items, partitions.rows());
  return fmt::format(
      "drop {} whole partition{} ({}; {} rows), whose space comes back to the system; {} rows: ", names.size(),
      names.size() == 1 ? "" : "s", names_of(names), format_count(partitions.rows()), format_count(rest));
}

Result<PlannedPartitions> planned_partitions(const Table& table, const Step& step, RunContext& run) {
  PlannedPartitions planned;
  if (step.items.empty()) return planned;
  std::map<std::int64_t, Partition> there;
  for (Node& node : TRY(tree_of(table, ""))) there.emplace(node.partition.oid, std::move(node.partition));
  TRY(each_item(run.state(), step.items, [&](std::string_view line) -> Result<bool> {
    const json document = json::parse(line, nullptr, false);
    if (!document.is_object() || !document.contains("oid") || !document.contains("rows"))
      return fail(Kind::corrupt, "a plan's list of partitions has a line that is none",
                  "Make a fresh plan with `steward plan`.");
    const auto rows = document.value("rows", std::uint64_t{0});
    const auto oid = document.value("oid", std::int64_t{0});
    const auto found = there.find(oid);
    planned.rows += rows;
    std::string name = document.value("partition", "");
    if (found == there.end() || found->second.name != name ||
        found->second.parent_oid != document.value("of", std::int64_t{0})) {
      run.skip("its partition is not what was planned any more", name, rows);
      planned.changed.push_back(oid);
      return true;
    }
    if (const std::string reason = TRY(obstacle(table, found->second)); !reason.empty()) {
      run.skip("its partition cannot go as a whole any more: " + reason, name, rows);
      planned.changed.push_back(oid);
      return true;
    }
    Partition partition = found->second;
    partition.rows = rows;
    partition.size = Bytes{document.value("bytes", std::uint64_t{0})};
    planned.whole.push_back(std::move(partition));
    return true;
  }));
  return planned;
}

}  // namespace steward::retention
