/// Rights told to people: what is missing, and the GRANT that gives it.
#pragma once
#include <span>
#include <string>
#include <string_view>

#include "core/result.h"
#include "io/sql/connection.h"

namespace steward::sql {

/// "DELETE on public.signals and SELECT on public.listings".
std::string text_of(std::span<const Right> rights);

/// Statements that give `rights` to `grantee`, one for each table, in the order in which the tables first come:
/// `grant select, delete, update ("id") on "public"."mockups" to "steward";`. A schema's USAGE is not among them.
Result<std::string> grants(const Connection& db, std::span<const Right> rights, std::string_view grantee);

/// The error (permission, code "rights") that says what is missing, on what, for whom, with the GRANT as its hint.
Result<Error> rights_missing(Connection& db, std::span<const Right> missing);

}  // namespace steward::sql
