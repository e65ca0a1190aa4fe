/// What PostgreSQL's catalogue says of tables: the queries behind connection.h's describe and its neighbours.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "io/sql/connection.h"

namespace steward::sql::postgres_catalogue {

Result<TableInfo> describe(Connection& db, std::string_view table);
Result<std::vector<Reference>> references_to(Connection& db, const TableInfo& table);
Result<bool> has_index_on(Connection& db, const TableInfo& table, std::string_view column);
Result<std::optional<std::uint64_t>> estimated_rows(Connection& db, const TableInfo& table);
Result<std::vector<Right>> missing_rights(Connection& db, std::span<const Right> wanted);

}  // namespace steward::sql::postgres_catalogue
