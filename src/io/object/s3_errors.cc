#include "io/object/s3_errors.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "core/text.h"

namespace steward::object {
namespace {

bool is_one_of(std::string_view code, std::initializer_list<std::string_view> codes) {
  return std::ranges::find(codes, code) != codes.end();
}

std::string in_its_words(const Refusal& refusal) { return object::in_its_words(refusal.status, refusal.problem); }

Error cannot(const Refusal& refusal, Kind kind, std::string_view why, std::string hint, std::string code = {}) {
  return {kind, fmt::format("cannot {}: {}", refusal.act, why), std::move(hint), std::move(code)};
}

Error wrong_region(const Refusal& refusal) {
  const std::string there = refusal.bucket_region.empty() ? refusal.problem.region : refusal.bucket_region;
  if (!there.empty() && there != refusal.region)
    return cannot(
        refusal, Kind::bad_input,
        fmt::format("bucket {} is in region {}, and {} was asked", refusal.bucket, printable(there), refusal.region),
        fmt::format("Set AWS_REGION to {}.", printable(there)));
  if (!refusal.problem.endpoint.empty())
    return cannot(refusal, Kind::bad_input,
                  fmt::format("bucket {} is to be asked at {}", refusal.bucket, printable(refusal.problem.endpoint)),
                  "Set AWS_ENDPOINT_URL to that, and AWS_REGION to its region.");
  return cannot(refusal, Kind::bad_input, fmt::format("the server sends us elsewhere ({})", in_its_words(refusal)),
                "Check AWS_REGION and AWS_ENDPOINT_URL.");
}

Error wrong_clock(const Refusal& refusal) {
  std::string off = "too far";
  std::string which = "off";
  if (refusal.server_time) {
    const auto ahead = refusal.signed_at - *refusal.server_time;
    off = format_span(std::chrono::abs(ahead));
    which = ahead.count() > 0 ? "ahead of" : "behind";
    return cannot(refusal, Kind::refused,
                  fmt::format("this machine's clock is {} {} the clock of {}", off, which, refusal.host),
                  "Set the clock (NTP); S3 allows 15 minutes.", "clock");
  }
  return cannot(refusal, Kind::refused,
                fmt::format("this machine's clock is too far off the clock of {}", refusal.host),
                "Set the clock (NTP); S3 allows 15 minutes.", "clock");
}

/// WORM, retention, legal hold: servers tell it only in their words.
bool is_locked(const S3Problem& problem) {
  std::string words = problem.message;
  std::ranges::transform(words, words.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return problem.code == "ObjectLocked" || words.contains("worm") || words.contains("object lock") ||
         words.contains("retention") || words.contains("legal hold");
}

Error denied(const Refusal& refusal) {
  if (is_locked(refusal.problem))
    return cannot(refusal, Kind::permission, fmt::format("an object lock keeps it ({})", in_its_words(refusal)),
                  "It can go when its retention or legal hold has ended.");
  return cannot(refusal, Kind::permission, fmt::format("permission denied ({})", in_its_words(refusal)),
                "Give these keys the right in the bucket's policy, or use other keys.");
}

}  // namespace

bool may_help_to_retry(int status, const std::string& code) {
  if (status == 500 || status == 502 || status == 503 || status == 504 || status == 429) return true;
  return is_one_of(code, {"InternalError", "SlowDown", "ServiceUnavailable", "RequestTimeout", "Throttling",
                          "ThrottlingException", "TooManyRequests", "RequestLimitExceeded", "BandwidthLimitExceeded",
                          "OperationAborted", "ConditionalRequestConflict", "RequestTimeoutException"});
}

bool asks_for_less(int status, const std::string& code) {
  if (status == 429 || (status == 503 && code.empty())) return true;
  return is_one_of(code, {"SlowDown", "Throttling", "ThrottlingException", "TooManyRequests", "RequestLimitExceeded",
                          "BandwidthLimitExceeded", "ServiceUnavailable"});
}

std::string in_its_words(int status, const S3Problem& problem) {
  if (problem.code.empty()) return fmt::format("status {}", status);
  std::string words = printable(problem.message);
  if (words.size() > 200) words = words.substr(0, 200) + "…";
  return words.empty() ? printable(problem.code) : fmt::format("{}: {}", printable(problem.code), words);
}

bool asks_for_new_keys(const std::string& code) {
  return is_one_of(code, {"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "RequestExpired"});
}

bool says_changed(int status, const std::string& code) { return status == 412 || code == "PreconditionFailed"; }

bool says_no_such_key(int status, const std::string& code) {
  return is_one_of(code, {"NoSuchKey", "NoSuchVersion", "NotFound"}) || (status == 404 && code.empty());
}

Error explain(const Refusal& refusal) {
  const std::string& code = refusal.problem.code;
  if (code == "NoSuchBucket")
    return cannot(refusal, Kind::not_found, fmt::format("there is no bucket {} at {}", refusal.bucket, refusal.host),
                  "Check the bucket's name and AWS_ENDPOINT_URL.");
  // versitygw's code for an access key that it does not know comes with a 404.
  if (is_one_of(code, {"InvalidAccessKeyId", "XAdminUserNotFound"}))
    return cannot(refusal, Kind::permission, fmt::format("{} does not know the access key", refusal.host),
                  "Check AWS_ACCESS_KEY_ID, or the profile that AWS_PROFILE names.");
  if (code == "SignatureDoesNotMatch")
    return cannot(refusal, Kind::permission, "the secret key does not fit the access key",
                  "Check AWS_SECRET_ACCESS_KEY, or the profile that AWS_PROFILE names.");
  if (asks_for_new_keys(code) || code == "InvalidToken")
    return cannot(refusal, Kind::permission, "the temporary keys have ended, or their token is wrong",
                  "Get new ones; AWS_SESSION_TOKEN belongs to them.");
  if (code == "RequestTimeTooSkewed") return wrong_clock(refusal);
  if (code == "AuthorizationHeaderMalformed" || code == "IllegalLocationConstraintException" ||
      refusal.status / 100 == 3 ||
      (refusal.status == 400 && !refusal.bucket_region.empty() && refusal.bucket_region != refusal.region))
    return wrong_region(refusal);
  if (says_no_such_key(refusal.status, code) || refusal.status == 404)
    return cannot(refusal, Kind::not_found, "it is not there", "");
  if (says_changed(refusal.status, code)) return cannot(refusal, Kind::refused, "it is not what it was", "", "changed");
  if (refusal.status == 401 || refusal.status == 403 || code == "AccessDenied" || is_locked(refusal.problem))
    return denied(refusal);
  if (is_one_of(code, {"KeyTooLongError", "KeyTooLong", "InvalidObjectName", "InvalidURI", "EntityTooLarge"}))
    return cannot(refusal, Kind::bad_input, fmt::format("this store cannot have it ({})", in_its_words(refusal)), "");
  if (is_one_of(code, {"BadDigest", "InvalidDigest", "XAmzContentSHA256Mismatch"}))
    return cannot(refusal, Kind::corrupt, fmt::format("the bytes changed on their way ({})", in_its_words(refusal)),
                  "Try again; if it happens again, look for a proxy or a bad network card.");
  if (refusal.status == 507 || is_one_of(code, {"QuotaExceeded", "XMinioStorageFull", "StorageFull"}))
    return cannot(refusal, Kind::unavailable, fmt::format("no room left ({})", in_its_words(refusal)),
                  "Make room on the server, or raise the quota.");
  return cannot(refusal, Kind::unavailable, fmt::format("{} answers {}", refusal.host, in_its_words(refusal)),
                "Look into the server's log.");
}

}  // namespace steward::object
