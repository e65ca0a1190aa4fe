/// A small application with one of everything that is awkward, and the questions that are asked of it from outside
/// after a crash: with SQL, with the files, and by reading the manifests as a person would.
#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <sstream>
#include <string>

#include "harness/application.h"

namespace steward::harness {

using nlohmann::json;

/// What stands in the archive, read as a person would: all items of all manifests in their last state, by "table/key".
struct Archived {
  std::map<std::string, int> times{};  ///< How often an item left the database.
  std::map<std::string, json> last{};
  std::map<std::string, int> segment_rows{};  ///< Audit rows by id, out of segments that are not undone.
};

struct Shape {
  const char* name;
  DatabaseKind database;
  BucketKind bucket;
};

inline void PrintTo(const Shape& shape, std::ostream* out) { *out << shape.name; }

/// Old and new of everything, a file that two old rows share, one that an old and a new row share, a row that is
/// referenced, one without its file.
struct World {
  Application app;
  std::map<std::string, std::string> rows{}, pictures{};

  explicit World(const Shape& shape) : app(shape.database, shape.bucket) {
    app.mockup(1, "a/one.png", 400, "one");
    app.mockup(2, "a/two.png", 500, "two");
    app.mockup(3, "shared/both-old.png", 420, "both old");
    app.mockup(4, "shared/both-old.png", 430, std::nullopt);
    app.mockup(5, "shared/old-and-new.png", 440, "old and new");
    app.mockup(6, "shared/old-and-new.png", 10, std::nullopt);
    app.mockup(7, "b/referenced.png", 450, "referenced");
    app.mockup(8, "b/lost.png", 460, std::nullopt);
    app.mockup(9, "b/new.png", 20, "new");
    app.sql("insert into listings values (1, 7)");
    for (int i = 1; i <= 30; ++i)
      app.sql("insert into signals values (" + std::to_string(i) + ", 1, '" + days_ago(i <= 20 ? 40 : 5) +
              "', 0.5, null, 'x')");
    for (int i = 1; i <= 12; ++i)
      app.sql("insert into audit_logs values (" + std::to_string(i) + ", 'ann', 'login', '{\"n\":" + std::to_string(i) +
              "}', '" + days_ago(i <= 8 ? 600 + i : 5) + "')");
    for (int i = 1; i <= 4; ++i) app.file("logs/" + std::to_string(i) + ".log", "log", i <= 2 ? 40 : 5);
    for (int i = 1; i <= 4; ++i) app.object(std::to_string(i) + ".csv", "object", i <= 2 ? 100 : 5);
    rows = all_rows();
    for (const std::string& file : app.files("media")) pictures[file] = app.content("media/" + file);
  }

  /// Every row that archives carry, as text, by "table/id".
  std::map<std::string, std::string> all_rows() {
    std::map<std::string, std::string> all;
    const auto read = [&](const std::string& table, const std::string& columns) {
      const auto found = app.db().query("select id, " + columns + " from " + table);
      ASSERT_TRUE(found) << found.error().message;
      for (const sql::Row& row : found->rows) {
        std::string text;
        for (const sql::Value& value : row) text += sql::to_text(value) + '|';
        all[table + '/' + sql::to_text(row[0])] = text;
      }
    };
    read("mockups", "idea_id, image_url, created_at");
    read("audit_logs", "username, action, details, timestamp");
    return all;
  }

  Archived archived() {
    Archived archive;
    for (const std::string& file : app.files("cold")) {
      if (!file.contains("/manifest/")) continue;
      const std::string table = file.substr(0, file.find('/'));
      const std::string run = file.substr(file.rfind('/') + 1, 23);
      // A finished manifest's leftovers say the same again.
      const bool segment = std::count(file.begin(), file.end(), '.') == 2;
      if (segment && app.exists("cold/" + table + "/manifest/" + run + ".jsonl")) continue;
      read_manifest(table, run, app.content("cold/" + file));
    }
    for (auto& [id, item] : items_) settle(id, item, archive);
    items_.clear();
    return archive;
  }

  /// Every row that was to go is in the database with its file, or in the archive with its copy: asked at any moment,
  /// also after a crash.
  void expect_nothing_lost(const std::string& where) {
    const auto now = all_rows();
    const Archived archive = archived();
    for (const auto& [id, row] : rows) {
      if (id.starts_with("audit_logs/")) {
        EXPECT_TRUE(now.contains(id) || archive.segment_rows.contains(id)) << id << " is lost, " << where;
        continue;
      }
      const std::string url = row_url(row);
      if (now.contains(id)) {
        EXPECT_TRUE(!pictures.contains(url) || app.content("media/" + url) == pictures[url])
            << id << " is without its file, " << where;
        continue;
      }
      ASSERT_TRUE(archive.last.contains(id)) << id << " is neither in the database nor in the archive, " << where;
      EXPECT_EQ(app.content("cold/" + archive.last.at(id).value("copy", "?")), pictures[url])
          << id << " has no copy, " << where;
      EXPECT_EQ(archive.last.at(id)["row"]["image_url"], url) << where;
    }
  }

  void expect_finished(const std::string& where) {
    EXPECT_EQ(app.value("select count(*) from mockups"), "4") << where;  // 6, 7, 8, 9
    EXPECT_EQ(app.value("select count(*) from signals"), "10") << where;
    EXPECT_EQ(app.value("select min(id) from signals"), "21") << where;
    EXPECT_EQ(app.value("select count(*) from audit_logs"), "4") << where;
    EXPECT_EQ(app.files("media"), (std::vector<std::string>{"b/new.png", "b/referenced.png", "shared/old-and-new.png"}))
        << where;
    EXPECT_EQ(app.files("logs"), (std::vector<std::string>{"3.log", "4.log"})) << where;
    // A run that is killed while it asks what the server can do leaves its probe, which is no object of anybody's.
    std::vector<std::string> objects = app.objects();
    std::erase_if(objects, [](const std::string& key) { return key.starts_with(".steward-probe-"); });
    EXPECT_EQ(objects, (std::vector<std::string>{"3.csv", "4.csv"})) << where;
    const Archived archive = archived();
    for (int id = 1; id <= 5; ++id)
      EXPECT_EQ(archive.times.at("mockups/" + std::to_string(id)), 1)
          << "mockup " << id << " is archived not once, " << where;
    EXPECT_EQ(archive.segment_rows.size(), 8U) << where;
    for (const auto& [id, times] : archive.segment_rows) EXPECT_EQ(times, 1) << id << " is archived twice, " << where;
    EXPECT_EQ(app.files("cold/mockups/manifest").size(), finished_manifests()) << "a segment was left, " << where;
  }

  void expect_restored(const std::string& where) {
    const Answer restored = app.steward({"archive", "restore", "--all", "--json"});
    EXPECT_EQ(restored.exit_code, 0) << restored.out << restored.err << where;
    EXPECT_EQ(all_rows(), rows) << where;
    for (const auto& [file, content] : pictures)
      EXPECT_EQ(app.content("media/" + file), content) << file << ' ' << where;
  }

 private:
  static std::string row_url(const std::string& row) {
    const std::size_t first = row.find('|'), second = row.find('|', first + 1), third = row.find('|', second + 1);
    return row.substr(second + 1, third - second - 1);
  }

  std::size_t finished_manifests() {
    std::size_t n = 0;
    for (const std::string& file : app.files("cold/mockups/manifest"))
      n += std::count(file.begin(), file.end(), '.') == 1;
    return n;
  }

  void read_manifest(const std::string& table, const std::string& run, const std::string& text) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      const json entry = json::parse(line, nullptr, false);
      ASSERT_FALSE(entry.is_discarded()) << line;
      if (!entry.contains("item")) continue;
      json& item = items_[table + ' ' + run + ' ' + std::to_string(entry["item"].get<int>())];
      item.update(entry);
      item["table"] = table;
    }
  }

  void settle(const std::string&, const json& item, Archived& archive) {
    const std::string state = item["state"], id = item["table"].get<std::string>() + '/' + item.value("key", "");
    if (item.contains("rows")) {
      if (state == "undone" || (state != "row_gone" && state != "verified")) return;
      const std::string plain = zstd(item["copy"]);
      std::set<std::string> kept;
      for (const json& key : item.value("kept", json::array())) kept.insert(key);
      std::istringstream lines(plain);
      for (std::string line; std::getline(lines, line);) {
        const json row = json::parse(line, nullptr, false);
        const std::string key =
            row["id"].is_string() ? row["id"].get<std::string>() : std::to_string(row["id"].get<int>());
        if (!kept.contains(key)) ++archive.segment_rows["audit_logs/" + key];
      }
      return;
    }
    if (state == "source_gone" || state == "source_kept" || state == "row_gone" || state == "verified") {
      archive.last[id] = item;
      archive.times[id] += state != "verified";
    }
  }

  std::string zstd(const std::string& copy) {
    return run_program({"zstd", "-dc", app.path("cold/" + copy)}, {{"PATH", "/usr/bin:/bin"}}, app.root()).out;
  }

  std::map<std::string, json> items_{};
};

}  // namespace steward::harness
