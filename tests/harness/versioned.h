/// A bucket that keeps versions, on either of the servers that do, and objects, versions and markers in it that are
/// truly old; and the policy `t` about it.
#pragma once
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "core/digest.h"
#include "harness/application.h"
#include "io/object/s3_test_support.h"
#include "io/object/store_test_support.h"

namespace steward::harness {

/// Either as it is now, or of 40 days ago: one of RGW's gateways has its clock so far behind, and versitygw takes the
/// time of a file.
enum class Of { now, forty_days_ago };

class Versioned {
 public:
  Application app{DatabaseKind::sqlite, BucketKind::folder};
  object::StoreTarget target;

  explicit Versioned(const char* server, bool with_lock = false)
      : target(object::new_bucket(
            server, with_lock ? object::Fields{{"x-amz-bucket-object-lock-enabled", "true"}} : object::Fields{})),
        is_rgw_(std::string(server).ends_with("RGW")) {
    object::set_versioning(target, "Enabled");
    store_ = object::opened(target);
    old_target_ = target;
    if (is_rgw_) {
      old_target_.s3.endpoint = object::from_environment("STEWARD_TEST_S3_RGW_OLD");
      old_target_.clock = &late_;
    }
    old_ = object::opened(old_target_);
    app.environment["AWS_ENDPOINT_URL"] = target.s3.endpoint;
    app.environment["AWS_ACCESS_KEY_ID"] = target.s3.access_key;
    app.environment["AWS_SECRET_ACCESS_KEY"] = target.s3.secret_key.reveal();
    app.environment["STEWARD_CONFIG"] = "steward.yaml";
    configure("noncurrent");
  }

  void configure(const std::string& versions, const std::string& more = "") {
    app.file("steward.yaml",
             "databases: {app: \"${DATABASE_URL}\"}\nstores: {exports: \"" + target.url +
                 "\", cold: ./cold}\ncleanup:\n  t:\n    kind: objects\n    store: exports\n    age: 30 days\n" +
                 (versions.empty() ? "" : "    versions: " + versions + "\n") + more);
  }

  /// A new version of so many bytes; its id.
  std::string put(const std::string& key, std::size_t size, Of of = Of::forty_days_ago) {
    object::Store& store = of == Of::now ? *store_ : *old_;
    const std::string id = object::put(store, key, std::string(size, 'x')).version_id;
    if (of == Of::forty_days_ago) age(key);
    return id;
  }
  /// A version of one byte, of 40 days ago, that nobody may remove before tomorrow.
  void put_locked(const std::string& key) {
    const std::string until = format_instant(SystemClock().now() + std::chrono::hours(24));
    object::ask(old_target_,
                {.method = "PUT",
                 .key = key,
                 .headers = {{"x-amz-object-lock-mode", "GOVERNANCE"}, {"x-amz-object-lock-retain-until-date", until}},
                 .body = "x"});
    age(key);
  }
  /// Puts a delete marker upon the key.
  void mark(const std::string& key, Of of = Of::forty_days_ago) {
    object::Store& store = of == Of::now ? *store_ : *old_;
    const auto removed = store.remove({.key = key});
    EXPECT_TRUE(removed) << removed.error().message;
    if (of == Of::forty_days_ago) age(key);
  }

  /// "a 3 latest", "a marker", "a 2": all that is there but steward's own, sorted by key, the newest first.
  std::vector<std::string> versions() {
    std::vector<std::pair<std::string, std::string>> found;
    const auto listed = store_->list_versions("", [&](const object::ObjectVersion& version) -> Result<bool> {
      if (version.object.key.starts_with(".steward-")) return true;
      found.emplace_back(version.object.key,
                         (version.marker ? " marker" : fmt::format(" {}", version.object.size.count)) +
                             (version.latest ? " latest" : ""));
      return true;
    });
    EXPECT_TRUE(listed) << listed.error().message;
    std::ranges::stable_sort(found, {}, &std::pair<std::string, std::string>::first);
    std::vector<std::string> texts;
    for (const auto& [key, text] : found) texts.push_back(key + text);
    return texts;
  }

  nlohmann::json plan() { return task(app.plan_cleanup(), "t"); }
  nlohmann::json run() { return task(app.run_cleanup(), "t"); }
  object::Store& store() { return *store_; }

 private:
  /// versitygw: an object's time is its file's, and a version's that of the file to which it was moved when another
  /// took its place.
  void age(const std::string& key) {
    if (is_rgw_) return;
    const std::string data = object::from_environment("STEWARD_TEST_S3_VERSITY_DATA"), bucket = target.url.substr(5);
    set_back(fmt::format("{}/{}/{}", data, bucket, key));
    const std::string hash = sha256_hex(key);
    const std::string versions = fmt::format("{}/../versions/{}/{}/{}/{}/{}", data, bucket, hash.substr(0, 2),
                                             hash.substr(2, 2), hash.substr(4, 2), hash);
    if (!std::filesystem::exists(versions)) return;
    for (const auto& version : std::filesystem::directory_iterator(versions)) set_back(version.path());
  }
  static void set_back(const std::string& file) {
    const std::int64_t then = std::chrono::duration_cast<std::chrono::seconds>(
                                  (SystemClock().now() - std::chrono::days(40)).time_since_epoch())
                                  .count();
    const timespec times[2] = {{.tv_sec = then, .tv_nsec = 0}, {.tv_sec = then, .tv_nsec = 0}};
    EXPECT_EQ(::utimensat(AT_FDCWD, file.c_str(), times, 0), 0) << file;
  }

  bool is_rgw_;
  object::LateClock late_{std::chrono::days(40)};
  object::StoreTarget old_target_{};
  std::unique_ptr<object::Store> store_{}, old_{};
};

}  // namespace steward::harness
