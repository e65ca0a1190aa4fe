#include "io/object/object_lock.h"

#include <fmt/format.h>

#include "core/text.h"
#include "io/object/s3_xml.h"

namespace steward::object {

ObjectLocks::ObjectLocks(const StoreTarget& target, S3Address address, S3Tuning tuning)
    : client_(std::make_unique<S3Client>(target, std::move(address), std::move(tuning))) {}

Result<ObjectLocks> ObjectLocks::of(const StoreTarget& target, S3Tuning tuning) {
  if (!target.url.starts_with("s3://"))
    return fail(Kind::bad_input, fmt::format("{} is no bucket: what is in it cannot be locked", target.url));
  S3Address address = TRY(s3_address(target.url, target.s3));
  return ObjectLocks(target, std::move(address), std::move(tuning));
}

S3Call ObjectLocks::call(std::string_view verb, std::string_view key) const {
  const S3Address& address = client_->address();
  return {.act = fmt::format("{} the lock of {} in s3://{}", verb, printable(key), address.bucket),
          .key = address.root + std::string(key),
          .query = {{"retention", ""}}};
}

Result<std::optional<Instant>> ObjectLocks::until(std::string_view key) {
  const S3Call asked = call("look at", key);
  const S3Answer answer = TRY(client_->send(asked));
  const std::string& code = answer.problem.code;
  if (code == "NoSuchObjectLockConfiguration" || code == "ObjectLockConfigurationNotFoundError") return std::nullopt;
  if (!answer.ok()) return std::unexpected(client_->refusal(answer, asked));
  return read_retention(answer.http.body);
}

Result<void> ObjectLocks::set(std::string_view key, Instant until) {
  const std::string body = retention_request(until);
  S3Call asked = call("set", key);
  asked.method = "PUT";
  asked.headers = {{"Content-MD5", content_md5(body)}};
  asked.body = body;
  TRY(client_->expect_success(asked));
  return {};
}

}  // namespace steward::object
