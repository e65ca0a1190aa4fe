// Killed at its n-th system call, the real program loses nothing; and a trace shows that each act is durable before the
// next begins, which no SIGKILL can show.

#include <gtest/gtest.h>

#include "harness/traced.h"
#include "harness/world.h"

namespace steward::harness {
namespace {

const Shape folders{"sqlite", DatabaseKind::sqlite, BucketKind::folder};
const Shape servers{"postgres_and_s3", DatabaseKind::postgres, BucketKind::versity};

/// How often an undisturbed run makes this call.
std::size_t calls_of(const Shape& shape, const std::string& call) {
  World world(shape);
  const Answer answer = under_strace(world.app, "cleanup", {"-e", "trace=" + call});
  EXPECT_EQ(answer.exit_code, 0) << answer.err;
  const std::string trace = world.app.content("trace");
  return static_cast<std::size_t>(std::count(trace.begin(), trace.end(), '\n'));
}

struct Injected {
  const char* name;
  Shape shape;
  const char* call;
  std::size_t tries;
};

void PrintTo(const Injected& injected, std::ostream* out) { *out << injected.name; }

struct SystemCall : testing::TestWithParam<Injected> {};

TEST_P(SystemCall, KilledAtTheNthItLosesNothingAndTheNextRunFinishes) {
  const auto& [name, shape, call, tries] = GetParam();
  const std::size_t all = calls_of(shape, call);
  ASSERT_GT(all, 3U) << call;
  const std::size_t stride = std::max<std::size_t>(1, all / tries);
  for (std::size_t n = 1; n <= all; n += stride) {
    const std::string where = "killed at call " + std::to_string(n) + " of " + std::to_string(all) + " of " + call;
    SCOPED_TRACE(where);
    World world(shape);
    under_strace(world.app, "cleanup",
                 {"-e", std::string("trace=") + call, "-e",
                  std::string("inject=") + call + ":signal=SIGKILL:when=" + std::to_string(n)});
    world.expect_nothing_lost(where);
    const Answer again = world.app.steward({"run", "cleanup", "--json"});
    EXPECT_EQ(again.exit_code, 0) << again.out << again.err;
    world.expect_finished(where);
    world.expect_restored(where);
    if (HasFailure()) return;
  }
}

const Injected injected[] = {
    {"fsync", folders, "fsync", 10},
    {"fdatasync", folders, "fdatasync", 14},
    {"renameat2", folders, "renameat2", 14},
    {"unlinkat", folders, "unlinkat", 10},
    {"commit_on_the_wire", servers, "sendto", 14},
};
INSTANTIATE_TEST_SUITE_P(EndToEnd, SystemCall, testing::ValuesIn(injected), [](const auto& c) { return c.param.name; });

TEST(SystemCallOrder, EachActIsDurableBeforeTheNext) {
  Application app;
  app.sql("insert into mockups values (1, 1, 'a/one.png', '2024-11-02T10:00:00Z')");
  app.file("media/a/one.png", "pixels");
  const Answer answer = under_strace(app, "cleanup", {"-e", "trace=fsync,fdatasync,renameat2,rename,unlink,unlinkat"});
  ASSERT_EQ(answer.exit_code, 0) << answer.err;
  const std::vector<std::string> lines = traced_lines(app);

  const std::size_t planned = find(lines, "renameat2.*manifest.*000001[.]jsonl\"");
  const std::size_t planned_durable = find(lines, "fsync.*cold/mockups/manifest>", planned);
  const std::size_t written = find(lines, "fsync[(].*cold/mockups/2024/11/[.]steward-tmp", planned_durable);
  const std::size_t named = find(lines, "renameat2.*1-one[.]png\"", written);
  const std::size_t named_durable = find(lines, "fsync.*cold/mockups/2024/11>", named);
  const std::size_t verified = find(lines, "renameat2.*000003[.]jsonl\"", named_durable);
  const std::size_t verified_durable = find(lines, "fsync.*cold/mockups/manifest>", verified);
  const std::size_t committed = find(lines, "f(data)?sync.*app[.]db", verified_durable);
  const std::size_t row_gone = find(lines, "renameat2.*000004[.]jsonl\"", committed);
  const std::size_t aside = find(lines, "renameat2.*one[.]png.*[.]steward-gone-", row_gone);
  const std::size_t removed = find(lines, "unlinkat.*[.]steward-gone-", aside);
  EXPECT_LT(removed, lines.size());
}

}  // namespace
}  // namespace steward::harness
