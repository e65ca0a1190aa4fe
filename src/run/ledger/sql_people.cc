// Users and their sessions. Tokens, failures and the setup link: sql_people_keys.cc.
#include "run/ledger/sql_people.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/text.h"
#include "run/ledger/audit_trail.h"

namespace steward::ledger {
namespace {
using nlohmann::ordered_json;
using namespace std::chrono_literals;

constexpr std::array<std::pair<Role, std::string_view>, 4> roles{{{Role::viewer, "viewer"},
                                                                  {Role::operator_, "operator"},
                                                                  {Role::approver, "approver"},
                                                                  {Role::administrator, "administrator"}}};
constexpr std::size_t longest_name = 64;
constexpr std::uint64_t sessions_of_a_user = 50;
constexpr std::chrono::seconds seen_every = 1min;

constexpr std::string_view user_columns = "name, role, password, disabled, made, signed_in";

Result<Role> role_of(const sql::Value& value) {
  const std::string text = text_of(value);
  if (const auto role = role_named(text)) return *role;
  return fail(Kind::corrupt, fmt::format("the ledger has an unknown role \"{}\"", printable(text)));
}

Result<User> user_of(const sql::Row& row) {
  const Role role = TRY(role_of(row.at(1)));
  return User{.name = text_of(row.at(0)),
              .role = role,
              .password = text_of(row.at(2)),
              .disabled = flag_of(row.at(3)),
              .made = instant_of(row.at(4)),
              .signed_in = optional_instant_of(row.at(5))};
}

std::unexpected<Error> no_such_user(std::string_view name) {
  return fail(Kind::not_found, fmt::format("there is no user \"{}\"", printable(name)),
              "`steward user list` lists them.");
}

/// Changes of users wait for one another, so that two cannot each leave the other as the last administrator.
Result<void> one_at_a_time(LedgerDatabase& db) {
  if (!db.is_sqlite()) TRY(db.query("select value from @meta where name = 'audit_head' for update"));
  return {};
}

Result<User> find_user(LedgerDatabase& db, std::string_view name) {
  const sql::Rows rows =
      TRY(db.query(fmt::format("select {} from @users where name = ?1", user_columns), {stored(name)}));
  return rows.rows.empty() ? no_such_user(name) : user_of(rows.rows[0]);
}

/// Refuses where nobody else could let people in again.
Result<void> leave_an_administrator(LedgerDatabase& db, const User& user) {
  if (user.role != Role::administrator || user.disabled) return {};
  const sql::Rows rows = TRY(db.query(
      "select count(*) from @users where role = 'administrator' and disabled = 0 and name <> ?1", {stored(user.name)}));
  if (count_of(rows.rows.at(0).at(0)) > 0) return {};
  return fail(Kind::refused, fmt::format("{} is the only administrator who can sign in", user.name),
              "Make another one first: steward user add NAME --role administrator", "last-administrator");
}

std::string detail(std::initializer_list<std::pair<std::string_view, std::string_view>> members) {
  ordered_json object = ordered_json::object();
  for (const auto& [name, value] : members) object[std::string(name)] = std::string(value);
  return object.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace

std::string_view name_of(Role role) { return roles.at(static_cast<std::size_t>(role)).second; }

std::optional<Role> role_named(std::string_view name) {
  for (const auto& [role, known] : roles)
    if (known == name) return role;
  return std::nullopt;
}

Result<void> check_user_name(std::string_view name) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("._-@+").contains(c);
  };
  if (!name.empty() && name.size() <= longest_name && std::ranges::all_of(name, fits)) return {};
  return fail(Kind::bad_input, fmt::format("\"{}\" cannot be a user's name", printable(name.substr(0, 100))),
              "Up to 64 letters, digits and . _ - @ +, like ann or ann@example.com.");
}

Result<void> SqlPeople::add_user(const User& user, std::string_view who) {
  TRY(check_user_name(user.name));
  return db_.change([&]() -> Result<void> {
    TRY(one_at_a_time(db_));
    const std::int64_t inserted = TRY(db_.execute(
        fmt::format("insert into @users ({}) values (?1, ?2, ?3, ?4, ?5, null) on conflict (name) do nothing",
                    user_columns),
        {stored(user.name), stored(name_of(user.role)), stored(user.password), stored(user.disabled),
         stored(user.made)}));
    if (inserted == 0)
      return fail(Kind::refused, fmt::format("there is a user \"{}\" already", user.name),
                  "`steward user list` lists them.", "user-exists");
    return append(db_, {who, "user.add", user.name, detail({{"role", name_of(user.role)}}), user.made});
  });
}

Result<std::vector<User>> SqlPeople::users() {
  std::vector<User> out;
  TRY(db_.read([&]() -> Result<void> {
    out.clear();
    for (const sql::Row& row : TRY(db_.query(fmt::format("select {} from @users order by name", user_columns))).rows)
      out.push_back(TRY(user_of(row)));
    return {};
  }));
  return out;
}

Result<User> SqlPeople::user(std::string_view name) {
  User out;
  TRY(db_.read([&]() -> Result<void> {
    out = TRY(find_user(db_, name));
    return {};
  }));
  return out;
}

Result<void> SqlPeople::set_password(std::string_view name, std::string_view hash, std::string_view who, Instant now,
                                     std::string_view but) {
  return db_.change([&]() -> Result<void> {
    if (TRY(db_.execute("update @users set password = ?2 where name = ?1", {stored(name), stored(hash)})) == 0)
      return no_such_user(name);
    TRY(db_.execute("delete from @sessions where user_name = ?1 and id <> ?2", {stored(name), stored(but)}));
    return append(db_, {who, "user.password", name, "{}", now});
  });
}

Result<void> SqlPeople::set_role(std::string_view name, Role role, std::string_view who, Instant now) {
  return db_.change([&]() -> Result<void> {
    TRY(one_at_a_time(db_));
    const User user = TRY(find_user(db_, name));
    if (role != Role::administrator) TRY(leave_an_administrator(db_, user));
    TRY(db_.execute("update @users set role = ?2 where name = ?1", {stored(name), stored(name_of(role))}));
    return append(db_,
                  {who, "user.role", name, detail({{"role", name_of(role)}, {"before", name_of(user.role)}}), now});
  });
}

Result<void> SqlPeople::set_disabled(std::string_view name, bool disabled, std::string_view who, Instant now) {
  return db_.change([&]() -> Result<void> {
    TRY(one_at_a_time(db_));
    const User user = TRY(find_user(db_, name));
    if (disabled) TRY(leave_an_administrator(db_, user));
    TRY(db_.execute("update @users set disabled = ?2 where name = ?1", {stored(name), stored(disabled)}));
    if (disabled) TRY(db_.execute("delete from @sessions where user_name = ?1", {stored(name)}));
    return append(db_, {who, disabled ? "user.disable" : "user.enable", name, "{}", now});
  });
}

Result<void> SqlPeople::remove_user(std::string_view name, std::string_view who, Instant now) {
  return db_.change([&]() -> Result<void> {
    TRY(one_at_a_time(db_));
    const User user = TRY(find_user(db_, name));
    TRY(leave_an_administrator(db_, user));
    TRY(db_.execute("delete from @sessions where user_name = ?1", {stored(name)}));
    TRY(db_.execute("delete from @tokens where owner = ?1", {stored(name)}));
    TRY(db_.execute("delete from @users where name = ?1", {stored(name)}));
    return append(db_, {who, "user.remove", name, detail({{"role", name_of(user.role)}}), now});
  });
}

Result<void> SqlPeople::add_session(const Session& session) {
  return db_.change([&]() -> Result<void> {
    TRY(db_.execute("delete from @sessions where idle_end <= ?1 or session_end <= ?1", {stored(session.made)}));
    TRY(
        db_.execute("delete from @sessions where user_name = ?1 and id not in (select id from @sessions where "
                    "user_name = ?1 order by made desc, id limit ?2)",
                    {stored(session.user), stored(sessions_of_a_user - 1)}));
    TRY(
        db_.execute("insert into @sessions (id, user_name, made, seen, idle_end, session_end, address, agent) values "
                    "(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                    {stored(session.id), stored(session.user), stored(session.made), stored(session.seen),
                     stored(session.idle_end), stored(session.end), stored(session.address), stored(session.agent)}));
    TRY(db_.execute("update @users set signed_in = ?2 where name = ?1", {stored(session.user), stored(session.made)}));
    return append(db_,
                  {session.user, "user.sign-in", session.user, detail({{"address", session.address}}), session.made});
  });
}

Result<std::optional<Known>> SqlPeople::by_session(std::string_view id, std::chrono::seconds idle, Instant now) {
  std::optional<Known> known;
  bool to_note = false;
  TRY(db_.read([&]() -> Result<void> {
    known.reset();
    const sql::Rows rows =
        TRY(db_.query("select u.name, u.role, s.seen from @sessions s join @users u on u.name = s.user_name where "
                      "s.id = ?1 and s.idle_end > ?2 and s.session_end > ?2 and u.disabled = 0",
                      {stored(id), stored(now)}));
    if (rows.rows.empty()) return {};
    const sql::Row& row = rows.rows[0];
    const std::string name = text_of(row.at(0));
    const Role role = TRY(role_of(row.at(1)));
    known = Known{.name = name, .role = role, .user = name, .session = std::string(id), .token = ""};
    to_note = now - instant_of(row.at(2)) >= seen_every;
    return {};
  }));
  if (known && to_note)
    TRY(db_.change([&]() -> Result<void> {
      TRY(db_.execute("update @sessions set seen = ?2, idle_end = ?3 where id = ?1",
                      {stored(id), stored(now), stored(now + idle)}));
      return {};
    }));
  return known;
}

Result<std::vector<Session>> SqlPeople::sessions(std::string_view user, Instant now) {
  std::vector<Session> out;
  TRY(db_.read([&]() -> Result<void> {
    out.clear();
    const sql::Rows rows =
        TRY(db_.query("select id, user_name, made, seen, idle_end, session_end, address, agent from @sessions where "
                      "user_name = ?1 and idle_end > ?2 and session_end > ?2 order by made desc, id",
                      {stored(user), stored(now)}));
    for (const sql::Row& row : rows.rows)
      out.push_back({.id = text_of(row.at(0)),
                     .user = text_of(row.at(1)),
                     .made = instant_of(row.at(2)),
                     .seen = instant_of(row.at(3)),
                     .idle_end = instant_of(row.at(4)),
                     .end = instant_of(row.at(5)),
                     .address = text_of(row.at(6)),
                     .agent = text_of(row.at(7))});
    return {};
  }));
  return out;
}

Result<void> SqlPeople::end_session(std::string_view id, std::string_view who, Instant now) {
  return db_.change([&]() -> Result<void> {
    const sql::Rows rows = TRY(db_.query("delete from @sessions where id = ?1 returning user_name", {stored(id)}));
    return rows.rows.empty() ? Result<void>{}
                             : append(db_, {who, "user.sign-out", text_of(rows.rows[0].at(0)), "{}", now});
  });
}

Result<std::int64_t> SqlPeople::end_sessions(std::string_view user, std::string_view who, Instant now) {
  std::int64_t ended = 0;
  TRY(db_.change([&]() -> Result<void> {
    ended = TRY(db_.execute("delete from @sessions where user_name = ?1", {stored(user)}));
    return ended == 0 ? Result<void>{}
                      : append(db_, {who, "user.sign-out", user, detail({{"sessions", std::to_string(ended)}}), now});
  }));
  return ended;
}

}  // namespace steward::ledger
