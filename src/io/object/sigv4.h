/// AWS Signature Version 4, in the Authorization header.
///
///   https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
///
/// Pure: neither clock nor network. Keys are signed as they are sent: no "//" or ".." is tidied away (S3 asks for that,
/// other services do not).
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/instant.h"
#include "core/secret.h"

namespace steward::object {

/// Who signs. `expires` where they are temporary.
struct Credentials {
  std::string access_key{};
  Secret secret_key{};
  Secret session_token{};
  std::optional<Instant> expires{};
};

using Fields = std::vector<std::pair<std::string, std::string>>;

/// What of a request the signature covers.
struct SignedRequest {
  std::string method = "GET";
  std::string host{};          ///< As in the Host header: with its port where that is not the scheme's own.
  std::string path{};          ///< As sent: percent-encoded, beginning with '/'.
  Fields query{};              ///< Not encoded.
  Fields headers{};            ///< Beside Host and those that `sign` adds. All are signed.
  std::string payload_hash{};  ///< SHA-256 of the body in hexadecimal, or "UNSIGNED-PAYLOAD" (only over TLS).
};

/// NAME=VALUE&…, encoded and sorted as SigV4 wants it; also what goes into the URL. A name without a value has its '='.
std::string canonical_query(const Fields& query);

/// The headers to send beside the request's own: x-amz-date, x-amz-content-sha256, x-amz-security-token where there is
/// one, and Authorization.
Fields signature(const SignedRequest& request, const Credentials& credentials, std::string_view region,
                 std::string_view service, Instant now);

}  // namespace steward::object
