// Rows that name their files by URLs: where those lead is archived, restored, and needed.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "harness/child_run.h"

namespace steward::harness {
namespace {

using nlohmann::json;
using testing::HasSubstr;

/// A bucket, or a folder inside the root, that https://cdn.example.com/media/ leads to; with keys of its own, so that
/// nothing else could reach it.
struct Cdn {
  Application app;
  std::string store;

  explicit Cdn(DatabaseKind kind)
      : app(kind, kind == DatabaseKind::postgres ? BucketKind::versity : BucketKind::folder),
        store(app.bucket_name() + "/files") {
    if (kind == DatabaseKind::postgres) {
      app.file("secret", app.environment["AWS_SECRET_ACCESS_KEY"]);
      configure_store = "{url: \"" + store + "\", endpoint: \"" + app.environment["AWS_ENDPOINT_URL"] +
                        "\", access_key: \"" + app.environment["AWS_ACCESS_KEY_ID"] +
                        "\", secret_key: \"${file:secret}\"}";
      for (const char* name : {"AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"})
        app.environment.erase(name);
    } else {
      configure_store = "\"" + store + "\"";
    }
    app.environment["STEWARD_CONFIG"] = "steward.yaml";
    configure("");
  }

  void configure(const std::string& more, const std::string& enabled = "true") {
    app.file("steward.yaml", "databases: {app: \"${DATABASE_URL}\"}\nstores: {cold: ./cold, media: " + configure_store +
                                 "}\nurls: {\"https://cdn.example.com/media/\": media}\ncleanup:\n  t:\n"
                                 "    kind: rows-with-files\n    table: mockups\n    age_column: created_at\n"
                                 "    age: 12 months\n    file_column: image_url\n    root: bucket\n    archive: cold\n"
                                 "    enabled: " +
                                 enabled + "\n" + more);
  }

  /// A row of that age with this URL, and an object of 100 days under this key.
  void row(int id, const std::string& url, const std::string& key, double days_old) {
    app.sql("insert into mockups values (" + std::to_string(id) + ", 1, '" + url + "', '" + days_ago(days_old) + "')");
    if (!key.empty()) app.object("files/" + key, "content of " + key, 100);
  }
  std::string content(const std::string& key) {
    StringSink sink;
    const auto got = app.bucket().get("files/" + key, sink);
    return got ? sink.text : "(" + got.error().message + ")";
  }

  std::string configure_store{};
};

struct Urls : testing::TestWithParam<DatabaseKind> {
  Cdn cdn{GetParam()};
  Application& app = cdn.app;
};
INSTANTIATE_TEST_SUITE_P(EndToEnd, Urls, testing::Values(DatabaseKind::sqlite, DatabaseKind::postgres),
                         [](const auto& p) { return testing::PrintToString(p.param); });

TEST_P(Urls, WhereTheyLeadIsArchivedAndBroughtBack) {
  cdn.row(1, "https://cdn.example.com/media/a.png", "a.png", 400);
  cdn.row(2, "HTTP://CDN.example.com/media/deep/a%20b.png?v=3", "deep/a b.png", 400);
  cdn.row(3, "https://elsewhere.example.com/media/c.png", "c.png", 400);
  cdn.row(4, "https://cdn.example.com/media/lost.png", "", 400);
  cdn.row(5, "https://cdn.example.com/media/as%20it%20stands.png", "as%20it%20stands.png", 400);
  const json plan = task(app.plan_cleanup(), "t");
  EXPECT_EQ(plan["planned"]["items"], 2) << plan.dump(1);
  EXPECT_EQ(skipped(plan, "outside the root"), 1);
  EXPECT_EQ(skipped(plan, "file missing"), 1);
  EXPECT_EQ(skipped(plan, "its URL names a file only as it stands, undecoded"), 1);
  const json run = task(app.run_cleanup(), "t");
  EXPECT_EQ(run["done"]["items"], 2) << run.dump(1);
  EXPECT_EQ(app.objects(), (std::vector<std::string>{"files/as%20it%20stands.png", "files/c.png"}));
  EXPECT_EQ(app.count("mockups"), 3);
  const Answer restored = app.steward({"archive", "restore", "--all", "--json"});
  EXPECT_EQ(restored.exit_code, 0) << restored.out << restored.err;
  EXPECT_EQ(app.count("mockups"), 5);
  EXPECT_EQ(cdn.content("a.png"), "content of a.png");
  EXPECT_EQ(cdn.content("deep/a b.png"), "content of deep/a b.png");
}

TEST_P(Urls, WhatAnyRowNamesByOneNeverExpires) {
  const std::vector<std::pair<std::string, std::string>> named{
      {"https://cdn.example.com/media/plain.png", "plain.png"},
      {"https://cdn.example.com/media/a%20b.png", "a b.png"},
      {"https://cdn.example.com/media/%61%2fc.png", "a/c.png"},
      {"http://cdn.example.com:80/media/of-http.png", "of-http.png"},
      {"//CDN.EXAMPLE.COM/media/no-scheme.png", "no-scheme.png"},
      {"https://cdn.example.com/media/q.png?v=1", "q.png"},
      {"https://cdn.example.com/media/x/../dots.png", "dots.png"},
      {"https://cdn.example.com/m%65dia/prefix.png", "prefix.png"},
      {"https://cdn.example.com/media/as%20it%20stands.png", "as%20it%20stands.png"},
      {"https://cdn.example.com/media/what?.png", "what?.png"},
      {"https://cdn.example.com/media/n%C3%A4he.png", "n\xc3\xa4he.png"}};
  int id = 0;
  for (const auto& [url, key] : named) cdn.row(++id, url, key, 5);
  cdn.row(++id, "https://elsewhere.example.com/media/unneeded.png", "unneeded.png", 5);
  cdn.configure("  expire: {kind: objects, store: media, age: 90 days}\n", "false");  // of a task that is off, too
  const json plan = task(app.plan_cleanup(), "expire");
  EXPECT_EQ(skipped(plan, "a row needs it"), static_cast<std::int64_t>(named.size())) << plan.dump(1);
  EXPECT_EQ(task(app.run_cleanup(), "expire")["done"]["items"], 1);
  for (const auto& [url, key] : named) EXPECT_EQ(cdn.content(key), "content of " + key) << url;
  app.sql("delete from mockups where id = 2");
  EXPECT_EQ(task(app.run_cleanup(), "expire")["done"]["items"], 1) << "nobody names it any more";
  EXPECT_EQ(cdn.content("a b.png").front(), '(');
}

TEST_P(Urls, AnObjectThatAnotherRowNamesInAnotherSpellingStays) {
  cdn.row(1, "https://cdn.example.com/media/a%20b.png", "a b.png", 400);
  cdn.row(2, "https://cdn.example.com/media/a%20b.png?v=2", "", 5);
  EXPECT_EQ(task(app.run_cleanup(), "t")["done"]["items"], 1);
  EXPECT_EQ(cdn.content("a b.png"), "content of a b.png");
}

TEST_P(Urls, KilledAnywhereTheNextRunFinishesAndAllComesBack) {
  const auto fill = [](Cdn& at) {
    at.row(1, "https://cdn.example.com/media/a%20b.png", "a b.png", 400);
    at.row(2, "https://cdn.example.com/media/c.png", "c.png", 400);
    at.row(3, "https://cdn.example.com/media/c.png?needed", "", 5);
  };
  fill(cdn);
  const std::vector<std::string> places = places_of(app);
  ASSERT_GT(places.size(), 10U);
  for (const std::size_t n : worth_trying(places)) {
    SCOPED_TRACE("killed at " + std::to_string(n) + ": " + places[n - 1]);
    Cdn fresh(GetParam());
    fill(fresh);
    std::size_t count = 0;
    const int status = in_a_child(fresh.app, [&](std::string_view) {
      if (++count == n) ::kill(::getpid(), SIGKILL);
    });
    ASSERT_TRUE(WIFSIGNALED(status));
    const Answer again = fresh.app.steward({"run", "cleanup", "--json"});
    EXPECT_EQ(again.exit_code, 0) << again.out << again.err;
    EXPECT_EQ(fresh.app.value("select min(id) from mockups"), "3");
    EXPECT_EQ(fresh.app.objects(), std::vector<std::string>{"files/c.png"});
    EXPECT_EQ(fresh.app.steward({"archive", "restore", "--all"}).exit_code, 0);
    EXPECT_EQ(fresh.app.count("mockups"), 3);
    EXPECT_EQ(fresh.content("a b.png"), "content of a b.png");
    if (HasFailure()) return;
  }
}

TEST(UrlsOfFolders, KeepTheirFilesFromPurgesWhereverTheRootIs) {
  Application app;
  app.environment["STEWARD_CONFIG"] = "steward.yaml";
  app.file(
      "steward.yaml",
      "databases: {app: \"${DATABASE_URL}\"}\nstores: {cold: ./cold, media: ./elsewhere}\n"
      "urls: {\"https://cdn.example.com/\": media}\ncleanup:\n"
      "  t: {kind: rows-with-files, table: mockups, age_column: created_at, age: 12 months, file_column: image_url, "
      "root: media, archive: cold, enabled: false}\n"
      "  p: {kind: files, folder: elsewhere, names: [\"*\"], age: 30 days}\n");
  app.file("elsewhere/a b.png", "x", 40);
  app.file("elsewhere/unneeded.png", "x", 40);
  app.sql("insert into mockups values (1, 1, 'https://cdn.example.com/a%20b.png', '" + days_ago(5) + "')");
  const json run = task(app.run_cleanup(), "p");
  EXPECT_EQ(run["done"]["items"], 1) << run.dump(1);
  EXPECT_EQ(app.files("elsewhere"), std::vector<std::string>{"a b.png"});
}

TEST(UrlsOfAFile, AreCheckedWithTheirPlaces) {
  Application app;
  app.environment["STEWARD_CONFIG"] = "steward.yaml";
  app.file(
      "steward.yaml",
      "stores:\n  media: ./media\nurls:\n  https://cdn.example.com/media: media\n  https://cdn.example.com/: medai\n"
      "cleanup:\n  p: {kind: files, folder: logs, age: 30 days}\n");
  const Answer answer = app.steward({"config", "check"});
  EXPECT_EQ(answer.exit_code, 2);
  const std::string said = answer.out + answer.err;
  EXPECT_THAT(said, HasSubstr("steward.yaml:4:3: \"https://cdn.example.com/media\" is no beginning of URLs"));
  EXPECT_THAT(said, HasSubstr("steward.yaml:5:29: there is no store \"medai\""));
}

}  // namespace
}  // namespace steward::harness
