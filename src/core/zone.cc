#include "core/zone.h"

#include <absl/time/civil_time.h>
#include <absl/time/time.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <mutex>
#include <vector>

#include "core/text.h"

namespace steward {
namespace {
using namespace std::chrono;

/// Which file it is, and which version of it: a package manager replaces, an editor writes.
struct FileStamp {
  dev_t device = 0;
  ino_t inode = 0;
  std::int64_t size = 0, modified = 0, changed = 0;  ///< Times in nanoseconds.
  bool operator==(const FileStamp&) const = default;
};

std::optional<FileStamp> stamp_of(const std::string& path) {
  struct stat found{};
  if (::stat(path.c_str(), &found) != 0 || !S_ISREG(found.st_mode)) return {};
  const auto nanoseconds_of = [](const timespec& t) { return t.tv_sec * 1'000'000'000 + t.tv_nsec; };
  return FileStamp{.device = found.st_dev,
                   .inode = found.st_ino,
                   .size = found.st_size,
                   .modified = nanoseconds_of(found.st_mtim),
                   .changed = nanoseconds_of(found.st_ctim)};
}

std::string database_folder() {
  const char* named = std::getenv("TZDIR");
  return named != nullptr && *named != '\0' ? std::filesystem::absolute(named).string() : "/usr/share/zoneinfo";
}

/// A name as IANA writes them: parts of letters, digits, "_", "-" and "+", with "/" between them.
bool is_name(std::string_view name) {
  if (name.empty() || name.size() > 200 || name.front() == '/' || name.back() == '/') return false;
  if (name.find("//") != std::string_view::npos) return false;
  return std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '+' || c == '/';
  });
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(),
                         [](char c) { return static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c); });
  return result;
}

/// Every zone's name, sorted.
std::vector<std::string> names_in(const std::string& folder) {
  namespace fs = std::filesystem;
  std::vector<std::string> names;
  std::error_code error;
  for (auto entry = fs::recursive_directory_iterator(folder, error);
       !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    std::string name = entry->path().lexically_relative(folder).string();
    // posix/ and right/ are the whole database over again; names without a capital are other files.
    if (name.starts_with("posix") || name.starts_with("right")) {
      entry.disable_recursion_pending();
    } else if (name.front() >= 'A' && name.front() <= 'Z' && is_name(name) && entry->is_regular_file(error)) {
      names.push_back(std::move(name));
    }
  }
  std::ranges::sort(names);
  return names;
}

/// The name that `word` was meant to be: without its capitals, with its last part alone ("Berlin"), or nearly spelt so.
std::optional<std::string> meant(std::string_view word, const std::vector<std::string>& names) {
  std::string wanted = lower(word);
  std::ranges::replace(wanted, ' ', '_');
  std::vector<std::string> lowered;
  for (const std::string& name : names) lowered.push_back(lower(name));
  const auto named = [&](auto position) { return names[static_cast<std::size_t>(position - lowered.begin())]; };

  if (const auto same = std::ranges::find(lowered, wanted); same != lowered.end()) return named(same);
  const auto ends_so = [&](const std::string& name) { return name.ends_with('/' + wanted); };
  if (const auto city = std::ranges::find_if(lowered, ends_so); city != lowered.end()) return named(city);
  const auto near = nearest(wanted, lowered);
  if (!near) return {};
  return named(std::ranges::find(lowered, *near));
}

std::unexpected<Error> no_such_zone(std::string_view name) {
  const std::string folder = database_folder();
  const std::vector<std::string> names = names_in(folder);
  if (names.empty())
    return fail(Kind::unavailable, fmt::format("there are no time zones in {}", folder),
                "Install the package tzdata, or name its folder in TZDIR. UTC needs neither.");
  const std::string message = fmt::format("there is no time zone \"{}\" in {}", printable(name), folder);
  if (const auto near = meant(name, names))
    return fail(Kind::bad_input, message, fmt::format("Did you mean \"{}\"?", *near));
  return fail(Kind::bad_input, message, "Write a name such as Europe/Berlin, America/New_York or UTC.");
}

/// Abseil keeps what it has loaded for good, by name. So a file that has changed is loaded by another spelling of its
/// path: one more "./" for each version that this process has met.
class LoadedFiles {
 public:
  std::string spelling(const std::string& folder, std::string_view name, const FileStamp& stamp) {
    const std::lock_guard lock(mutex_);
    std::vector<FileStamp>& versions = versions_[folder + '/' + std::string(name)];
    auto version = std::ranges::find(versions, stamp);
    if (version == versions.end()) version = versions.insert(version, stamp);
    std::string path = folder + '/';
    for (auto i = versions.begin(); i != version; ++i) path += "./";
    return path.append(name);
  }

 private:
  std::mutex mutex_;
  std::map<std::string, std::vector<FileStamp>> versions_;
};

LoadedFiles& loaded_files() {
  static LoadedFiles files;
  return files;
}

absl::Time time_of(Instant instant) { return absl::FromUnixMicros(instant.time_since_epoch().count()); }
Instant instant_of(absl::Time time) { return Instant{microseconds{absl::ToUnixMicros(time)}}; }

// Civil seconds are days and seconds of no zone, and so are local ones: both count from 1970.
LocalTime local_of(absl::CivilSecond second) { return LocalTime{seconds{second - absl::CivilSecond(1970)}}; }
absl::CivilSecond civil_of(LocalTime time) { return absl::CivilSecond(1970) + time.time_since_epoch().count(); }

}  // namespace

struct Zone::Rules {
  std::string name = "UTC";
  absl::TimeZone zone = absl::UTCTimeZone();
  std::string path{};  ///< Empty for UTC.
  FileStamp stamp{};
};

Zone::Zone() : rules_(std::make_shared<const Rules>()) {}
Zone::Zone(std::shared_ptr<const Rules> rules) : rules_(std::move(rules)) {}

Result<Zone> Zone::load(std::string_view name) {
  if (name == "UTC") return Zone{};
  if (name == "localtime" || name == "local")
    return fail(Kind::bad_input, fmt::format("\"{}\" names no time zone of its own", name),
                "Write the zone that this machine is in, so that every machine reads the same: timedatectl shows it.");
  if (name.starts_with("right/"))
    return fail(Kind::bad_input, fmt::format("{} counts leap seconds, which no clock here does", printable(name)),
                fmt::format("Write {}.", printable(name.substr(6))));
  if (!is_name(name)) return no_such_zone(name);
  const std::string folder = database_folder();
  Rules rules{.name = std::string(name), .path = folder + '/' + std::string(name)};
  const auto stamp = stamp_of(rules.path);
  if (!stamp) return no_such_zone(name);
  rules.stamp = *stamp;
  if (!absl::LoadTimeZone(loaded_files().spelling(folder, name, *stamp), &rules.zone))
    return fail(Kind::bad_input, fmt::format("{} is no time zone that can be read", rules.path),
                "Install the package tzdata again.");
  return Zone(std::make_shared<const Rules>(std::move(rules)));
}

const std::string& Zone::name() const { return rules_->name; }

bool Zone::is_current() const { return rules_->path.empty() || stamp_of(rules_->path) == rules_->stamp; }

bool Zone::refresh() {
  if (is_current()) return false;
  auto loaded = load(name());
  if (!loaded) return false;
  *this = *std::move(loaded);
  return true;
}

LocalView Zone::local(Instant instant) const {
  const absl::TimeZone::CivilInfo info = rules_->zone.At(time_of(instant));
  return {.time = local_of(info.cs), .offset = seconds{info.offset}, .abbreviation = info.zone_abbr};
}

Resolved Zone::resolve(LocalTime time) const {
  const absl::TimeZone::TimeInfo info = rules_->zone.At(civil_of(time));
  switch (info.kind) {
    case absl::TimeZone::TimeInfo::UNIQUE: break;
    case absl::TimeZone::TimeInfo::SKIPPED:
      return {.kind = Resolved::Kind::gap, .first = instant_of(info.trans), .second = instant_of(info.trans)};
    case absl::TimeZone::TimeInfo::REPEATED:
      return {.kind = Resolved::Kind::overlap, .first = instant_of(info.pre), .second = instant_of(info.post)};
  }
  return {.kind = Resolved::Kind::unique, .first = instant_of(info.pre), .second = instant_of(info.pre)};
}

namespace {

/// What Abseil found: the clock goes from one time to another, and the times between do not exist, or exist twice. None
/// where the offset stays, and only the abbreviation is another.
std::optional<OffsetChange> change_of(const absl::TimeZone& zone, const absl::TimeZone::CivilTransition& found) {
  if (found.from == found.to) return {};
  const absl::Time at = zone.At(std::min(found.from, found.to)).trans;
  return OffsetChange{.at = instant_of(at),
                      .before = seconds{zone.At(at - absl::Seconds(1)).offset},
                      .after = seconds{zone.At(at).offset}};
}

}  // namespace

std::optional<OffsetChange> Zone::next_change(Instant after) const {
  absl::TimeZone::CivilTransition found;
  for (absl::Time from = time_of(after); rules_->zone.NextTransition(from, &found);) {
    if (auto change = change_of(rules_->zone, found)) return change;
    from = rules_->zone.At(found.to).trans;
  }
  return {};
}

std::optional<OffsetChange> Zone::last_change(Instant until) const {
  absl::TimeZone::CivilTransition found;
  // Strictly before a whole second: Abseil drops fractions.
  for (absl::Time to = time_of(floor<seconds>(until) + 1s); rules_->zone.PrevTransition(to, &found);) {
    if (auto change = change_of(rules_->zone, found)) return change;
    to = rules_->zone.At(found.to).trans;
  }
  return {};
}

Instant later_of(const Zone& zone, LocalTime time) {
  const Resolved found = zone.resolve(time);
  if (found.kind != Resolved::Kind::gap) return found.second;
  return Instant{time.time_since_epoch() - zone.local(found.first - 1s).offset};
}

std::optional<Instant> parse_instant(std::string_view text, const Zone& zone) {
  const auto written = parse_written(text);
  if (!written) return {};
  if (!written->local) return written->time;
  const auto whole = floor<seconds>(written->time);
  return later_of(zone, LocalTime{whole.time_since_epoch()}) + (written->time - whole);
}

std::string format_offset(seconds offset) {
  const auto whole = abs(offset);
  const hh_mm_ss parts{whole};
  std::string text =
      fmt::format("{}{:02}:{:02}", offset < 0s ? '-' : '+', parts.hours().count(), parts.minutes().count());
  if (parts.seconds() != 0s) text += fmt::format(":{:02}", parts.seconds().count());  // local mean times of long ago
  return text;
}

std::string format_local(Instant instant, const Zone& zone) {
  const LocalView view = zone.local(instant);
  const auto subseconds = instant - floor<seconds>(instant);
  std::string text = format_instant(Instant{view.time.time_since_epoch()} + subseconds);
  text.pop_back();  // "Z"
  return text + format_offset(view.offset);
}

}  // namespace steward
