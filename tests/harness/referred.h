/// Mockups that listings and bids refer to, under a policy of either kind that archives.
#pragma once
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "harness/application.h"

namespace steward::harness {

struct ReferredKind {
  const char* name;
  DatabaseKind database;
  bool with_files;
};
inline void PrintTo(const ReferredKind& kind, std::ostream* out) { *out << kind.name; }
inline const ReferredKind kinds[] = {{"sqlite_rows", DatabaseKind::sqlite, false},
                                     {"sqlite_files", DatabaseKind::sqlite, true},
                                     {"postgres_rows", DatabaseKind::postgres, false},
                                     {"postgres_files", DatabaseKind::postgres, true}};

/// Mockups 1, 2 and 3 are old, 4 is not. Listings 1 and 2 refer to mockup 1, 3 to 2, 9 to 4; bids 1 and 2 to mockup 1.
struct ReferredWorld {
  Application app;
  bool with_files;
  std::map<std::string, std::string> everything{};

  explicit ReferredWorld(const ReferredKind& kind) : app(kind.database), with_files(kind.with_files) {
    for (int i = 1; i <= 4; ++i)
      app.mockup(i, std::to_string(i) + ".png", i < 4 ? 400 : 4, "pixels " + std::to_string(i));
    app.sql("create table bids (id " + key_type() + " primary key, mockup_id " + key_type() +
            " references mockups(id), note text)");
    app.sql("insert into listings values (1, 1), (2, 1), (3, 2), (9, 4)");
    app.sql("insert into bids values (1, 1, 'said \"yes\"'), (2, 1, null)");
    app.environment["STEWARD_CONFIG"] = "steward.yaml";
    everything = all();
  }

  bool postgres() const { return app.database_kind() == DatabaseKind::postgres; }
  std::string key_type() const { return postgres() ? "bigint" : "integer"; }
  std::string full(const std::string& table) const { return (postgres() ? "public." : "") + table; }

  /// The task `t`, with this as its `references` (a table's name in braces means `tables`), and more tasks.
  void configure(std::string references, const std::string& more_tasks = "", const std::string& more_keys = "") {
    if (references.starts_with('{') && !references.starts_with("{others")) references = "{tables: " + references + "}";
    const std::string kind = with_files ? "kind: rows-with-files, file_column: image_url, root: media" : "kind: rows";
    app.file("steward.yaml", "databases: {app: \"${DATABASE_URL}\"}\nstores: {cold: ./cold}\ncleanup:\n  t: {" + kind +
                                 ", table: mockups, age_column: created_at, age: 12 months, archive: cold" +
                                 (references.empty() ? "" : ", references: " + references) +
                                 (more_keys.empty() ? "" : ", " + more_keys) + "}\n" + more_tasks);
  }

  /// Every row and every file, by name.
  std::map<std::string, std::string> all() {
    std::map<std::string, std::string> found;
    for (const auto& [table, columns] :
         std::map<std::string, std::string>{{"mockup", "id, idea_id, image_url, created_at"},
                                            {"listing", "id, mockup_id"},
                                            {"bid", "id, mockup_id, note"}})
      if (const auto rows = app.db().query("select " + columns + " from " + table + "s"); rows)
        for (const sql::Row& row : rows->rows)
          for (const sql::Value& value : row) found[table + ' ' + sql::to_text(row[0])] += sql::to_text(value) + '|';
    for (const std::string& file : app.files("media")) found["file " + file] = app.content("media/" + file);
    return found;
  }
  /// `everything` without one of its rows, and without its file where the policy takes files.
  std::map<std::string, std::string> before(const std::string& without) const {
    auto rows = everything;
    rows.erase(without);
    if (with_files) rows.erase("file " + without.substr(without.find(' ') + 1) + ".png");
    return rows;
  }

  void expect_restored(const std::map<std::string, std::string>& rows, const std::string& note) {
    const Answer restored = app.steward({"archive", "restore", "--all", "--json"});
    EXPECT_EQ(restored.exit_code, 0) << restored.out << restored.err;
    EXPECT_THAT(restored.out, testing::HasSubstr(note));
    EXPECT_EQ(all(), rows) << restored.out;
  }
};

struct References : testing::TestWithParam<ReferredKind>, ReferredWorld {
  References() : ReferredWorld(GetParam()) {}
};

}  // namespace steward::harness
