#include "core/zone.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <vector>

namespace steward {
namespace {
using namespace std::chrono;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

Zone zone(std::string_view name) {
  Result<Zone> loaded = Zone::load(name);
  EXPECT_TRUE(loaded) << loaded.error().message;
  return loaded.value_or(Zone{});
}
Instant at(std::string_view text) { return parse_instant(text).value(); }
LocalTime clock(std::string_view text) { return LocalTime{floor<seconds>(at(text).time_since_epoch())}; }

/// A database of its own, in a folder that goes with it.
struct Database {
  Database() {
    std::string name = (fs::temp_directory_path() / "steward-zones-XXXXXX").string();
    folder = ::mkdtemp(name.data());
    ::setenv("TZDIR", folder.c_str(), 1);
  }
  ~Database() {
    ::unsetenv("TZDIR");
    fs::remove_all(folder);
  }
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  /// As a package manager does: written beside, and renamed over what was there.
  void put(const std::string& name, const std::string& systems_zone) const {
    fs::create_directories((folder / name).parent_path());
    fs::copy_file("/usr/share/zoneinfo/" + systems_zone, folder / "new", fs::copy_options::overwrite_existing);
    fs::rename(folder / "new", folder / name);
  }
  fs::path folder;
};

TEST(Zone, ShowsWhatAClockOnTheWallShows) {
  struct Case {
    const char *zone, *instant, *shown, *abbreviation;
  };
  const std::vector<Case> table{
      {"UTC", "2026-03-29T01:00:00Z", "2026-03-29T01:00:00+00:00", "UTC"},
      {"Europe/Berlin", "2026-03-29T00:59:59Z", "2026-03-29T01:59:59+01:00", "CET"},
      {"Europe/Berlin", "2026-03-29T01:00:00Z", "2026-03-29T03:00:00+02:00", "CEST"},
      {"Europe/Berlin", "2026-03-29T01:00:00.25Z", "2026-03-29T03:00:00.25+02:00", "CEST"},
      {"Europe/Berlin", "1969-12-31T23:59:59.5Z", "1970-01-01T00:59:59.5+01:00", "CET"},
      {"America/St_Johns", "2026-01-01T00:00:00Z", "2025-12-31T20:30:00-03:30", "NST"},
      {"Asia/Kathmandu", "2026-01-01T00:00:00Z", "2026-01-01T05:45:00+05:45", "+0545"},
      {"America/New_York", "2060-07-01T12:00:00Z", "2060-07-01T08:00:00-04:00", "EDT"},
      {"America/New_York", "1880-01-01T00:00:00Z", "1879-12-31T19:03:58-04:56:02", "LMT"},
  };
  for (const Case& c : table) {
    EXPECT_EQ(format_local(at(c.instant), zone(c.zone)), c.shown);
    EXPECT_EQ(zone(c.zone).local(at(c.instant)).abbreviation, c.abbreviation);
  }
}

TEST(Zone, TellsWhichInstantsATimeOnTheWallMeans) {
  using enum Resolved::Kind;
  struct Case {
    const char *zone, *shown;
    Resolved::Kind kind;
    const char *first, *second;
  };
  const std::vector<Case> table{
      {"Europe/Berlin", "2026-03-29T01:59:59", unique, "2026-03-29T00:59:59Z", "2026-03-29T00:59:59Z"},
      {"Europe/Berlin", "2026-03-29T02:00:00", gap, "2026-03-29T01:00:00Z", "2026-03-29T01:00:00Z"},
      {"Europe/Berlin", "2026-03-29T02:59:59", gap, "2026-03-29T01:00:00Z", "2026-03-29T01:00:00Z"},
      {"Europe/Berlin", "2026-03-29T03:00:00", unique, "2026-03-29T01:00:00Z", "2026-03-29T01:00:00Z"},
      {"Europe/Berlin", "2026-10-25T01:59:59", unique, "2026-10-24T23:59:59Z", "2026-10-24T23:59:59Z"},
      {"Europe/Berlin", "2026-10-25T02:00:00", overlap, "2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z"},
      {"Europe/Berlin", "2026-10-25T02:59:59", overlap, "2026-10-25T00:59:59Z", "2026-10-25T01:59:59Z"},
      {"Europe/Berlin", "2026-10-25T03:00:00", unique, "2026-10-25T02:00:00Z", "2026-10-25T02:00:00Z"},
      {"Australia/Lord_Howe", "2026-04-05T01:30:00", overlap, "2026-04-04T14:30:00Z", "2026-04-04T15:00:00Z"},
      {"Australia/Lord_Howe", "2026-10-04T02:15:00", gap, "2026-10-03T15:30:00Z", "2026-10-03T15:30:00Z"},
      {"Antarctica/Troll", "2026-03-29T02:59:00", gap, "2026-03-29T01:00:00Z", "2026-03-29T01:00:00Z"},
      {"Antarctica/Troll", "2026-10-25T01:00:00", overlap, "2026-10-24T23:00:00Z", "2026-10-25T01:00:00Z"},
      {"America/Santiago", "2026-09-06T00:00:00", gap, "2026-09-06T04:00:00Z", "2026-09-06T04:00:00Z"},
      {"Asia/Beirut", "2026-03-29T00:00:00", gap, "2026-03-28T22:00:00Z", "2026-03-28T22:00:00Z"},
      // A whole day that was not: the date line moved.
      {"Pacific/Apia", "2011-12-30T12:00:00", gap, "2011-12-30T10:00:00Z", "2011-12-30T10:00:00Z"},
      {"UTC", "2026-03-29T02:30:00", unique, "2026-03-29T02:30:00Z", "2026-03-29T02:30:00Z"},
  };
  for (const Case& c : table) {
    const Resolved resolved = zone(c.zone).resolve(clock(c.shown));
    EXPECT_EQ(resolved.kind, c.kind) << c.zone << ' ' << c.shown;
    EXPECT_EQ(format_instant(resolved.first), c.first) << c.zone << ' ' << c.shown;
    EXPECT_EQ(format_instant(resolved.second), c.second) << c.zone << ' ' << c.shown;
  }
}

TEST(Zone, FindsTheNextChangeOfTheOffset) {
  struct Case {
    const char *zone, *after, *change;
    seconds before, then;
  };
  const std::vector<Case> table{
      {"Europe/Berlin", "2026-01-01T00:00:00Z", "2026-03-29T01:00:00Z", 1h, 2h},
      {"Europe/Berlin", "2026-03-29T00:59:59.999999Z", "2026-03-29T01:00:00Z", 1h, 2h},
      {"Europe/Berlin", "2026-03-29T01:00:00Z", "2026-10-25T01:00:00Z", 2h, 1h},
      {"Europe/Berlin", "2037-12-01T00:00:00Z", "2038-03-28T01:00:00Z", 1h, 2h},
      {"Australia/Lord_Howe", "2026-01-01T00:00:00Z", "2026-04-04T15:00:00Z", 11h, 10h + 30min},
      {"Antarctica/Troll", "2026-01-01T00:00:00Z", "2026-03-29T01:00:00Z", 0s, 2h},
      {"America/Santiago", "2026-06-01T00:00:00Z", "2026-09-06T04:00:00Z", -4h, -3h},
      {"Pacific/Apia", "2011-12-01T00:00:00Z", "2011-12-30T10:00:00Z", -10h, 14h},
      // The abbreviation and the flag of summer change without the offset in between: no change of ours.
      {"Europe/London", "1968-06-01T00:00:00Z", "1971-10-31T02:00:00Z", 1h, 0s},
  };
  for (const Case& c : table) {
    const auto change = zone(c.zone).next_change(at(c.after));
    ASSERT_TRUE(change) << c.zone;
    EXPECT_EQ(format_instant(change->at), c.change) << c.zone;
    EXPECT_EQ(change->before, c.before) << c.zone;
    EXPECT_EQ(change->after, c.then) << c.zone;
  }
  const auto last = [](const char* name, const char* until) {
    const auto change = zone(name).last_change(at(until));
    return change ? format_instant(change->at) : "none";
  };
  EXPECT_EQ(last("Europe/Berlin", "2026-03-29T01:00:00Z"), "2026-03-29T01:00:00Z");
  EXPECT_EQ(last("Europe/Berlin", "2026-03-29T01:00:00.5Z"), "2026-03-29T01:00:00Z");
  EXPECT_EQ(last("Europe/Berlin", "2026-03-29T00:59:59.999999Z"), "2025-10-26T01:00:00Z");
  EXPECT_EQ(last("Europe/London", "1970-01-01T00:00:00Z"), "1968-02-18T02:00:00Z");
  EXPECT_EQ(last("UTC", "2026-01-01T00:00:00Z"), "none");
  EXPECT_FALSE(zone("UTC").next_change(at("2026-01-01T00:00:00Z")));
  EXPECT_FALSE(zone("Asia/Tokyo").next_change(at("2026-01-01T00:00:00Z")));
}

TEST(Zone, ThatIsUnknownNamesTheNearest) {
  struct Case {
    const char *name, *hint;
  };
  const std::vector<Case> table{
      {"Europe/Berln", "Did you mean \"Europe/Berlin\"?"},
      {"europe/berlin", "Did you mean \"Europe/Berlin\"?"},
      {"Berlin", "Did you mean \"Europe/Berlin\"?"},
      {"new york", "Did you mean \"America/New_York\"?"},
      {"utc", "Did you mean \"UTC\"?"},
      {"Mars/Olympus_Mons", "Write a name such as Europe/Berlin, America/New_York or UTC."},
      {"", "Write a name such as Europe/Berlin, America/New_York or UTC."},
      {"Europe", "Write a name such as Europe/Berlin, America/New_York or UTC."},
      {"../../../etc/localtime", "Write a name such as Europe/Berlin, America/New_York or UTC."},
      {"/etc/localtime", "Write a name such as Europe/Berlin, America/New_York or UTC."},
      {"file:/etc/localtime", "Write a name such as Europe/Berlin, America/New_York or UTC."},
  };
  for (const Case& c : table) {
    const auto loaded = Zone::load(c.name);
    ASSERT_FALSE(loaded) << c.name;
    EXPECT_EQ(loaded.error().kind, Kind::bad_input);
    EXPECT_EQ(loaded.error().message, "there is no time zone \"" + std::string(c.name) + "\" in /usr/share/zoneinfo");
    EXPECT_EQ(loaded.error().hint, c.hint) << c.name;
  }
}

TEST(Zone, ThatIsNoneOfItsOwnIsRefusedWithAReason) {
  EXPECT_EQ(Zone::load("localtime").error().message, "\"localtime\" names no time zone of its own");
  EXPECT_EQ(Zone::load("right/Europe/Berlin").error().hint, "Write Europe/Berlin.");
}

TEST(Zone, WithoutADatabaseSaysSoAndKnowsUtc) {
  const Database empty;
  const auto loaded = Zone::load("Europe/Berlin");
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().kind, Kind::unavailable);
  EXPECT_EQ(loaded.error().message, "there are no time zones in " + empty.folder.string());
  EXPECT_TRUE(Zone::load("UTC"));
}

TEST(Zone, IsReadAgainWhenTheDatabaseHasChanged) {
  const Database database;
  const Instant noon = at("2026-07-01T12:00:00Z");
  database.put("Here/There", "Europe/Berlin");
  const Zone first = zone("Here/There");
  EXPECT_TRUE(first.is_current());
  EXPECT_EQ(first.local(noon).offset, 2h);

  database.put("Here/There", "Asia/Tokyo");
  EXPECT_FALSE(first.is_current());
  EXPECT_EQ(first.local(noon).offset, 2h) << "a zone is a value";
  const Zone second = zone("Here/There");
  EXPECT_TRUE(second.is_current());
  EXPECT_EQ(second.local(noon).offset, 9h);

  database.put("Here/There", "UTC");
  EXPECT_EQ(zone("Here/There").local(noon).offset, 0s);

  Zone held = second;
  EXPECT_TRUE(held.refresh());
  EXPECT_EQ(held.local(noon).offset, 0s);
  EXPECT_FALSE(held.refresh()) << "nothing has changed since";

  fs::remove(database.folder / "Here/There");
  EXPECT_FALSE(held.refresh()) << "it keeps what it knows";
  EXPECT_EQ(held.local(noon).offset, 0s);
  EXPECT_FALSE(second.is_current());
  EXPECT_TRUE(Zone{}.is_current());
}

TEST(Zone, FollowsItsRuleWhereTheDatabaseIsOfTheSlimForm) {
  const Database database;
  std::ofstream(database.folder / "rules") << "Rule E 1981 max - Mar lastSun 1:00u 1:00 S\n"
                                              "Rule E 1996 max - Oct lastSun 1:00u 0 -\n"
                                              "Zone Slim/Berlin 1:00 E CE%sT\n";
  const std::string folder = database.folder.string();
  ASSERT_EQ(std::system(("/usr/sbin/zic -b slim -d " + folder + ' ' + folder + "/rules").c_str()), 0);
  const Zone slim = zone("Slim/Berlin"), berlin = [] {
    ::unsetenv("TZDIR");
    return zone("Europe/Berlin");
  }();
  for (Instant when = at("2026-01-01T00:00:00Z"); when < at("2045-01-01T00:00:00Z");) {
    const auto of_slim = slim.next_change(when), of_berlin = berlin.next_change(when);
    ASSERT_TRUE(of_slim && of_berlin) << format_instant(when);
    ASSERT_EQ(of_slim->at, of_berlin->at);
    when = of_slim->at;
  }
}

TEST(Zone, OfAFileThatIsNoneSaysWhich) {
  const Database database;
  std::ofstream(database.folder / "Broken") << "TZif?";
  const auto loaded = Zone::load("Broken");
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().message, database.folder.string() + "/Broken is no time zone that can be read");
}

}  // namespace
}  // namespace steward
