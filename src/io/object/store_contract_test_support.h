/// For tests alone: the stores that keep the promises of store.h, each with a place of its own for each case.
#pragma once
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "io/files/scratch.h"
#include "io/object/directory.h"
#include "io/object/s3_test_support.h"
#include "io/object/store_test_support.h"

namespace steward::object {

/// Makes a place of its own and keeps it; opens stores on it.
struct Place {
  virtual ~Place() = default;
  virtual Result<std::unique_ptr<Store>> open() = 0;
  /// The same place, but the bucket or folder is not there.
  virtual Result<std::unique_ptr<Store>> open_missing() = 0;
};

struct FolderPlace final : Place {
  files::Scratch scratch{};
  Result<std::unique_ptr<Store>> open() override { return open_directory({.url = "file://" + scratch.path()}); }
  Result<std::unique_ptr<Store>> open_missing() override {
    return open_directory({.url = "file://" + scratch.path() + "/missing"});
  }
};

struct BucketPlace final : Place {
  StoreTarget target;
  BucketPlace(const char* variable, const std::string& prefix) : target(new_bucket(variable)) { target.url += prefix; }
  Result<std::unique_ptr<Store>> open() override { return open_s3(target, test_tuning()); }
  Result<std::unique_ptr<Store>> open_missing() override {
    StoreTarget missing = target;
    missing.url = "s3://" + random_bucket();
    return open_s3(missing, test_tuning());
  }
};

struct Maker {
  const char* name;
  std::unique_ptr<Place> (*make)();
};
template <const char* variable, const char* prefix>
std::unique_ptr<Place> bucket() {
  return std::make_unique<BucketPlace>(variable, prefix);
}
inline constexpr char versity[] = "STEWARD_TEST_S3_VERSITY";
inline constexpr char rgw[] = "STEWARD_TEST_S3_RGW";
inline constexpr char at_the_root[] = "";
inline constexpr char below[] = "/a prefix/of two";
/// The list of implementations.
inline const Maker makers[] = {
    {"directory", [] { return std::unique_ptr<Place>(std::make_unique<FolderPlace>()); }},
    {"versity", bucket<versity, at_the_root>},
    {"versity_below_a_prefix", bucket<versity, below>},
    {"rgw", bucket<rgw, at_the_root>},
    {"rgw_below_a_prefix", bucket<rgw, below>},
};

struct StoreContract : testing::TestWithParam<Maker> {
  void SetUp() override {
    place = GetParam().make();
    auto opened_store = place->open();
    ASSERT_TRUE(opened_store) << opened_store.error().message;
    store = std::move(*opened_store);
  }
  Features features() {
    const auto found = store->features();
    EXPECT_TRUE(found) << found.error().message;
    return found.value_or(Features{});
  }
  std::unique_ptr<Place> place{};
  std::unique_ptr<Store> store{};
};

}  // namespace steward::object
