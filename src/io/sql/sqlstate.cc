#include "io/sql/sqlstate.h"

#include <array>

namespace steward::sql {
namespace {

struct Line {
  std::string_view prefix;
  Meaning meaning;
};

constexpr std::string_view check_login = "Check the user and the password in the database's URL, and pg_hba.conf.";
constexpr std::string_view try_again = "Nothing was lost: the next run tries again.";
constexpr std::string_view damaged = "The server reports damage: look at its log before anything is removed.";

// Codes before their classes: the first prefix that fits is taken.
constexpr std::array lines{
    Line{"08P01", {Kind::bad_input, {}}},  // while the connection lives: a wrong number of parameters
    Line{"08", {Kind::unavailable, "Check that the server runs and can be reached."}},
    Line{"0L", {Kind::permission, {}}},
    Line{"0P", {Kind::permission, {}}},
    Line{"23", {Kind::held, {}}},
    Line{"25006",
         {Kind::permission,
          "The session is read-only: name the primary server, or look at "
          "default_transaction_read_only."}},
    Line{"25P02", {Kind::bug, {}}},
    Line{"25P03", {Kind::unavailable, try_again}},
    Line{"25P04", {Kind::unavailable, try_again}},
    Line{"28", {Kind::permission, check_login}},
    Line{"3D000", {Kind::not_found, "Check the database's name in its URL."}},
    Line{"3F000", {Kind::not_found, "Check the schema's name."}},
    Line{"40P01", {Kind::busy, try_again}},
    Line{"40002", {Kind::held, {}}},
    Line{"40", {Kind::unavailable, try_again}},
    Line{"42501", {Kind::permission, "Grant this right to the user, or name another user in the database's URL."}},
    Line{"42P01", {Kind::not_found, {}}},
    Line{"42703", {Kind::not_found, {}}},
    Line{"42704", {Kind::not_found, {}}},
    Line{"42883", {Kind::not_found, {}}},
    Line{"53100", {Kind::unavailable, "The server's disk is full: make room on it."}},
    Line{"53300",
         {Kind::unavailable, "The server has no connection left: look at max_connections and pg_stat_activity."}},
    Line{"53", {Kind::unavailable, "The server is short of a resource: look at its log."}},
    Line{"55006", {Kind::busy, try_again}},
    Line{"55P03", {Kind::busy, "Somebody holds a lock on it: pg_locks shows who."}},
    Line{"57014", {Kind::interrupted, {}}},
    Line{"57", {Kind::unavailable, "The server ended the session, or is starting or stopping."}},
    Line{"58P01", {Kind::corrupt, damaged}},
    Line{"58", {Kind::unavailable, "The server's disk or system fails: look at its log."}},
    Line{"F0", {Kind::unavailable, "A file of the server's configuration is in its way: look at its log."}},
    Line{"XX", {Kind::corrupt, damaged}},
};

}  // namespace

Meaning meaning_of(std::string_view sqlstate) {
  for (const Line& line : lines)
    if (sqlstate.starts_with(line.prefix)) return line.meaning;
  return {};
}

}  // namespace steward::sql
