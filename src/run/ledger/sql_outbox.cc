#include "run/ledger/sql_outbox.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/text.h"

namespace steward::ledger {
namespace {
using nlohmann::json;

constexpr std::size_t lines_at_once = 500;
/// Daemons enter ticks by clocks of their own: what was decided a little before the last that was read is looked at
/// again. Its key says whether it is known.
constexpr std::chrono::hours overlap{1};

/// Which acts of the audit trail are events, and of which kind.
constexpr std::array<std::pair<std::string_view, std::string_view>, 7> kinds{
    {{"run.begin", "run-begun"},
     {"run.end", "run-ended"},
     {"approval.ask", "approval-asked"},
     {"approval.remind", "approval-reminded"},
     {"approval.expire", "approval-expired"},
     {"approval.reject", "run-ended"},  // a run that waited ends with the answer
     {"approval.break-glass", "break-glass"}}};

std::string_view kind_of_act(std::string_view act) {
  for (const auto& [known, kind] : kinds)
    if (known == act) return kind;
  return {};
}

/// Others wait until this change has ended: what is read after it is what they have left.
Result<void> take_turn(LedgerDatabase& db) {
  TRY(db.execute("update @meta set value = value where name = 'outbox_audit'"));
  return {};
}

Result<std::int64_t> counter(LedgerDatabase& db, std::string_view name) {
  const sql::Rows rows = TRY(db.query("select value from @meta where name = ?1", {std::string(name)}));
  if (rows.rows.empty()) return fail(Kind::corrupt, fmt::format("the ledger has lost its counter {}", name));
  const std::string text = sql::to_text(rows.rows[0][0]);
  std::int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}
Result<void> set_counter(LedgerDatabase& db, std::string_view name, std::int64_t value) {
  TRY(db.execute("update @meta set value = ?2 where name = ?1", {std::string(name), std::to_string(value)}));
  return {};
}

/// Inside a change, in turn. False where its key is known.
Result<bool> insert(LedgerDatabase& db, const Event& event) {
  const std::int64_t id = TRY(counter(db, "outbox_event")) + 1;
  const std::int64_t added =
      TRY(db.execute("insert into @events (id, kind, event_key, job, run, happened, detail, dispatched) "
                     "values (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0) on conflict (event_key) do nothing",
                     {id, event.kind, stored(event.key), stored(event.job), stored(event.run), stored(event.at),
                      stored(event.detail)}));
  if (added == 0) return false;
  TRY(set_counter(db, "outbox_event", id));
  return true;
}

Result<void> collect_acts(LedgerDatabase& db) {
  std::int64_t at = TRY(counter(db, "outbox_audit"));
  for (;;) {
    const sql::Rows lines =
        TRY(db.query("select a.number, a.happened, a.act, a.subject, a.detail, coalesce(r.job, '') from @audit a "
                     "left join @runs r on r.id = a.subject where a.number > ?1 order by a.number limit ?2",
                     {at, static_cast<std::int64_t>(lines_at_once)}));
    for (const sql::Row& line : lines.rows) {
      at = sql::to_integer(line[0]);
      const std::string_view kind = kind_of_act(sql::to_text(line[2]));
      if (kind.empty()) continue;
      const std::string run = text_of(line[3]);
      // A run that waited begins and ends more than once: the line's number tells these apart.
      TRY(insert(db, {.kind = std::string(kind),
                      .key = fmt::format("{}/{}/{}", kind, run, at),
                      .job = text_of(line[5]),
                      .run = run,
                      .at = instant_of(line[1]),
                      .detail = text_of(line[4])}));
    }
    if (lines.rows.size() < lines_at_once) break;
  }
  return set_counter(db, "outbox_audit", at);
}

/// What is beyond the cursor of the trail.
Result<bool> has_new_acts(LedgerDatabase& db) {
  const std::int64_t at = TRY(counter(db, "outbox_audit"));
  const sql::Rows beyond = TRY(db.query("select 1 from @audit where number > ?1 limit 1", {at}));
  return !beyond.rows.empty();
}

/// Missed ticks, and when the last was decided.
struct MissedTicks {
  std::vector<Event> unknown{};  ///< Those that are no events yet.
  std::int64_t last = 0;
};

/// Those that were decided about the cursor or later. Where the clock was ahead when the cursor was set, it counts for
/// no more than now: what is decided under the right clock is not passed over.
Result<MissedTicks> missed_ticks(LedgerDatabase& db, Instant now) {
  MissedTicks out;
  out.last = TRY(counter(db, "outbox_ticks"));
  const std::int64_t cursor = std::min(out.last, std::chrono::microseconds(now.time_since_epoch()).count());
  const std::int64_t from =
      std::max(cursor - std::chrono::microseconds(overlap).count(), TRY(counter(db, "outbox_ticks_began")));
  const sql::Rows ticks = TRY(db.query(
      "select job, due, reason, since, decided from @ticks where outcome = 'missed' and decided > ?1 order by decided",
      {from}));
  for (const sql::Row& tick : ticks.rows) {
    out.last = std::max(out.last, sql::to_integer(tick[4]));
    const std::string job = text_of(tick[0]), due = format_instant(instant_of(tick[1]));
    const std::string key = fmt::format("tick-missed/{}/{}", job, due);
    const sql::Rows known = TRY(db.query("select 1 from @events where event_key = ?1", {stored(key)}));
    if (!known.rows.empty()) continue;
    json detail{{"due", due}, {"reason", text_of(tick[2])}};
    if (const auto since = optional_instant_of(tick[3])) detail["since"] = format_instant(*since);
    out.unknown.push_back({.kind = "tick-missed",
                           .key = key,
                           .job = job,
                           .at = instant_of(tick[4]),
                           .detail = detail.dump(-1, ' ', false, json::error_handler_t::replace)});
  }
  return out;
}

Result<void> collect_ticks(LedgerDatabase& db, Instant now) {
  const MissedTicks missed = TRY(missed_ticks(db, now));
  for (const Event& event : missed.unknown) TRY(insert(db, event));
  return set_counter(db, "outbox_ticks", missed.last);
}

Event event_of(const sql::Row& row) {
  return {.id = sql::to_integer(row[0]),
          .kind = sql::to_text(row[1]),
          .key = text_of(row[2]),
          .job = text_of(row[3]),
          .run = text_of(row[4]),
          .at = instant_of(row[5]),
          .detail = text_of(row[6])};
}
constexpr std::string_view event_columns = "id, kind, event_key, job, run, happened, detail";

Delivery delivery_of(const sql::Row& row) {
  Delivery out{.id = sql::to_integer(row[0]),
               .channel = text_of(row[1]),
               .topic = text_of(row[2]),
               .job = text_of(row[3]),
               .message = text_of(row[5]),
               .made = instant_of(row[6]),
               .due = instant_of(row[7]),
               .attempts = static_cast<int>(sql::to_integer(row[8])),
               .error = text_of(row[9]),
               .sent = optional_instant_of(row[10]),
               .given_up = optional_instant_of(row[11])};
  const json events = json::parse(sql::to_text(row[4]), nullptr, false);
  if (events.is_array())
    for (const json& event : events) out.events.push_back(event.get<std::int64_t>());
  return out;
}
constexpr std::string_view delivery_columns =
    "id, channel, topic, job, events, message, made, due, attempts, error, sent, given_up";

template <class T>
std::vector<T> all_of(const sql::Rows& rows, T (*one)(const sql::Row&)) {
  std::vector<T> out;
  out.reserve(rows.rows.size());
  for (const sql::Row& row : rows.rows) out.push_back(one(row));
  return out;
}

Result<void> insert(LedgerDatabase& db, const Delivery& delivery) {
  const std::int64_t id = TRY(counter(db, "outbox_delivery")) + 1;
  TRY(db.execute(
      "insert into @deliveries (id, channel, topic, job, events, message, made, due, attempts, error, taker) "
      "values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, '', '')",
      {id, stored(delivery.channel), stored(delivery.topic), stored(delivery.job), json(delivery.events).dump(),
       stored(delivery.message), stored(delivery.made), stored(delivery.due)}));
  return set_counter(db, "outbox_delivery", id);
}

}  // namespace

Result<void> SqlOutbox::collect(Instant now) {
  // Asked every few seconds: where there is nothing, nothing is written, and nobody waits.
  bool news = false;
  TRY(db_.read([&]() -> Result<void> {
    news = TRY(has_new_acts(db_)) || !TRY(missed_ticks(db_, now)).unknown.empty();
    return {};
  }));
  if (!news) return {};
  return db_.change([&]() -> Result<void> {
    TRY(take_turn(db_));
    TRY(collect_acts(db_));
    return collect_ticks(db_, now);
  });
}

Result<bool> SqlOutbox::add_event(const Event& event) {
  bool added = false;
  TRY(db_.change([&]() -> Result<void> {
    TRY(take_turn(db_));
    added = TRY(insert(db_, event));
    return {};
  }));
  return added;
}

Result<std::vector<Event>> SqlOutbox::undispatched(std::size_t limit) {
  std::vector<Event> out;
  TRY(db_.read([&]() -> Result<void> {
    const sql::Rows rows =
        TRY(db_.query(fmt::format("select {} from @events where dispatched = 0 order by id limit ?1", event_columns),
                      {static_cast<std::int64_t>(limit)}));
    out = all_of(rows, event_of);
    return {};
  }));
  return out;
}

Result<std::vector<Event>> SqlOutbox::events_before(std::int64_t id, std::string_view job, std::string_view kind,
                                                    std::size_t limit) {
  std::vector<Event> out;
  TRY(db_.read([&]() -> Result<void> {
    const sql::Rows rows = TRY(db_.query(
        fmt::format("select {} from @events where id < ?1 and job = ?2 and kind = ?3 order by id desc limit ?4",
                    event_columns),
        {id, stored(job), std::string(kind), static_cast<std::int64_t>(limit)}));
    out = all_of(rows, event_of);
    return {};
  }));
  return out;
}

Result<bool> SqlOutbox::dispatch(std::span<const std::int64_t> events, std::span<const Delivery> deliveries) {
  bool entered = false;
  TRY(db_.change([&]() -> Result<void> {
    TRY(take_turn(db_));
    entered = false;
    for (const std::int64_t event : events) {
      const sql::Rows open = TRY(db_.query("select 1 from @events where id = ?1 and dispatched = 0", {event}));
      if (open.rows.empty()) return {};
    }
    for (const std::int64_t event : events)
      TRY(db_.execute("update @events set dispatched = 1 where id = ?1", {event}));
    for (const Delivery& delivery : deliveries) TRY(insert(db_, delivery));
    entered = true;
    return {};
  }));
  return entered;
}

Result<std::vector<Delivery>> SqlOutbox::take(std::string_view taker, Instant now, std::chrono::seconds hold_for,
                                              std::size_t limit) {
  std::vector<Delivery> out;
  const auto free_ones = [&]() -> Result<std::vector<Delivery>> {
    const sql::Rows rows =
        TRY(db_.query(fmt::format("select {} from @deliveries where sent is null and given_up is null and due <= ?1 "
                                  "and (taken_until is null or taken_until <= ?1) order by due, id limit ?2",
                                  delivery_columns),
                      {stored(now), static_cast<std::int64_t>(limit)}));
    return all_of(rows, delivery_of);
  };
  TRY(db_.read([&]() -> Result<void> {
    out = TRY(free_ones());
    return {};
  }));
  if (out.empty()) return out;
  TRY(db_.change([&]() -> Result<void> {
    TRY(take_turn(db_));
    out = TRY(free_ones());
    for (const Delivery& delivery : out)
      TRY(db_.execute("update @deliveries set taker = ?2, taken_until = ?3 where id = ?1",
                      {delivery.id, stored(taker), stored(now + hold_for)}));
    return {};
  }));
  return out;
}

Result<void> SqlOutbox::delivered(std::int64_t id, Instant now) {
  return db_.change([&]() -> Result<void> {
    TRY(
        db_.execute("update @deliveries set sent = ?2, attempts = attempts + 1, error = '', taken_until = null "
                    "where id = ?1 and sent is null",
                    {id, stored(now)}));
    return {};
  });
}

Result<void> SqlOutbox::not_delivered(std::int64_t id, std::string_view error, std::optional<Instant> retry,
                                      Instant now) {
  return db_.change([&]() -> Result<void> {
    TRY(
        db_.execute("update @deliveries set attempts = attempts + 1, error = ?2, due = ?3, given_up = ?4, "
                    "taken_until = null where id = ?1 and sent is null and given_up is null",
                    {id, stored(error), stored(retry.value_or(now)),
                     stored(retry ? std::optional<Instant>() : std::optional<Instant>(now))}));
    return {};
  });
}

Result<std::optional<Instant>> SqlOutbox::next_due() {
  std::optional<Instant> out;
  TRY(db_.read([&]() -> Result<void> {
    const sql::Rows rows =
        TRY(db_.query("select min(case when taken_until is not null and taken_until > due then taken_until else due "
                      "end) from @deliveries where sent is null and given_up is null"));
    out = optional_instant_of(rows.rows.at(0).at(0));
    return {};
  }));
  return out;
}

Result<std::vector<Delivery>> SqlOutbox::deliveries(const DeliveryFilter& filter) {
  std::vector<Delivery> out;
  TRY(db_.read([&]() -> Result<void> {
    const sql::Rows rows =
        TRY(db_.query(fmt::format("select {} from @deliveries where (?1 = '' or channel = ?1) "
                                  "and (?2 = 0 or (sent is null and given_up is null)) order by id desc limit ?3",
                                  delivery_columns),
                      {stored(filter.channel), stored(filter.open), static_cast<std::int64_t>(filter.limit)}));
    out = all_of(rows, delivery_of);
    return {};
  }));
  return out;
}

Result<std::uint64_t> SqlOutbox::old_events(Instant before) {
  std::uint64_t out = 0;
  TRY(db_.read([&]() -> Result<void> {
    const sql::Rows rows = TRY(db_.query("select count(*) from @events where happened < ?1", {stored(before)}));
    out = count_of(rows.rows.at(0).at(0));
    return {};
  }));
  return out;
}

Result<std::uint64_t> SqlOutbox::forget_events(Instant before) {
  std::uint64_t out = 0;
  TRY(db_.change([&]() -> Result<void> {
    TRY(take_turn(db_));
    TRY(db_.execute("delete from @deliveries where coalesce(sent, given_up) < ?1", {stored(before)}));
    out = static_cast<std::uint64_t>(TRY(db_.execute("delete from @events where happened < ?1", {stored(before)})));
    return {};
  }));
  return out;
}

}  // namespace steward::ledger
