// Tokens, failed logins, the setup link, the signing key.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/password.h"
#include "core/text.h"
#include "run/ledger/audit_trail.h"
#include "run/ledger/sql_people.h"

namespace steward::ledger {
namespace {
using nlohmann::ordered_json;
using namespace std::chrono_literals;

constexpr std::chrono::hours remembered{24};
constexpr std::uint64_t subjects = 10'000;
constexpr std::chrono::seconds used_every = 1min;

std::unexpected<Error> setup_is_over() {
  return fail(Kind::refused, "this setup link is over: it was used, has expired, or there is a user already",
              "Sign in; or make a user at the command line: steward user add NAME --role administrator", "setup-over");
}

std::string detail(const Token& token) {
  ordered_json object{{"name", token.name}, {"role", name_of(token.role)}};
  if (!token.owner.empty()) object["owner"] = token.owner;
  return object.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

Role role_or_viewer(const sql::Value& value) { return role_named(text_of(value)).value_or(Role::viewer); }

}  // namespace

Result<void> SqlPeople::add_token(const Token& token) {
  return db_.change([&]() -> Result<void> {
    TRY(
        db_.execute("insert into @tokens (id, name, hash, role, owner, made, made_by, expires, used, revoked) values "
                    "(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, null, null)",
                    {stored(token.id), stored(token.name), stored(token.hash), stored(name_of(token.role)),
                     stored(token.owner), stored(token.made), stored(token.made_by), stored(token.expires)}));
    return append(db_, {token.made_by, "token.add", token.id, detail(token), token.made});
  });
}

Result<std::vector<Token>> SqlPeople::tokens() {
  std::vector<Token> out;
  TRY(db_.read([&]() -> Result<void> {
    out.clear();
    const sql::Rows rows =
        TRY(db_.query("select id, name, hash, role, owner, made, made_by, expires, used, revoked from @tokens order by "
                      "made desc, id"));
    for (const sql::Row& row : rows.rows)
      out.push_back({.id = text_of(row.at(0)),
                     .name = text_of(row.at(1)),
                     .hash = text_of(row.at(2)),
                     .role = role_or_viewer(row.at(3)),
                     .owner = text_of(row.at(4)),
                     .made = instant_of(row.at(5)),
                     .made_by = text_of(row.at(6)),
                     .expires = optional_instant_of(row.at(7)),
                     .used = optional_instant_of(row.at(8)),
                     .revoked = optional_instant_of(row.at(9))});
    return {};
  }));
  return out;
}

Result<std::optional<Known>> SqlPeople::by_token(std::string_view hash, Instant now) {
  std::optional<Known> known;
  bool to_note = false;
  TRY(db_.read([&]() -> Result<void> {
    known.reset();
    const sql::Rows rows =
        TRY(db_.query("select t.id, t.name, t.role, t.owner, t.used, u.role, u.disabled from @tokens t left join "
                      "@users u on u.name = t.owner where t.hash = ?1 and t.revoked is null and (t.expires is null or "
                      "t.expires > ?2)",
                      {stored(hash), stored(now)}));
    if (rows.rows.empty()) return {};
    const sql::Row& row = rows.rows[0];
    const std::string owner = text_of(row.at(3));
    Role role = role_or_viewer(row.at(2));
    if (!owner.empty()) {
      if (sql::is_null(row.at(5)) || flag_of(row.at(6))) return {};
      role = std::min(role, role_or_viewer(row.at(5)));
    }
    known = Known{.name = owner.empty() ? "token " + text_of(row.at(1)) : owner,
                  .role = role,
                  .user = owner,
                  .session = "",
                  .token = text_of(row.at(0))};
    const auto used = optional_instant_of(row.at(4));
    to_note = !used || now - *used >= used_every;
    return {};
  }));
  if (known && to_note)
    TRY(db_.change([&]() -> Result<void> {
      TRY(db_.execute("update @tokens set used = ?2 where hash = ?1", {stored(hash), stored(now)}));
      return {};
    }));
  return known;
}

Result<void> SqlPeople::revoke_token(std::string_view id, std::string_view who, Instant now) {
  return db_.change([&]() -> Result<void> {
    if (TRY(db_.execute("update @tokens set revoked = ?2 where id = ?1 and revoked is null",
                        {stored(id), stored(now)})) > 0)
      return append(db_, {who, "token.revoke", id, "{}", now});
    const sql::Rows known = TRY(db_.query("select count(*) from @tokens where id = ?1", {stored(id)}));
    if (count_of(known.rows.at(0).at(0)) == 0)
      return fail(Kind::not_found, fmt::format("there is no token \"{}\"", printable(id)),
                  "`steward token list` lists them.");
    return fail(Kind::refused, fmt::format("token {} is revoked already", id), "Nothing is left to do.", "revoked");
  });
}

Result<Failures> SqlPeople::failures(std::string_view subject, Instant now) {
  Failures out;
  TRY(db_.read([&]() -> Result<void> {
    out = {};
    const sql::Rows rows = TRY(db_.query("select failures, last from @login_failures where subject = ?1 and last > ?2",
                                         {stored(subject), stored(now - remembered)}));
    if (!rows.rows.empty())
      out = {.count = sql::to_integer(rows.rows[0].at(0)), .last = instant_of(rows.rows[0].at(1))};
    return {};
  }));
  return out;
}

Result<void> SqlPeople::note_failure(std::string_view subject, Instant now) {
  return db_.change([&]() -> Result<void> {
    TRY(db_.execute("delete from @login_failures where last <= ?1", {stored(now - remembered)}));
    TRY(
        db_.execute("insert into @login_failures as f (subject, failures, last) values (?1, 1, ?2) on conflict "
                    "(subject) do update set failures = f.failures + 1, last = excluded.last",
                    {stored(subject), stored(now)}));
    TRY(
        db_.execute("delete from @login_failures where subject not in (select subject from @login_failures order by "
                    "last desc, subject limit ?1)",
                    {stored(subjects)}));
    return {};
  });
}

Result<void> SqlPeople::forget_failures(std::string_view subject) {
  return db_.change([&]() -> Result<void> {
    TRY(db_.execute("delete from @login_failures where subject = ?1", {stored(subject)}));
    return {};
  });
}

Result<void> SqlPeople::set_setup_link(std::string_view hash, Instant expires) {
  return db_.change([&]() -> Result<void> {
    TRY(db_.execute("delete from @setup_links"));
    TRY(db_.execute("insert into @setup_links (hash, expires) values (?1, ?2)", {stored(hash), stored(expires)}));
    return {};
  });
}

Result<void> SqlPeople::set_up(std::string_view hash, const User& user) {
  TRY(check_user_name(user.name));
  return db_.change([&]() -> Result<void> {
    // The row is gone in this transaction, so that of two who use the link at once one waits and finds nothing.
    const sql::Rows link = TRY(db_.query("delete from @setup_links where hash = ?1 and expires > ?2 returning hash",
                                         {stored(hash), stored(user.made)}));
    const sql::Rows users = TRY(db_.query("select count(*) from @users"));
    if (link.rows.empty() || count_of(users.rows.at(0).at(0)) > 0) return setup_is_over();
    TRY(
        db_.execute("insert into @users (name, role, password, disabled, made, signed_in) values (?1, ?2, ?3, 0, ?4, "
                    "null)",
                    {stored(user.name), stored(name_of(user.role)), stored(user.password), stored(user.made)}));
    return append(db_, {user.name, "user.set-up", user.name, "{}", user.made});
  });
}

Result<Secret> SqlPeople::signing_key() {
  Secret key;
  TRY(db_.change([&]() -> Result<void> {
    TRY(db_.execute("insert into @meta (name, value) values ('signing_key', ?1) on conflict (name) do nothing",
                    {stored(new_secret().reveal())}));
    const sql::Rows rows = TRY(db_.query("select value from @meta where name = 'signing_key'"));
    key = Secret(text_of(rows.rows.at(0).at(0)));
    return {};
  }));
  return key;
}

}  // namespace steward::ledger
