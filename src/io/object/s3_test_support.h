/// For tests alone: the S3 servers that ./dev test starts, a bucket of one's own on them, and requests that no store
/// makes (buckets, locks, policies).
#pragma once
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <random>
#include <string>

#include "io/object/s3.h"
#include "io/object/s3_client.h"

namespace steward::object {

/// The environment variable's value. The test fails where it is not set: a missing server is no reason to skip.
inline std::string from_environment(const char* name) {
  const char* value = std::getenv(name);
  if (!value || !*value) {
    ADD_FAILURE() << name << " is not set: no S3 server here. ./dev test starts them; or tests/servers/s3_versity.sh "
                  << "start DIR and tests/servers/s3_rgw.sh start DIR, then source DIR/env.";
    return "http://127.0.0.1:9";  // nobody
  }
  return value;
}

/// So long behind the machine's clock.
struct LateClock final : Clock {
  explicit LateClock(std::chrono::microseconds behind) : late(behind) {}
  Instant now() const override { return SystemClock().now() - late; }
  std::chrono::microseconds late;
};

/// Small parts, short waits, and no keys but the test's.
inline S3Tuning test_tuning() {
  S3Tuning tuning;
  tuning.part_size = 5_MiB;  // S3's least
  tuning.backoff = std::chrono::milliseconds(1);
  tuning.longest_wait = std::chrono::milliseconds(5);
  tuning.environment = [](const std::string& name) -> std::optional<std::string> {
    if (name == "AWS_EC2_METADATA_DISABLED") return "true";
    return std::nullopt;
  };
  return tuning;
}

inline std::string random_bucket() {
  std::random_device device;
  return fmt::format("steward-{:08x}{:08x}", device(), device());
}

/// A store's target on the server that `variable` names.
inline StoreTarget target_on(const char* variable, const std::string& url) {
  StoreTarget target{.url = url};
  target.s3.endpoint = from_environment(variable);
  target.s3.access_key = from_environment("STEWARD_TEST_S3_ACCESS_KEY");
  target.s3.secret_key = Secret(from_environment("STEWARD_TEST_S3_SECRET_KEY"));
  return target;
}

/// One request as it is, for what no store does. The test fails if the server does not say yes.
inline http::Response ask(const StoreTarget& target, S3Call call) {
  S3Client client(target, *s3_address(target.url, target.s3), test_tuning());
  call.act = fmt::format("{} {}", call.method, call.key);
  auto answer = client.expect_success(call);
  EXPECT_TRUE(answer) << answer.error().message;
  return answer ? answer->http : http::Response{};
}

/// A bucket of one's own; `headers` for one with object lock.
inline StoreTarget new_bucket(const char* variable, Fields headers = {}) {
  StoreTarget target = target_on(variable, "s3://" + random_bucket());
  ask(target, {.method = "PUT", .headers = std::move(headers)});
  return target;
}

inline void set_versioning(const StoreTarget& target, const std::string& status) {
  const std::string body = "<VersioningConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Status>" +
                           status + "</Status></VersioningConfiguration>";
  ask(target, {.method = "PUT", .query = {{"versioning", ""}}, .body = body});
}

/// The store of a target; the test fails if there is none.
inline std::unique_ptr<Store> opened(const StoreTarget& target, S3Tuning tuning = test_tuning()) {
  auto store = open_s3(target, std::move(tuning));
  EXPECT_TRUE(store) << store.error().message;
  return store ? std::move(*store) : nullptr;
}

}  // namespace steward::object
