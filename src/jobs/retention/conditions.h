/// Conditions on columns: as a person writes them on the command line, as a hold keeps them, and as SQL.
///
///   status = free            plan in free, trial        score >= 0.5       note is null
///   status != 'in review'    plan not in free, trial    url like s3://%    note is not null
///
/// A name that is not letters, digits and _ alone stands in double quotes; a value with commas or spaces at its ends in
/// single quotes, in which '' is a quote. Values are parameters, never SQL; the database reads them as the column's
/// type. A condition is met where SQL says true: `!=` and `not in` are not met by NULL.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "io/sql/connection.h"
#include "io/sql/fragment.h"
#include "jobs/retention/retention.h"

namespace steward::retention {

/// bad_input: what was expected where, with an example.
Result<Where> parse_where(std::string_view text);

/// A JSON array, in which a hold keeps its conditions; and read back. corrupt where it is none that this version knows.
std::string conditions_to_json(std::span<const Where> conditions);
Result<std::vector<Where>> conditions_from_json(std::string_view text);

/// What a condition says of rows called `t`. not_found, with the nearest name, where the table has no such column.
/// `shown`: the table, for people.
Result<sql::Fragment> condition_sql(const sql::Connection& db, const sql::TableInfo& info, std::string_view shown,
                                    const Where& where);

/// The column of that name. not_found as above.
Result<const sql::Column*> column_of(const sql::TableInfo& info, std::string_view shown, std::string_view name);

}  // namespace steward::retention
