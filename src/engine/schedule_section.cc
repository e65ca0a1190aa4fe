// The section `jobs` of a configuration file, read into schedules.

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "core/age.h"
#include "core/text.h"
#include "engine/notify/settings.h"
#include "engine/schedule.h"

namespace steward::engine {
namespace {
using namespace std::chrono;

constexpr std::uint64_t least_memory = std::uint64_t{128} << 20;  // threads and their stacks want as much

Shape blackout_shape() {
  const Shape text = scalar(Scalar::text);
  return record("blackout",
                {{.key = "from",
                  .what = "its beginning: a time of day, or a date and time",
                  .shape = text,
                  .required = true,
                  .example = "08:00"},
                 {.key = "to",
                  .what = "its end, the next day's where it is not later; of a date alone, the end of that day",
                  .shape = text,
                  .required = true,
                  .example = "18:00"},
                 {.key = "days",
                  .what = "of a time of day: the days of the week on which it begins, as cron writes them",
                  .shape = text,
                  .fallback = "*",
                  .example = "mon-fri"}});
}

class Reader {
 public:
  Reader(const Node& node, Schedule& schedule, std::vector<Error>& errors)
      : node_(node), schedule_(schedule), errors_(errors) {}

  void read() {
    zone();
    timing();
    schedule_.origin = steward::text_of(node_.at);
    schedule_.dst.gap = node_.text_at("dst_gap", "after") == "skip" ? DstGap::skip : DstGap::after;
    const std::string overlap = node_.text_at("dst_overlap", "first");
    schedule_.dst.overlap = overlap == "both"     ? DstOverlap::both
                            : overlap == "second" ? DstOverlap::second
                                                  : DstOverlap::first;
    const std::string missed = node_.text_at("missed", "latest");
    schedule_.missed = missed == "skip" ? Missed::skip : missed == "all" ? Missed::all : Missed::latest;
    if (const auto span = span_at(node_, "missed_window")) schedule_.missed_window = *span;
    schedule_.missed_limit = number_at(node_, "missed_limit", schedule_.missed_limit, 1000);
    const std::string busy = node_.text_at("overlap", "skip");
    schedule_.overlap = busy == "queue" ? Overlap::queue : busy == "allow" ? Overlap::allow : Overlap::skip;
    schedule_.concurrency = node_.text_at("concurrency");
    schedule_.jitter = span_at(node_, "jitter").value_or(0s);
    blackouts();
    schedule_.max_runtime = span_at(node_, "max_runtime");
    schedule_.expected_runtime = span_at(node_, "expected_runtime");
    retries();
    pause();
    const std::string owner = node_.text_at("scheduler", "steward");
    schedule_.owner = owner == "cron" ? Owner::cron : owner == "dagster" ? Owner::dagster : Owner::steward;
    approval();
    schedule_.start_grace = span_at(node_, "start_grace").value_or(schedule_.start_grace);
    schedule_.nice = static_cast<int>(number_at(node_, "nice", 0, 19));
    memory();
  }

 private:
  void wrong(const Node& node, std::string_view why, std::string hint = {}) {
    errors_.push_back(error_at(node.at, why, std::move(hint)));
  }

  unsigned number_at(const Node& node, std::string_view key, unsigned fallback, unsigned most) {
    const Node* found = node.find(key);
    if (found == nullptr) return fallback;
    unsigned value = 0;
    const char* end = found->text.data() + found->text.size();
    const auto read = std::from_chars(found->text.data(), end, value);
    if (read.ec == std::errc{} && read.ptr == end && value <= most) return value;
    wrong(*found, fmt::format("{} is {}: expected 1 to {}", key, printable(found->text), most));
    return fallback;
  }

  std::optional<seconds> span_at(const Node& node, std::string_view key) {
    const Node* found = node.find(key);
    if (found == nullptr) return {};
    const auto age = parse_age(found->text);  // its shape says that it is one
    if (const auto* span = age ? std::get_if<microseconds>(&age->span) : nullptr) return ceil<seconds>(*span);
    wrong(*found, fmt::format("{} is a span of time, not calendar months", key), "Write it like 30m, 6h or 7 days.");
    return {};
  }

  void approval() {
    const Node* node = node_.find("approval");
    if (node == nullptr) return;
    ApprovalRule& rule = schedule_.approval;
    const Node* when = node->find("when");
    if (rule.required && when != nullptr && when->text == "none")
      wrong(*when, "this job never runs without an approval", "Leave the key out.");
    rule.required = rule.required || (when != nullptr && when->text == "required");
    rule.four_eyes = node->text_at("four_eyes") == "true";
    if (const auto span = span_at(*node, "expires_in")) rule.expires_in = *span;
  }

  void memory() {
    const Node* node = node_.find("memory");
    if (node == nullptr) return;
    const auto bytes = parse_bytes(node->text);  // its shape says that it is some
    if (bytes && bytes->count >= least_memory)
      schedule_.memory = *bytes;
    else
      wrong(*node,
            fmt::format("memory is {}: expected {} or more", printable(node->text), format_bytes(Bytes{least_memory})));
  }

  void zone() {
    const Node* named = node_.find("time_zone");
    if (named == nullptr) return;
    auto loaded = Zone::load(named->text);
    if (loaded)
      schedule_.zone = *std::move(loaded);
    else
      wrong(*named, loaded.error().message, loaded.error().hint);
  }

  void timing() {
    const Node* when = node_.find("schedule");
    if (when == nullptr) return;
    const Node *cron = when->find("cron"), *every = when->find("every");
    if ((cron == nullptr) == (every == nullptr))
      return wrong(*when, "a schedule has either cron or every",
                   "For example: schedule: \"0 3 * * *\", or schedule: {every: 6h}.");
    if (every != nullptr) {
      const auto interval = span_at(*when, "every");
      if (!interval) return;
      if (*interval < 1min)
        return wrong(*every, fmt::format("every is {}: expected a minute or more", printable(every->text)));
      schedule_.timing = Every{*interval};
      return;
    }
    auto parsed = Cron::parse(cron->text);
    if (parsed)
      schedule_.timing = *std::move(parsed);
    else
      wrong(*cron, parsed.error().message, parsed.error().hint);
  }

  /// "08:00", up to "24:00".
  static std::optional<minutes> time_of_day(std::string_view text) {
    const auto digits = [&](std::size_t at, std::size_t count) -> int {
      int value = 0;
      for (std::size_t i = at; i < at + count; ++i) {
        if (text[i] < '0' || text[i] > '9') return 99;
        value = value * 10 + (text[i] - '0');
      }
      return value;
    };
    if (text.size() == 4) {  // "8:00"
      const auto padded = '0' + std::string(text);
      return time_of_day(padded);
    }
    if (text.size() != 5 || text[2] != ':') return {};
    const int hour = digits(0, 2), minute = digits(3, 2);
    if (minute > 59 || hour > 24 || (hour == 24 && minute > 0)) return {};
    return hours{hour} + minutes{minute};
  }

  void blackouts() {
    const Node* list = node_.find("blackout");
    if (list == nullptr) return;
    for (const Node& item : list->items) {
      const Node &from = *item.find("from"), &to = *item.find("to");
      const auto clock_from = time_of_day(from.text), clock_to = time_of_day(to.text);
      if (clock_from && clock_to)
        daily(item, *clock_from, *clock_to);
      else
        once(item, from, to);
    }
  }

  void daily(const Node& item, minutes from, minutes to) {
    const std::string days = item.text_at("days", "*");
    // Cron reads the days: in a week that begins on a Sunday, those at whose midnight it fires.
    const auto cron = Cron::parse("0 0 * * " + days);
    if (!cron || std::ranges::any_of(days, [](char c) { return c == ' ' || c == '\t'; }))
      return wrong(*item.find("days"),
                   fmt::format("days is \"{}\": expected days of the week, as cron writes them", printable(days)),
                   "Write it like mon-fri, or sat,sun.");
    DailyWindow window{.from = from, .to = to, .weekdays = 0};
    constexpr local_days sunday{year{2026} / 11 / 1};
    for (unsigned day = 0; day < 7; ++day)
      if (cron->matches(sunday + std::chrono::days{day})) window.weekdays |= static_cast<std::uint8_t>(1U << day);
    std::string text = fmt::format("{} to {}", item.text_at("from"), item.text_at("to"));
    if (days != "*") text += " on " + days;
    schedule_.blackouts.push_back({.window = window, .text = std::move(text)});
  }

  void once(const Node& item, const Node& from, const Node& to) {
    const auto begin = moment(from, false), end = moment(to, true);
    if (!begin || !end) return;
    if (*begin >= *end) return wrong(to, "a blackout ends before it begins");
    if (const Node* days = item.find("days")) return wrong(*days, "days go with times of day");
    schedule_.blackouts.push_back(
        {.window = OneWindow{.from = *begin, .to = *end}, .text = fmt::format("{} to {}", from.text, to.text)});
  }

  /// A date, or a date and time, in the schedule's zone where it says no offset.
  std::optional<Instant> moment(const Node& node, bool is_end) {
    auto read = parse_instant(node.text);
    if (!read) {
      wrong(node, fmt::format("\"{}\" is neither a time of day nor a date and time", printable(node.text)),
            "Write it like 08:00, 2026-12-24 or 2026-12-24T18:00.");
      return {};
    }
    const std::string_view text = trim(node.text);
    const bool date_alone = text.size() <= 10;
    if (date_alone && !is_end) *read -= days{1};
    const std::string_view after_date = date_alone ? std::string_view{} : text.substr(10);
    if (after_date.find_first_of("Zz+-") != std::string_view::npos) return read;
    return schedule_.zone.resolve(LocalTime{floor<seconds>(read->time_since_epoch())}).first;
  }

  void retries() {
    const Node* node = node_.find("retries");
    if (node == nullptr) return;
    Retries& retries = schedule_.retries;
    retries.max = number_at(*node, "max", 0, 100);
    retries.backoff = span_at(*node, "backoff").value_or(retries.backoff);
    retries.max_backoff = std::max(span_at(*node, "max_backoff").value_or(retries.max_backoff), retries.backoff);
  }

  void pause() {
    const Node* node = node_.find("pause");
    if (node == nullptr) return;
    Pause pause{.reason = node->text_at("reason")};
    if (const Node* until = node->find("until")) pause.until = moment(*until, true);
    schedule_.pause = std::move(pause);
  }

  const Node& node_;
  Schedule& schedule_;
  std::vector<Error>& errors_;
};

}  // namespace

Shape schedule_shape() {
  const Shape text = scalar(Scalar::text), span = scalar(Scalar::age), integer = scalar(Scalar::integer);
  const Shape schedule =
      record("schedule",
             {{.key = "cron",
               .what = "five fields, or a name such as @daily; day of month and day of week are a union",
               .shape = text,
               .example = "0 3 * * *"},
              {.key = "every",
               .what = "an interval instead: its multiples since 1970-01-01T00:00Z, whatever the clocks do",
               .shape = span,
               .example = "6h"}},
             "cron");
  const Shape retries = record(
      "retries",
      {{.key = "max",
        .what = "how many, after a failure that may pass",
        .shape = integer,
        .required = true,
        .example = "3"},
       {.key = "backoff",
        .what = "the wait before the first; twice as long before each other, a quarter more or less",
        .shape = span,
        .fallback = "1 minute",
        .example = "5m"},
       {.key = "max_backoff", .what = "and no longer than this", .shape = span, .fallback = "1 hour", .example = "2h"}},
      "max");
  const Shape pause = record("pause",
                             {{.key = "reason",
                               .what = "why: what the next person reads",
                               .shape = text,
                               .required = true,
                               .example = "moving the database"},
                              {.key = "until",
                               .what = "a date (its end) or a date and time; without it, while the key is there",
                               .shape = text,
                               .example = "2027-01-31"}},
                             "reason");
  const Shape approval = record(
      "approval",
      {{.key = "when",
        .what = "required: each run waits until a person has approved its plan; none: only where a scheduled run "
                "trips a brake, or is the first after a policy or its target has changed",
        .shape = choice({"required", "none"}),
        .fallback = "none; required for rotate-secrets",
        .example = "required"},
       {.key = "expires_in",
        .what = "a question that nobody has answered by then is asked once more, and then no more",
        .shape = span,
        .fallback = "7 days",
        .example = "3 days"},
       {.key = "four_eyes",
        .what = "true: who has started a run cannot approve it",
        .shape = scalar(Scalar::boolean),
        .fallback = "false",
        .example = "true"}},
      "when");
  return record(
      "job",
      {{.key = "schedule",
        .what = "when it is due",
        .shape = schedule,
        .fallback = "the built-in schedule of the job",
        .example = "\"0 3 * * *\""},
       {.key = "time_zone",
        .what = "the zone of the schedule, as the IANA database names it; the file's time_zone is about data, not "
                "about this",
        .shape = text,
        .fallback = "UTC",
        .example = "Europe/Berlin"},
       {.key = "dst_gap",
        .what = "a fixed time that does not exist on a day: right after the gap, or not at all",
        .shape = choice({"after", "skip"}),
        .fallback = "after",
        .example = "skip"},
       {.key = "dst_overlap",
        .what = "a fixed time that comes twice on a day: which of the two",
        .shape = choice({"first", "second", "both"}),
        .fallback = "first",
        .example = "second"},
       {.key = "missed",
        .what = "ticks that were missed while nothing ran: none, the latest or all are made up for, five minutes later",
        .shape = choice({"skip", "latest", "all"}),
        .fallback = "latest",
        .example = "skip"},
       {.key = "missed_window",
        .what = "no older than this",
        .shape = span,
        .fallback = "until the next tick, and 7 days at the most",
        .example = "12h"},
       {.key = "missed_limit",
        .what = "of all, so many at the most: the newest",
        .shape = integer,
        .fallback = "10",
        .example = "5"},
       {.key = "overlap",
        .what = "a tick whose job still runs: it does not fire, waits, or fires beside it",
        .shape = choice({"skip", "queue", "allow"}),
        .fallback = "skip",
        .example = "queue"},
       {.key = "concurrency",
        .what = "a name: of all jobs that have the same, one runs at a time",
        .shape = text,
        .example = "database"},
       {.key = "jitter",
        .what = "starts are spread over this, each job always at the same place in it",
        .shape = span,
        .fallback = "none",
        .example = "10m"},
       {.key = "blackout",
        .what = "no start in these windows",
        .shape = list_of(blackout_shape()),
        .example = "[{from: 08:00, to: 18:00, days: mon-fri}]"},
       {.key = "max_runtime",
        .what = "a run that takes longer is stopped",
        .shape = span,
        .fallback = "none",
        .example = "4h"},
       {.key = "expected_runtime",
        .what = "a run that takes longer is told of, and goes on",
        .shape = span,
        .fallback = "three times the median of the last ten successes, and 10 minutes at the least",
        .example = "2h"},
       {.key = "retries",
        .what = "of runs that failed",
        .shape = retries,
        .fallback = "none",
        .example = "{max: 3, backoff: 5m}"},
       {.key = "pause", .what = "no start while it is there", .shape = pause, .example = "moving the database"},
       {.key = "scheduler",
        .what = "who starts it; what is left to another is never started here",
        .shape = choice({"steward", "cron", "dagster"}),
        .fallback = "steward",
        .example = "cron"},
       {.key = "approval",
        .what = "which runs wait until a person has approved their plan",
        .shape = approval,
        .example = "required"},
       {.key = "start_grace",
        .what = "a start that is later than this is told of",
        .shape = span,
        .fallback = "5 minutes",
        .example = "15m"},
       notify::ping_field(),
       {.key = "nice",
        .what = "the niceness of its process, 1 to 19; beyond 0 the disk serves it last, too",
        .shape = integer,
        .fallback = "0",
        .example = "10"},
       {.key = "memory",
        .what = "what its process may reserve, stacks of threads and all: beyond it, it ends",
        .shape = scalar(Scalar::bytes),
        .fallback = "no bound",
        .example = "1 GiB"}});
}

std::map<std::string, Schedule> read_schedules(const Node& section, std::vector<Error>& errors) {
  std::map<std::string, Schedule> schedules = built_in_schedules();
  std::vector<std::string> names;
  for (const auto& [name, schedule] : schedules) names.push_back(name);
  for (const Member& member : section.members) {
    const auto found = schedules.find(member.key);
    if (found == schedules.end()) {
      std::string hint = did_you_mean(member.key, names);
      errors.push_back(error_at(member.at, fmt::format("there is no job \"{}\"", printable(member.key)),
                                hint.empty() ? fmt::format("The jobs are {}.", join_and(names)) : std::move(hint)));
    } else {
      Reader(member.value, found->second, errors).read();
      const bool is_dagsters = found->second.owner == Owner::dagster && member.value.find("schedule") == nullptr;
      if (is_dagsters && member.key == "cleanup") found->second.timing = Cron::parse("0 * * * *").value();
    }
  }
  return schedules;
}

}  // namespace steward::engine
