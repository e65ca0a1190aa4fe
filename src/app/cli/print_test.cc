// What people read, compared with files in golden/ whole. STEWARD_GOLDEN=rewrite (`./dev golden`) writes them anew:
// review the diff.

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "app/cli/output.h"
#include "app/cli/print_plan.h"
#include "app/cli/progress.h"

namespace steward::app {
namespace {

void expect_golden(const std::string& name, const std::string& text) {
  const std::string path = std::string(STEWARD_SOURCE_DIR) + "/src/app/cli/golden/" + name + ".txt";
  const char* mode = std::getenv("STEWARD_GOLDEN");
  if (mode != nullptr && std::string_view(mode) == "rewrite") std::ofstream(path) << text;
  std::ostringstream golden;
  golden << std::ifstream(path).rdbuf();
  EXPECT_EQ(text, golden.str()) << path;
}

Instant at(const char* text) { return *parse_instant(text); }

Plan a_plan() {
  Step mockups{.task = "archive-mockups",
               .target = "postgresql://app@db/app table public.mockups",
               .age = "12 months",
               .strategy = "copy each file to s3://shots/cold, verify it, delete the row, then the file",
               .reason = "older than 12 months",
               .cutoff = at("2025-11-23T03:00:00.25Z"),
               .oldest = at("2024-01-02T10:00:00Z"),
               .newest = at("2025-11-22T10:00:00Z")};
  mockups.planned = {.items = 1204, .bytes = 3_GiB};
  mockups.samples = {{.item = "mockups 17: a/name.png", .at = at("2024-01-02T10:00:00Z"), .size = 2_MiB}};
  mockups.skipped = {
      {.reason = "referenced by listings", .items = 1200, .examples = {"mockups 3: b.png", "mockups 4: c.png"}},
      {.reason = "held", .items = 1}};
  mockups.notes = {"listings references mockups without an index: each deleted row reads that whole table"};
  Step signals{.task = "purge-signals",
               .target = "postgresql://app@db/app table public.signals",
               .age = "30 days",
               .strategy = "delete in batches of 10,000 by ctid",
               .reason = "older than 30 days",
               .cutoff = at("2026-10-24T03:00:00Z"),
               .final = true};
  signals.planned.items = 9'500'000;
  signals.forecast = {.trend = Trend::losing_ground,
                      .backlog = signals.planned,
                      .reason =
                          "losing ground: 1,200,000 items a night come, 1,000,000 items go, so that what waits is "
                          "never gone"};
  signals.brake =
      Error{Kind::refused, "purge-signals would remove 9,500,000 of 10,000,000 items, more than 90 % of its target",
            "If this is right, run it once with --allow-removal purge-signals.", "brake-share"};
  return {.job = "cleanup",
          .made = at("2026-11-23T03:00:00.25Z"),
          .environment = "production",
          .steps = {mockups,
                    signals,
                    {.task = "purge-logs", .readiness = Readiness::off, .reason = "off (by STEWARD_DISABLE)"},
                    {.task = "expire-objects",
                     .readiness = Readiness::not_configured,
                     .reason = "not configured: set S3_BUCKET",
                     .needs = {"S3_BUCKET"}},
                    {.task = "purge-audit-logs",
                     .readiness = Readiness::failed,
                     .error = Error{Kind::not_found, "there is no table \"audit_logs\" in postgresql://app@db/app",
                                    "Did you mean \"audit_log\"?", ""}}}};
}

TEST(PlanText, SaysWhatWouldGoAndWhatStaysAndWhy) {
  expect_golden("plan", plan_text({}, a_plan(), "cleanup", "b1b4804eb25f0123"));
}

TEST(PlanText, WithColourHasTheSameWords) {
  std::string coloured = plan_text({.colour = true}, a_plan(), "cleanup", "b1b4804eb25f0123");
  EXPECT_NE(coloured.find("\033["), std::string::npos);
  for (std::size_t begin; (begin = coloured.find("\033[")) != std::string::npos;)
    coloured.erase(begin, coloured.find('m', begin) - begin + 1);
  EXPECT_EQ(coloured, plan_text({}, a_plan(), "cleanup", "b1b4804eb25f0123"));
}

TEST(ResultText, HasALineForEachTaskAndTheWayOut) {
  RunResult result{.id = "20261123T030000Z-4f2a91", .job = "cleanup", .status = ledger::Status::partial};
  result.tasks = {
      {.task = "archive-mockups",
       .status = "succeeded",
       .planned = {.items = 1204, .bytes = 3_GiB},
       .done = {.items = 1203, .bytes = 3_GiB},
       .skipped = {{.reason = "gone or changed since it was planned", .items = 1}},
       .notes = {"/srv/media/a.png stays: a row needs it"}},
      {.task = "purge-signals", .status = "refused", .planned = {.items = 9'500'000}, .error = a_plan().steps[1].brake},
      {.task = "expire-objects", .status = "not_configured", .needs = {"S3_BUCKET"}}};
  expect_golden("result", result_text({}, result));
}

TEST(ProgressText, HasShareRateAndTimeLeft) {
  const Progress progress{.task = "purge-signals", .done = {.items = 30'000}, .planned = {.items = 120'000}};
  EXPECT_EQ(progress_text(progress, std::chrono::seconds(10)),
            "purge-signals  30,000 of 120,000 (25 %)  3,000/s  30 s left");
  EXPECT_EQ(progress_text(progress, std::chrono::milliseconds(100)), "purge-signals  30,000 of 120,000 (25 %)");
  EXPECT_EQ(progress_text({.task = "t"}, std::chrono::seconds(10)), "t  0");
}

TEST(Table, AlignsByCharactersAndNotBytes) {
  EXPECT_EQ(table({{"NAME", "N"}, {"\xc3\xa4\xc3\xb6", "1"}, {"abc", "12"}}, {1}),
            "NAME   N\n\xc3\xa4\xc3\xb6     1\nabc   12\n");
}

}  // namespace
}  // namespace steward::app
