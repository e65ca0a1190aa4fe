/// When a job is due, and under which conditions it is started: the section `jobs` of a configuration file, as values
/// and pure rules. Who carries them out is the scheduler (engine/scheduler.h).
///
///   jobs:
///     cleanup:
///       schedule: "0 3 * * *"
///       time_zone: Europe/Berlin
///       blackout: {from: 08:00, to: 18:00, days: mon-fri}
///
/// Words     tick: one due moment of a schedule. Its name is the moment that the expression says, whatever jitter adds.
#pragma once
#include <chrono>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/bytes.h"
#include "core/cron.h"
#include "core/document.h"
#include "core/schema.h"
#include "core/zone.h"
#include "run/questions.h"

namespace steward::engine {

/// `every: 6h`: the multiples of an interval, counted from 1970-01-01T00:00Z.
struct Every {
  std::chrono::seconds interval{};
};

/// What becomes of ticks that were missed: nobody ran, the machine slept, the clock was put forward.
enum class Missed {
  skip,    ///< They are noted, and that is all.
  latest,  ///< The latest is made up for, until the next tick.
  all      ///< Each is made up for, one after the other, oldest first.
};

/// What becomes of a tick whose job still runs, or whose concurrency key is taken.
enum class Overlap {
  skip,   ///< It does not fire.
  queue,  ///< It fires when the other has ended; of several that wait, the newest.
  allow   ///< It fires; a concurrency key is waited for all the same.
};

/// Who starts the job.
enum class Owner { steward, cron, dagster };

/// From a time of day to another, on days of the week, as the schedule's zone has them.
struct DailyWindow {
  std::chrono::minutes from{}, to{};  ///< Of the day; where `to` is not later, it is the next day's.
  std::uint8_t weekdays = 0x7f;       ///< On which it begins; bit 0 is Sunday.
};
/// From one moment to another.
struct OneWindow {
  Instant from{}, to{};
};
/// No start in here.
struct Blackout {
  std::variant<DailyWindow, OneWindow> window{};
  std::string text{};  ///< "08:00 to 18:00 on mon-fri"
};
/// Whether the window covers `instant`: its beginning does, its end does not.
bool covers(const Blackout& blackout, const Zone& zone, Instant instant);
/// The end of the window that covers `instant`: the first moment at which it does not any more.
Instant end_of(const Blackout& blackout, const Zone& zone, Instant instant);

struct Retries {
  unsigned max = 0;
  std::chrono::seconds backoff{std::chrono::minutes{1}};    ///< Before the first; twice as long before each other,
  std::chrono::seconds max_backoff{std::chrono::hours{1}};  ///< up to this.
};
/// How long to wait before retry number `retry` (from 1) of `run`: within a quarter of the backoff above or below, by a
/// hash, so that what failed together does not come back together.
std::chrono::seconds retry_delay(const Retries& retries, unsigned retry, std::string_view run);

/// No start until `until`; without one, until it is lifted.
struct Pause {
  std::string reason{};
  std::optional<Instant> until{};
  std::string who{};  ///< Empty: the configuration says so.
};

struct Schedule {
  std::variant<Every, Cron> timing{};
  Zone zone{};
  DstRule dst{};
  Missed missed = Missed::latest;
  /// How old a missed tick may be that is made up for. None: until the next tick, and seven days at the most.
  std::optional<std::chrono::seconds> missed_window{};
  unsigned missed_limit = 10;  ///< Of `all`, so many at the most, the newest.
  Overlap overlap = Overlap::skip;
  std::string concurrency{};  ///< Of the jobs with one key, one runs at a time.
  std::chrono::seconds jitter{0};
  std::vector<Blackout> blackouts{};
  std::optional<std::chrono::seconds> max_runtime{};
  /// A run that takes longer is told of. None: what is usual counts (engine/delays.h).
  std::optional<std::chrono::seconds> expected_runtime{};
  Retries retries{};
  std::optional<Pause> pause{};
  Owner owner = Owner::steward;
  ApprovalRule approval{};
  std::chrono::seconds start_grace{std::chrono::minutes{5}};  ///< A start later than this is told of.
  int nice = 0;
  std::optional<Bytes> memory{};    ///< Of its process; see io/process/child.h.
  std::string origin = "built-in";  ///< Or the place in the file.
};

/// The first tick strictly after `after`.
std::optional<Firing> next_tick(const Schedule& schedule, Instant after);

/// The newest ticks after `after` and up to `until`, oldest first, at most `most`; and whether there were more before.
struct Ticks {
  std::vector<Instant> ticks{};
  bool more = false;
};
Ticks latest_ticks(const Schedule& schedule, Instant after, Instant until, std::size_t most);

/// By how much a start of `job` comes after its tick: the same for each tick and on each machine, from zero to
/// `jitter`.
std::chrono::seconds jitter_of(std::string_view job, std::chrono::seconds jitter);

/// "0 3 * * *", "every 6 hours".
std::string text_of(const Schedule& schedule);
/// In words, where they are few: "every day at 03:00", "every Monday at 05:00", "every 15 minutes"; else text_of.
std::string words_of(const Schedule& schedule);

/// The jobs that have a schedule of their own, with it; by name.
std::map<std::string, Schedule> built_in_schedules();

/// What the section of one job looks like.
Shape schedule_shape();
/// Reads a section `jobs` that fits map_of(schedule_shape()), over the built-in schedules. What is wrong beyond its
/// shape is added to `errors`, each with its place.
std::map<std::string, Schedule> read_schedules(const Node& section, std::vector<Error>& errors);

}  // namespace steward::engine
