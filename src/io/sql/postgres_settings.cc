#include "io/sql/postgres_settings.h"

#include <fmt/format.h>

namespace steward::sql {
namespace {

// Everything that decides how a value is written as text, or read from it.
constexpr std::string_view exact_text =
    "; SET LOCAL DateStyle TO 'ISO, YMD'; SET LOCAL TimeZone TO 'UTC'; SET LOCAL IntervalStyle TO 'postgres'"
    "; SET LOCAL extra_float_digits TO 3; SET LOCAL bytea_output TO 'hex'; SET LOCAL standard_conforming_strings TO on"
    "; SET LOCAL array_nulls TO on; SET LOCAL xmloption TO content; SET LOCAL lc_monetary TO 'C'";

}  // namespace

std::string begin_statement(const Target& target, const SessionFacts& facts) {
  std::string text = "BEGIN ISOLATION LEVEL READ COMMITTED";
  // READ WRITE is not said where it may write: a role that is read-only by default was made so on purpose.
  if (target.read_only) text += " READ ONLY";
  text += exact_text;
  text += "; SET LOCAL row_security TO off; SET LOCAL cursor_tuple_fraction TO 1";
  text += fmt::format("; SET LOCAL lock_timeout TO {}; SET LOCAL statement_timeout TO {}", target.lock_timeout.count(),
                      target.statement_timeout.count());
  // Without a limit a transaction may wait for a large file to be copied.
  text += fmt::format("; SET LOCAL idle_in_transaction_session_timeout TO {}", target.idle_timeout.count());
  if (facts.server_version >= 170000) text += "; SET LOCAL transaction_timeout TO 0";
  // A deletion that a crash of the server undoes would bring back a row whose file is gone by then.
  if (facts.synchronous_commit_off) text += "; SET LOCAL synchronous_commit TO on";
  if (facts.search_path) text += "; SET LOCAL search_path TO " + *facts.search_path;
  return text;
}

}  // namespace steward::sql
