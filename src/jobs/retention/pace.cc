#include "jobs/retention/pace.h"

#include <fmt/format.h>

#include <thread>

#include "io/sql/strain.h"

namespace steward::retention {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::seconds ask_every{1};
constexpr std::chrono::milliseconds look_again_after{200};
/// Locks that are held for less are nothing that anybody notices, and asking costs as much.
constexpr std::chrono::milliseconds short_batch{50};
constexpr std::uint64_t waits_said = 5;

}  // namespace

Pace::Pace(const sql::Target& database, const sql::TableInfo& table, std::uint64_t least, std::uint64_t most,
           RunContext& run, object::Store* archive)
    : database_(database), table_(table), run_(run), archive_(archive), size_(least, most, run.throttle().batch) {
  unwatched_ = run.throttle().full_speed;
}

Pace::~Pace() {
  if (waits_ == 0) return;
  run_.note(Level::info,
            fmt::format("waited {} between batches, {} times",
                        format_span(std::chrono::duration_cast<std::chrono::microseconds>(waited_)), waits_));
}

void Pace::begin() {
  began_ = steady_clock::now();
  waited_for_ = false;
}

sql::Connection* Pace::watcher() {
  if (unwatched_ || watcher_) return watcher_.get();
  auto opened = sql::connect(database_);
  if (opened && (*opened)->dialect() == sql::Dialect::postgres)
    watcher_ = *std::move(opened);
  else
    unwatched_ = true;  // the work goes on without
  return watcher_.get();
}

Result<void> Pace::before_commit(sql::Connection& db) {
  if (unwatched_ || steady_clock::now() - began_ < short_batch) return {};
  sql::Connection* const other = watcher();
  if (other == nullptr) return {};
  const std::int64_t backend = TRY(sql::backend_of(db));
  if (const auto waits = sql::waits_for(*other, backend)) waited_for_ = *waits;
  return {};
}

/// Which disk has too little room. One that does not say has enough: writing to it tells.
std::optional<std::string> Pace::shortage() const {
  const Bytes wanted = run_.throttle().free_disk;
  if (wanted == Bytes{}) return {};
  const auto short_of = [&](const Result<std::optional<Bytes>>& room, std::string_view where) {
    return room && *room && **room < wanted
               ? std::optional(fmt::format("the disk of {} has {} left, less than {}", where, format_bytes(**room),
                                           format_bytes(wanted)))
               : std::nullopt;
  };
  if (archive_ != nullptr)
    if (auto reason = short_of(archive_->room(), archive_->shown())) return reason;
  const files::Folder& state = run_.state().folder();
  return short_of(state.room(), state.path());
}

std::optional<std::string> Pace::strain() {
  asked_ = steady_clock::now();
  if (auto reason = shortage()) return reason;
  sql::Connection* const other = watcher();
  if (other == nullptr) return {};
  const ThrottleRules& rules = run_.throttle();
  auto reason = sql::strain(
      *other, table_,
      {.replica_lag = rules.replica_lag, .replica_behind = rules.replica_behind, .wal_files = rules.wal_files});
  if (reason) return *std::move(reason);
  // A right that is missing, or a connection that is lost: the next batch tells whether the database is there.
  watcher_.reset();
  unwatched_ = true;
  return {};
}

Result<void> Pace::end(std::uint64_t items) {
  const auto now = steady_clock::now();
  size_.took(items, std::chrono::duration_cast<std::chrono::microseconds>(now - began_), waited_for_);
  if (run_.throttle().full_speed || now - asked_ < ask_every) return {};
  auto reason = strain();
  if (!reason) return {};
  if (++waits_ <= waits_said) run_.note(Level::info, "waiting: " + *reason);
  while (reason) {
    if (auto stop = run_.checkpoint("pace: waiting"); !stop) {
      waited_ += steady_clock::now() - now;
      return stop;
    }
    std::this_thread::sleep_for(look_again_after);
    reason = strain();
  }
  waited_ += steady_clock::now() - now;
  return {};
}

}  // namespace steward::retention
