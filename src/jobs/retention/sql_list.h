/// Lists of values as one parameter, however many they are.
#pragma once
#include <span>
#include <string>

#include "io/sql/connection.h"
#include "io/sql/fragment.h"

namespace steward::retention {

/// The values of one column of these rows, as PostgreSQL's array input reads them: {"a","b"}.
std::string array_literal(std::span<const sql::Row> rows, std::size_t column);

/// Whether `expression`, a text, is among the first values of these rows.
sql::Fragment one_of_texts(const sql::Connection& db, const std::string& expression, std::span<const sql::Row> texts);

/// The rows called `t` with these primary keys, each a list of the key columns' values.
sql::Fragment rows_with_keys(const sql::Connection& db, const sql::TableInfo& info, std::span<const sql::Row> keys);

}  // namespace steward::retention
