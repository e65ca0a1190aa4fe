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
                                     },
                                     []() -> Result<void> { return {}; });
  ASSERT_TRUE(gone_over) << gone_over.error().message;
  EXPECT_EQ(given, 2'500U);
  EXPECT_EQ(younger_than_their_page, 0U);
}

/// Two servers in one: by ranges it gives some keys and says that they are not all; else it gives all.
struct Unordered final : object::Store {
  std::vector<object::ObjectInfo> all{};
  std::string name = "s3://bucket";
  const std::string& shown() const override { return name; }
  Result<void> list(std::string_view, const std::function<Result<bool>(const object::ObjectInfo&)>& take) override {
    for (const object::ObjectInfo& object : all)
      if (!TRY(take(object))) break;
    return {};
  }
  Result<object::Ranged> list_by_ranges(std::string_view, const object::KeyRange&,
                                        const std::function<Result<bool>(const object::ObjectInfo&)>& take) override {
    for (std::size_t i = 0; i < all.size() * 2 / 3; ++i)
      if (!TRY(take(all[i]))) return object::Ranged::stopped;
    return object::Ranged::unordered;
  }
  // What nobody asks of it here.
  static std::unexpected<Error> unasked() { return fail(Kind::bug, "nobody asks this"); }
  Result<std::string> identity() override { return unasked(); }
  Result<object::Features> features() override { return unasked(); }
  Result<object::Versioning> versioning() override { return unasked(); }
  Result<object::ObjectInfo> head(std::string_view) override { return unasked(); }
  Result<object::ObjectInfo> get(std::string_view, Sink&) override { return unasked(); }
  Result<object::ObjectInfo> get_from(std::string_view, std::uint64_t, Sink&) override { return unasked(); }
  Result<object::ObjectInfo> put(std::string_view, Source&, const object::PutOptions&) override { return unasked(); }
  Result<void> remove(const object::Removal&) override { return unasked(); }
  Result<std::vector<object::Removed>> remove_many(std::span<const object::Removal>) override { return unasked(); }
  Result<void> list_versions(std::string_view,
                             const std::function<Result<bool>(const object::ObjectVersion&)>&) override {
    return unasked();
  }
  Result<void> list_uploads(const std::function<Result<bool>(const object::Upload&)>&) override { return unasked(); }
  Result<void> abort_upload(const object::Upload&) override { return unasked(); }
  Result<Instant> server_time() override { return unasked(); }
  Result<std::optional<Bytes>> room() override { return unasked(); }
};

constexpr Instant noon{std::chrono::sys_days{std::chrono::year{2026} / 11 / 23}};

object::ObjectInfo an_object(int i) {
  return {.key = "k" + std::to_string(i), .size = Bytes{static_cast<std::uint64_t>(i)}, .modified = noon};
}

TEST(OldObjects, AreGoneOverAnewWhereTheServerListsInAnOrderOfItsOwn) {
  Unordered store;
  for (int i = 0; i < 3'000; ++i) store.all.push_back(an_object(i));
  const OutOfReach out_of_reach;
  Needs needs = Needs::open({}, "").value();
  OldObjects old(store, Versions::current, object::Versioning::never, out_of_reach, needs,
                 noon + std::chrono::hours(1));
  std::size_t given = 0;
  int begun_anew = 0;
  const auto gone_over = old.go_over([]() -> Result<Holds> { return Holds{}; },
                                     [&](std::vector<OldObject>& judged) -> Result<bool> {
                                       given += judged.size();
                                       return true;
                                     },
                                     [&]() -> Result<void> {
                                       given = 0;
                                       ++begun_anew;
                                       return {};
                                     });
  ASSERT_TRUE(gone_over) << gone_over.error().message;
  EXPECT_EQ(begun_anew, 1);
  EXPECT_EQ(given, 3'000U);
  EXPECT_EQ(old.seen(), 3'000U);
}

}  // namespace
}  // namespace steward::retention
