// Looking into an archive row by row, on the command line and through the API: each row once, whatever the pages; the
// very bytes of a file, or none.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "core/digest.h"
#include "harness/served_api.h"
#include "harness/world.h"

namespace steward::harness {
namespace {
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

const Shape shapes[] = {{"sqlite", DatabaseKind::sqlite, BucketKind::folder},
                        {"postgres", DatabaseKind::postgres, BucketKind::folder}};

struct ArchiveContents : testing::TestWithParam<Shape> {
  World world{GetParam()};
  Application& app = world.app;

  void SetUp() override {
    app.mockup(50, "c/A Poster.png", 400, "poster");
    app.run_cleanup();
    // A second run, whose rows come first.
    app.mockup(51, "c/later.png", 500, "later");
    app.run_cleanup();
  }
  json show(std::vector<std::string> more) const {
    more.insert(more.begin(), {"archive", "show", "--json"});
    return app.steward(more).json();
  }
  json row(const std::string& table, const std::string& key) const {
    return show({"--table", table, "--key", key})["rows"].at(0);
  }
};

TEST_P(ArchiveContents, ArePagedThroughWithEachRowOnceTheNewestRunFirst) {
  std::set<std::string> seen;
  std::string after;
  int pages = 0;
  for (; pages < 30; ++pages) {
    const json page = after.empty() ? show({"--limit", "4"}) : show({"--limit", "4", "--after", after});
    ASSERT_LE(page["rows"].size(), 4U);
    for (const json& each : page["rows"])
      EXPECT_TRUE(seen.insert(each["table"].get<std::string>() + '/' + each["key"].get<std::string>()).second) << each;
    if (pages == 0) {
      EXPECT_EQ(page["rows"][0]["key"], "51") << "what went last stands first";
    }
    if (page["next"].is_null()) break;
    after = page["next"];
  }
  std::size_t items = 0;
  const json listed = app.steward({"archive", "list", "--json"}).json();
  for (const json& run : listed["runs"]) items += run["items"].get<std::size_t>();
  EXPECT_EQ(seen.size(), items);
  EXPECT_EQ(items, 5U + 2U + 8U) << "five old mockups and two more, eight lines of the audit log";
  EXPECT_EQ(pages, 3);
}

TEST_P(ArchiveContents, AreFoundByRunTableKeyAndText) {
  EXPECT_THAT(show({"--match", "a poster"})["rows"], SizeIs(1)) << "whatever the case";
  EXPECT_EQ(show({"--match", "a poster"})["rows"][0]["key"], "50");
  EXPECT_THAT(show({"--table", "audit_logs"})["rows"], SizeIs(8));
  EXPECT_EQ(row("audit_logs", "3")["row"]["username"], "ann");
  EXPECT_THAT(show({"--table", "audit_logs", "--key", "9"})["rows"], IsEmpty()) << "it is in the database still";
  const json later = row("mockups", "51");
  EXPECT_THAT(show({"--run", later["run"].get<std::string>()})["rows"], SizeIs(1));
  const json none = show({"--match", "nowhere to be found"});
  EXPECT_THAT(none["rows"], IsEmpty());
  EXPECT_EQ(none["looked_at"], 15);
  EXPECT_TRUE(none["next"].is_null());
}

TEST_P(ArchiveContents, AreShownAsTheyWere) {
  const json found = row("mockups", "50");
  EXPECT_EQ(found["row"]["image_url"], "c/A Poster.png");
  EXPECT_EQ(found["file"]["source"], app.path("media/c/A Poster.png"));
  EXPECT_EQ(found["file"]["bytes"], 6);
  EXPECT_EQ(found["file"]["sha256"], sha256_hex("poster"));
  EXPECT_TRUE(row("audit_logs", "3")["file"].is_null());
  const std::string text = app.steward({"archive", "show", "--match", "a poster"}).out;
  EXPECT_THAT(text, HasSubstr("50"));
  EXPECT_THAT(text, HasSubstr("6 B"));
}

TEST_P(ArchiveContents, AreNotFoundByAPlaceThatIsNone) {
  const Answer said = app.steward({"archive", "show", "--after", "yesterday"});
  EXPECT_EQ(said.exit_code, 2);
  EXPECT_THAT(said.err, HasSubstr("--after yesterday is no place in an archive"));
}

TEST_P(ArchiveContents, GiveTheBytesOfAFileOrNone) {
  const Answer whole = app.steward({"archive", "file", "--table", "mockups", "--key", "50"});
  EXPECT_EQ(whole.exit_code, 0) << whole.err;
  EXPECT_EQ(whole.out, "poster");
  EXPECT_EQ(app.steward({"archive", "file", "--table", "mockups", "--key", "9"}).exit_code, 1);
  const json file = row("mockups", "50")["file"];
  const std::vector<std::string> by_name{
      "archive", "file", "--copy", file["copy"].get<std::string>(), "--sha256", file["sha256"].get<std::string>()};
  EXPECT_EQ(app.steward(by_name).out, "poster");
  std::vector<std::string> less = by_name;
  less.insert(less.end(), {"--most", "5"});
  EXPECT_THAT(app.steward(less).err, HasSubstr("has 6 B, and at most 5 B were asked for"));

  app.file("cold/" + file["copy"].get<std::string>(), "p0ster");
  const Answer damaged = app.steward(by_name);
  EXPECT_EQ(damaged.exit_code, 1);
  EXPECT_EQ(damaged.out, "") << "nothing of what is damaged";
  EXPECT_THAT(damaged.err, HasSubstr("reads back differently"));
}

INSTANTIATE_TEST_SUITE_P(EndToEnd, ArchiveContents, testing::ValuesIn(shapes),
                         [](const auto& shape) { return std::string(shape.param.name); });

// --- through the API -------------------------------------------------------------------------------------------------

const std::string picture("\x89PNG\r\n\x1A\n and more", 17);

struct ArchiveInTheApi : ServedApi {
  void SetUp() override {
    app.environment["STEWARD_STATE_DIR"] = app.path("state");
    app.mockup(1, "a/one.png", 400, picture);
    app.mockup(2, "a/page.html", 400, "<script>alert(1)</script>");
    app.run_cleanup();
    open_ledger();
    serve();
  }
  json show(const json& body, const http::Header& who) {
    const json begun = ask("POST", "/api/v1/archive/show", {who}, body).document();
    json ended;
    await(
        [&] {
          ended = ask("GET", "/api/v1/operations/" + begun["id"].get<std::string>(), {who}).document();
          return ended["state"] == "succeeded" || ended["state"] == "failed";
        },
        "the rows are there");
    EXPECT_EQ(ended["state"], "succeeded") << ended;
    return ended["result"];
  }
  static std::string address(const json& row, const std::string& sha256) {
    return "/api/v1/archive/file?archive=" + row["archive"].get<std::string>() +
           "&copy=" + row["file"]["copy"].get<std::string>() + "&sha256=" + sha256;
  }
};

TEST_F(ArchiveInTheApi, ShowsRowsAndPicturesToOperatorsAlone) {
  const http::Header who = token("operator"), viewer = token("viewer");
  const json row = show({{"table", "mockups"}, {"key", "1"}}, who)["rows"].at(0);
  const std::string at = address(row, row["file"]["sha256"]);
  const Reply reply = ask("GET", at, {who});
  EXPECT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(reply.body, picture);
  EXPECT_EQ(reply.header("Content-Type"), "image/png");
  EXPECT_THAT(reply.header("Cache-Control"), HasSubstr("private"));
  EXPECT_EQ(ask("POST", "/api/v1/archive/show", {viewer}, json::object()).status, 403);
  EXPECT_EQ(ask("GET", at, {viewer}).status, 403);
  EXPECT_EQ(ask("GET", at).status, 401);
}

TEST_F(ArchiveInTheApi, ShowsWhatIsNoPictureToNoBrowser) {
  const http::Header who = token("operator");
  const json row = show({{"key", "2"}}, who)["rows"].at(0);
  const Reply reply = ask("GET", address(row, row["file"]["sha256"]), {who});
  EXPECT_EQ(reply.header("Content-Type"), "application/octet-stream");
  EXPECT_EQ(reply.header("Content-Disposition"), "attachment");
  EXPECT_THAT(reply.header("Content-Security-Policy"), HasSubstr("sandbox"));
}

TEST_F(ArchiveInTheApi, GivesNothingButWhatTheHashIsOf) {
  const http::Header who = token("operator");
  const json row = show({{"key", "1"}}, who)["rows"].at(0);
  const Reply another = ask("GET", address(row, std::string(64, 'a')), {who});
  EXPECT_EQ(another.document()["kind"], "corrupt") << another.body;
  json outside = row;
  outside["file"]["copy"] = "../app.db";
  EXPECT_NE(ask("GET", address(outside, sha256_hex(app.content("app.db"))), {who}).status, 200);
  json elsewhere = row;
  elsewhere["archive"] = "file:///etc";
  elsewhere["file"]["copy"] = "hostname";
  EXPECT_EQ(ask("GET", address(elsewhere, std::string(64, 'a')), {who}).status, 400);
}

TEST_F(ArchiveInTheApi, NamesWhatARunMovedPageByPage) {
  const http::Header who = token("viewer");
  for (int i = 0; i < 5; ++i) app.file("logs/old-" + std::to_string(i) + ".log", "12345", 40);
  const json run = app.run_cleanup();
  const std::string base = "/api/v1/runs/" + run["run"].get<std::string>() + "/items";
  json page = ask("GET", base + "?limit=2", {who}).document();
  EXPECT_EQ(page["task"], "purge-logs");
  std::set<std::string> names;
  while (true) {
    for (const json& item : page["items"]) {
      EXPECT_EQ(item["what"], "removed");
      EXPECT_EQ(item["bytes"], 5);
      EXPECT_TRUE(names.insert(item["name"]).second);
    }
    if (page["next"].is_null()) break;
    page = ask("GET", base + "?limit=2&from=" + std::to_string(page["next"].get<int>()), {who}).document();
  }
  EXPECT_THAT(names, SizeIs(5));
  EXPECT_THAT(ask("GET", base + "?match=OLD-3", {who}).document()["items"], SizeIs(1));
  EXPECT_EQ(ask("GET", base + "?task=purge-signals", {who}).status, 404);
  const std::string without = app.run_cleanup()["run"];
  const json none = ask("GET", "/api/v1/runs/" + without + "/items", {who}).document();
  EXPECT_THAT(none["tasks"], IsEmpty());
  EXPECT_TRUE(none["task"].is_null());
}

TEST_F(ArchiveInTheApi, SaysWhatWouldGoNextAndKeepsNoPlanForIt) {
  const http::Header who = token("viewer");
  for (int i = 0; i < 3; ++i) app.file("logs/old-" + std::to_string(i) + ".log", "12345", 40);
  const auto plans = app.files("state/plans");
  json cleanup;
  await(
      [&] {
        const json answer = ask("GET", "/api/v1/tonight", {who}).document();
        for (const json& plan : answer["plans"])
          if (plan["job"] == "cleanup") cleanup = plan;
        return cleanup["made"].is_string();
      },
      "the look was taken");
  EXPECT_TRUE(cleanup["error"].is_null()) << cleanup;
  bool found = false;
  for (const json& task : cleanup["tasks"])
    if (task["task"] == "purge-logs") {
      found = true;
      EXPECT_EQ(task["planned"]["items"], 3);
      EXPECT_EQ(task["usual"]["items"], 0) << "the last run found none";
    }
  EXPECT_TRUE(found) << cleanup;
  EXPECT_EQ(app.files("state/plans"), plans);
}

}  // namespace
}  // namespace steward::harness
