/// A table that is partitioned by time, and the policy `t` that removes its rows after 30 days.
#pragma once
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>

#include "harness/application.h"

namespace steward::harness {

/// Midnight in UTC of so many days ago, "2026-10-01".
inline std::string day(int days) { return days_ago(days).substr(0, 10); }

/// events: e1 with 120 to 90 days, e2 with 90 to 60, e3 with 60 to 20 (the cutoff is in it), e4 with younger ones.
/// Ten rows in each.
struct Partitioned {
  Application app{DatabaseKind::postgres};

  Partitioned() {
    app.sql(
        "create table events (id bigint, at timestamptz not null, note text, primary key (id, at)) partition by range "
        "(at)");
    app.sql("create index on events (at)");
    part("e1", 120, 90);
    part("e2", 90, 60);
    part("e3", 60, 20);
    part("e4", 20, -10);
    rows(1, 100);
    rows(11, 70);
    rows(21, 40);
    rows(31, 5);
    configure("");
  }

  void part(const std::string& name, int from, int to) {
    app.sql(
        fmt::format("create table {} partition of events for values from ('{}') to ('{}')", name, day(from), day(to)));
  }
  /// Ten rows with the ids from `first` on, of so many days ago.
  void rows(int first, int days) {
    app.sql(fmt::format("insert into events select i, '{}', 'it''s ' || i from generate_series({}, {}) i",
                        days_ago(days), first, first + 9));
  }
  /// More lines of the policy, each with four spaces in front.
  void configure(const std::string& more, const std::string& column = "at") {
    app.file("steward.yaml",
             "databases: {app: \"${DATABASE_URL}\"}\nstores: {cold: ./cold}\ncleanup:\n  t:\n"
             "    kind: rows\n    table: events\n    age_column: " +
                 column + "\n    age: 30 days\n" + more);
    app.environment["STEWARD_CONFIG"] = "steward.yaml";
  }
  nlohmann::json plan() { return task(app.plan_cleanup(), "t"); }
  nlohmann::json run() { return task(app.run_cleanup(), "t"); }
  /// Whether a table of that name is there, and a partition.
  bool attached(const std::string& name) {
    return app.value("select count(*) from pg_inherits where inhrelid = to_regclass('" + name + "')") == "1";
  }
  bool there(const std::string& name) { return app.value("select to_regclass('" + name + "')") != "NULL"; }
  std::string notes(const nlohmann::json& document) { return document.value("notes", nlohmann::json::array()).dump(); }
};

}  // namespace steward::harness
