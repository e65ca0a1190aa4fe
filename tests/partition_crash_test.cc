// Killed with SIGKILL at each checkpoint of a run that drops partitions, and run again: nothing is lost, nothing is
// left detached, and what was archived comes back.

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "harness/child_run.h"
#include "harness/partitioned.h"

namespace steward::harness {
namespace {

struct Way {
  const char* name;
  bool archive;
  bool default_partition;  ///< Then it is detached and dropped in one transaction.
};
void PrintTo(const Way& way, std::ostream* out) { *out << way.name; }

struct World : Partitioned {
  explicit World(const Way& way) {
    if (way.archive) configure("    archive: cold\n");
    if (way.default_partition) app.sql("create table e0 partition of events default");
  }
};

struct PartitionCrash : testing::TestWithParam<Way> {};

TEST_P(PartitionCrash, KilledAnywhereItLosesNothingAndTheNextRunFinishes) {
  std::vector<std::string> places;
  {
    World world(GetParam());
    places = places_of(world.app);
    EXPECT_EQ(world.app.count("events"), 10);
    EXPECT_FALSE(world.there("e1"));
  }
  ASSERT_NE(
      std::ranges::find(places, GetParam().default_partition ? "partitions: before commit" : "partitions: detached"),
      places.end());
  for (const std::size_t n : worth_trying(places)) {
    // The batches of rows after them are crash_test.cc's.
    if (!places[n - 1].starts_with("partitions: ") && !places[n - 1].starts_with("archive-rows: ")) continue;
    SCOPED_TRACE("killed at " + std::to_string(n) + ": " + places[n - 1]);
    World world(GetParam());
    const std::string before = world.app.value("select string_agg(e::text, ';' order by id) from events e");
    std::size_t count = 0;
    const int status = in_a_child(world.app, [&](std::string_view) {
      if (++count == n) ::kill(::getpid(), SIGKILL);
    });
    ASSERT_TRUE(WIFSIGNALED(status));
    const Answer again = world.app.steward({"run", "cleanup", "--json"});
    EXPECT_EQ(again.exit_code, 0) << again.out << again.err;
    EXPECT_EQ(world.app.count("events"), 10) << again.out;
    EXPECT_FALSE(world.there("e1")) << again.out;
    EXPECT_FALSE(world.there("e2")) << again.out;
    EXPECT_TRUE(world.attached("e3"));
    if (GetParam().archive) {
      EXPECT_EQ(world.app.steward({"archive", "verify"}).exit_code, 0);
      world.part("e1", 120, 90);
      world.part("e2", 90, 60);
      const Answer restored = world.app.steward({"archive", "restore", "--all", "--json"});
      EXPECT_EQ(restored.exit_code, 0) << restored.out << restored.err;
      EXPECT_EQ(world.app.value("select string_agg(e::text, ';' order by id) from events e"), before) << restored.out;
    }
    if (HasFailure()) return;  // one place is enough to read
  }
}

const Way ways[] = {{"dropped", false, false},
                    {"dropped_at_once", false, true},
                    {"archived", true, false},
                    {"archived_at_once", true, true}};
INSTANTIATE_TEST_SUITE_P(EndToEnd, PartitionCrash, testing::ValuesIn(ways),
                         [](const auto& way) { return way.param.name; });

}  // namespace
}  // namespace steward::harness
