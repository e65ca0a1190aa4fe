#include "jobs/retention/old_objects.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>

#include "io/http/scripted_server_test_support.h"

namespace steward::retention {
namespace {

using Moment = std::chrono::steady_clock::time_point;

/// One page of 2,500 old objects: two and a half batches.
std::string a_long_page() {
  std::string page = "<ListBucketResult><IsTruncated>false</IsTruncated>";
  for (int i = 0; i < 2'500; ++i)
    page += fmt::format(
        "<Contents><Key>k{}</Key><ETag>\"e\"</ETag><Size>1</Size><LastModified>2026-01-01T00:00:00Z</LastModified>"
        "</Contents>",
        i);
  return page + "</ListBucketResult>";
}

/// A batch may take minutes, and what comes behind it in the same page is as old as the page is.
TEST(OldObjects, AreAsFreshAsTheirPageAndNotAsTheirBatch) {
  std::atomic<Moment> asked{};
  http::ScriptedServer server([&](const http::SeenRequest&) {
    asked = std::chrono::steady_clock::now();
    return http::Reply::of(200, a_long_page());
  });
  object::StoreTarget target{.url = "s3://bucket"};
  target.s3 = {.endpoint = server.url(), .access_key = "AK", .secret_key = Secret("very-secret")};
  auto store = object::open(target);
  ASSERT_TRUE(store);
  const OutOfReach out_of_reach;
  Needs needs = Needs::open({}, "").value();
  OldObjects old(**store, Versions::current, object::Versioning::never, out_of_reach, needs,
                 std::chrono::sys_days{std::chrono::year{2026} / 2 / 1});
  std::size_t given = 0, younger_than_their_page = 0;
  const auto gone_over = old.go_over([]() -> Result<Holds> { return Holds{}; },
                                     [&](std::vector<OldObject>& batch) -> Result<bool> {
                                       for (const OldObject& one : batch) {
                                         ++given;
                                         if (one.removal().listed.value_or(Moment::max()) > asked.load())
                                           ++younger_than_their_page;
                                       }
                                       return true;
                                     });
  ASSERT_TRUE(gone_over) << gone_over.error().message;
  EXPECT_EQ(given, 2'500U);
  EXPECT_EQ(younger_than_their_page, 0U);
}

}  // namespace
}  // namespace steward::retention
