// Deciding which rows with their files go to the archive. Reads, never writes.

#include <fmt/format.h>

#include <unordered_set>

#include "core/text.h"
#include "jobs/retention/archive_files.h"
#include "jobs/retention/referring_rows.h"
#include "jobs/retention/row_step.h"
#include "run/manifest/row_json.h"

namespace steward::retention {
namespace {

/// The keys of rows that the archive's manifests know as archived from this table. Read when first asked for: only a
/// row without its file needs it.
class ArchivedBefore {
 public:
  ArchivedBefore(const FileRowPolicy& policy, const Table& table) : policy_(policy), table_(table) {}
  Result<bool> knows(const std::string& key) {
    if (!keys_) keys_ = TRY(read());
    return keys_->contains(key);
  }

 private:
  Result<std::unordered_set<std::string>> read() const {
    std::unordered_set<std::string> keys;
    const auto store = object::open(policy_.archive.store);
    if (!store && store.error().kind == Kind::not_found) return keys;
    if (!store) return std::unexpected(store.error());
    for (const manifest::Listed& listed : TRY(manifest::list(**store, archive_folder(policy_.archive, table_)))) {
      std::unordered_set<std::string> some;
      const manifest::Header header =
          TRY(manifest::read(**store, listed, [&](const manifest::Item& item) -> Result<bool> {
            const bool gone = item.state == manifest::State::source_gone || item.state == manifest::State::source_kept;
            if (gone && !item.missing) some.insert(item.key);
            return true;
          }));
      if (header.table == table_.name()) keys.merge(some);
    }
    return keys;
  }
  const FileRowPolicy& policy_;
  const Table& table_;
  std::optional<std::unordered_set<std::string>> keys_{};
};

/// Goes over the old rows, counts, and lists those that would go.
class Survey {
 public:
  Survey(const FileRowParts& parts, const Table& table, SourceFiles& files, PlanContext& context, LineListWriter& list)
      : parts_(parts), table_(table), files_(files), context_(context), list_(list), before_(parts.policy, table) {}

  Result<void> go_over(Instant cutoff, Step& step) {
    const std::size_t keys = table_.info().primary_key.size();
    const std::string keys_listed = TRY(table_.key_list("t."));
    std::string counts;
    for (const Referrer& referrer : table_.referrers()) counts += ", " + TRY(count_sql(table_.db(), referrer));
    referring_.resize(table_.referrers().size());
    const sql::Fragment select = "select " + keys_listed + ", t." + TRY(table_.quoted(parts_.policy.file_column)) +
                                 ", " + table_.age_expression() + ", " + TRY(table_.verdict(context_.holds)) + counts +
                                 " from " + table_.sql_name() + " t where " + table_.old(cutoff) + " order by " +
                                 keys_listed;
    step.planned.bytes = Bytes{};
    return sql::stream(table_.db(), select, [&](const sql::Row& row) -> Result<bool> {
      const sql::Row key(row.begin(), row.begin() + static_cast<std::ptrdiff_t>(keys));
      const std::uint64_t planned = step.planned.items;
      TRY(one(key, row[keys], table_.age_of(row[keys + 1]), sql::to_text(row[keys + 2]), step));
      for (std::size_t i = 0; step.planned.items > planned && i < referring_.size(); ++i)
        referring_[i] += static_cast<std::uint64_t>(sql::to_integer(row[keys + 3 + i]));
      return true;
    });
  }

  const Skips& skips() const { return skips_; }
  /// Of the planned rows: whose file is missing.
  std::uint64_t missing() const { return missing_; }
  /// How many rows of each of the table's `referrers` refer to the planned rows.
  const std::vector<std::uint64_t>& referring() const { return referring_; }

 private:
  Result<void> one(const sql::Row& key, const sql::Value& file, const std::optional<Instant>& age,
                   const std::string& kept, Step& step) {
    const std::string stored = sql::is_null(file) ? std::string{} : sql::to_text(file);
    const std::string named = fmt::format("{} {}", table_.info().name, manifest::key_text(key));
    Bytes size{};
    const FileRowFacts facts = TRY(facts_of(key, stored, kept, size));
    if (const auto reason = keep_reason(facts)) {
      skips_.add(*reason, stored.empty() ? named : fmt::format("{}: {}", named, stored));
      return {};
    }
    const bool missing = facts.seen == Seen::As::missing;
    missing_ += missing ? 1 : 0;
    step.planned.add(1, size);
    if (!step.oldest || (age && *age < *step.oldest)) step.oldest = age;
    if (!step.newest || (age && *age > *step.newest)) step.newest = age;
    if (step.samples.size() < 3)
      step.samples.push_back({.item = printable(fmt::format("{}: {}", named, stored)), .at = age, .size = size});
    return list_.add(item_line(key, stored, missing));
  }

  Result<FileRowFacts> facts_of(const sql::Row& key, const std::string& stored, const std::string& kept, Bytes& size) {
    const Location location = files_.locate(stored);
    const std::string address = files_.address(location);
    FileRowFacts facts{.kept_by_database = kept, .place = location.place};
    if (!kept.empty() || location.place == Place::nothing || location.place == Place::outside) return facts;
    facts.ours = location.place == Place::file ? belongs_to_steward(parts_.out_of_reach, address)
                                               : object_belongs_to_steward(parts_.out_of_reach, address);
    facts.file_held = location.place == Place::file
                          ? context_.holds.covers_file(address)
                          : context_.holds.covers_object("s3://" + location.bucket, location.key);
    const Seen seen = TRY(files_.look(location));
    facts.seen = seen.as;
    size = seen.size;
    facts.goes_without = parts_.policy.archive_missing;
    if (seen.as == Seen::As::missing) facts.archived_before = TRY(before_.knows(manifest::key_text(key)));
    return facts;
  }

  const FileRowParts& parts_;
  const Table& table_;
  SourceFiles& files_;
  PlanContext& context_;
  LineListWriter& list_;
  ArchivedBefore before_;
  Skips skips_{};
  std::uint64_t missing_ = 0;
  std::vector<std::uint64_t> referring_{};
};

/// A mount that is gone looks like files that are missing: then none of the rows may go.
std::optional<Error> missing_refusal(std::uint64_t missing, std::uint64_t planned, const std::string& root,
                                     const std::string& task) {
  if (missing * 10 <= planned) return {};
  return Error{.kind = Kind::refused,
               .message = fmt::format("the files of {} of {} planned rows are missing, more than 10 %: is {} mounted?",
                                      format_count(missing), format_count(planned), root),
               .hint = fmt::format(
                   "If they are gone indeed, let the rows go without them for this run: --allow-removal {}", task),
               .code = "brake-missing"};
}

}  // namespace

std::optional<std::string> keep_reason(const FileRowFacts& facts) {
  if (!facts.kept_by_database.empty()) return facts.kept_by_database;
  if (facts.place == Place::nothing) return "no file";
  if (facts.place == Place::outside || facts.seen == Seen::As::outside) return "outside the root";
  if (facts.ours) return "belongs to steward";
  if (facts.file_held) return "held";
  if (facts.seen == Seen::As::otherwise) return "its URL names a file only as it stands, undecoded";
  if (facts.seen != Seen::As::missing) return {};
  if (facts.archived_before) return "archived before";  // its file is in the archive: it can come back
  return facts.goes_without ? std::optional<std::string>() : "file missing";
}

std::vector<std::string> column_names(const Table& table) {
  std::vector<std::string> names;
  for (const sql::Column& column : table.info().columns) names.push_back(column.name);
  return names;
}

Result<std::string> column_list(const Table& table) {
  std::string list;
  for (const sql::Column& column : table.info().columns)
    list += (list.empty() ? "t." : ", t.") + TRY(table.quoted(column.name));
  return list;
}

sql::Row key_of(const Table& table, const sql::Row& row) {
  sql::Row key;
  for (const std::string& column : table.info().primary_key)
    for (std::size_t i = 0; i < table.info().columns.size(); ++i)
      if (table.info().columns[i].name == column) key.push_back(row[i]);
  return key;
}

Result<Step> plan_file_rows(const FileRowParts& parts, PlanContext& context) {
  const FileRowPolicy& policy = parts.policy;
  const Table table = TRY(Table::open(policy.rows));
  TRY(table.check_key());
  const std::optional<Error> lacking = TRY(table.lacks(table.rights(/*locks_rows=*/true)));
  SourceFiles files = TRY(SourceFiles::open(policy.root, policy.s3, policy.urls));
  LineListWriter list = TRY(LineListWriter::create(*context.state));
  Step step{.target = table.shown(),
            .identity = table.db().identity(),
            .age = format_age(policy.rows.age),
            .cutoff = context.cutoff.value_or(before(context.now, policy.rows.age))};
  Survey survey(parts, table, files, context, list);
  TRY(survey.go_over(step.cutoff, step));
  step.items = TRY(list.finish());
  Skips skips = survey.skips();
  TRY(table.count_ageless(skips));
  step.skipped = skips.list();
  step.reason = fmt::format("older than {}", format_age(policy.rows.age));
  step.filter = fmt::format("{}, its file ({}) is there{}", table.filter_text(), policy.file_column,
                            policy.archive_missing ? " or missing" : "");
  const std::string others = referrers_text(table.referrers());
  step.strategy = fmt::format("copy each file to {}, verify it, {}{}delete the row, then the file",
                              policy.archive.store.url, others, others.empty() ? "" : ", ");
  TRY(enter_consequences(table, survey.referring(), context.count_all_from, step));
  if (survey.missing() > 0)
    step.notes.push_back(fmt::format("the files of {} of these rows are missing: they go to the archive without them",
                                     format_count(survey.missing())));
  if (step.planned.items >= context.count_all_from) step.population = TRY(table.count_all());
  for (std::string& note : TRY(table.missing_indexes())) step.notes.push_back(std::move(note));
  for (const Skip& skip : step.skipped)
    if (skip.reason == "archived before")
      step.notes.push_back(
          fmt::format("{} rows are back without their files, as after a restored database: `steward archive restore "
                      "--table {}` brings the files back",
                      format_count(skip.items), table.info().name));
  step.brake = TRY(table.clock(context.now));
  if (!step.brake) step.brake = lacking;
  if (!step.brake) step.brake = missing_refusal(survey.missing(), step.planned.items, policy.root, parts.info.name);
  return step;
}

}  // namespace steward::retention
