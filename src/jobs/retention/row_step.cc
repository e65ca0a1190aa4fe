#include "jobs/retention/row_step.h"

#include <fmt/format.h>

#include "jobs/retention/referring_rows.h"
#include "run/locks.h"

namespace steward::retention {

Result<Step> row_step(const Table& table, const Age& age, bool locks_rows, PlanContext& context) {
  const std::optional<Error> lacking = TRY(table.lacks(table.rights(locks_rows)));
  const Instant cutoff = context.cutoff.value_or(before(context.now, age));
  Table::Survey survey = TRY(table.survey(cutoff, context.holds));
  Step step{.target = table.shown(), .identity = table.db().identity(), .age = format_age(age), .cutoff = cutoff};
  step.reason = fmt::format("older than {}", format_age(age));
  step.filter = table.filter_text();
  step.planned.items = survey.planned;
  step.oldest = survey.oldest;
  step.newest = survey.newest;
  step.skipped = survey.skips.list();
  if (survey.planned > 0) step.samples = TRY(table.samples(cutoff, context.holds));
  if (survey.planned >= context.count_all_from) step.population = TRY(table.count_all());
  TRY(enter_consequences(table, survey.referring, context.count_all_from, step));
  for (std::string& note : TRY(table.missing_indexes())) step.notes.push_back(std::move(note));
  step.brake = TRY(table.clock(context.now));
  if (!step.brake) step.brake = lacking;
  return step;
}

std::string lock_name(std::string_view table) { return fmt::format("table {}", table.substr(table.rfind('.') + 1)); }

std::string archive_folder(const ArchiveRules& archive, const Table& table) {
  return archive.folder.empty() ? table.info().name : archive.folder;
}

Result<std::vector<std::unique_ptr<Lock>>> lock_table(const RowRules& rules) {
  std::vector<std::unique_ptr<Lock>> locks;
  locks.push_back(TRY(lock_in_database(rules.database, lock_name(rules.table))));
  return locks;
}

}  // namespace steward::retention
