/// Speaks to one bucket: signs, sends, tries again what may help. What an answer means is the store's (s3.h).
#pragma once
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/instant.h"
#include "core/result.h"
#include "core/stream.h"
#include "io/http/client.h"
#include "io/object/credentials.h"
#include "io/object/pace.h"
#include "io/object/s3_address.h"
#include "io/object/s3_errors.h"
#include "io/object/store.h"

namespace steward::object {

/// What a person never sets and a test does.
struct S3Tuning {
  Bytes part_size = 16_MiB;  ///< What is larger goes up in parts of this size, or more where they would be too many.
  unsigned most_parts = 10'000;
  std::chrono::milliseconds backoff{100};  ///< At most this before the second attempt, then twice, four times …
  std::chrono::milliseconds longest_wait{20'000};
  std::chrono::milliseconds connect_timeout{10'000};
  std::chrono::seconds stall_timeout{60};
  unsigned threads = 8;         ///< Requests that one remove_many keeps under way.
  unsigned page = 1'000;        ///< Keys that one answer of a listing has.
  unsigned listings = 6;        ///< Ranges of keys that are listed at once.
  unsigned most_removals = 64;  ///< And all of a store's at once.
  Environment environment = process_environment();
};

/// One request, in S3's terms.
struct S3Call {
  std::string act{};  ///< For messages: "read a/b.png in s3://shots".
  std::string method = "GET";
  std::string key{};  ///< Whole, with the store's root. Empty: the bucket.
  Fields query{};
  Fields headers{};
  std::string_view body{};
  Sink* sink = nullptr;  ///< As http::Request's. A body that has begun to flow is not tried again here.
  std::function<Result<void>(const http::Response&)> accept{};
  std::chrono::seconds stall_timeout{0};  ///< 0: the tuning's.
  Pace* pace = nullptr;  ///< Waits for its turn there, and tries again there when the server asks for fewer requests.
};

struct S3Answer {
  http::Response http{};
  S3Problem problem{};  ///< Where the status is no success.
  /// An earlier attempt ended without an answer: it may have had its effect all the same.
  bool maybe_done_before = false;
  Instant signed_at{};
  bool ok() const { return http.status >= 200 && http.status < 300; }
  bool no_such_key() const { return says_no_such_key(http.status, problem.code); }
  bool changed() const { return says_changed(http.status, problem.code); }
};

/// Counts attempts and waits between them: exponential back-off with full jitter.
class Attempts {
 public:
  Attempts(int most, const S3Tuning& tuning) : most_(most), tuning_(tuning) {}
  /// Waits and says true, or says that there is no attempt left.
  bool again();
  /// Something was reached: the count begins anew.
  void progress() { made_ = 1; }
  /// "5 attempts over 42 s"; nothing if there was one.
  std::string told() const;

 private:
  int most_;
  const S3Tuning& tuning_;
  int made_ = 1;
  int all_ = 1;
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
};

class S3Client {
 public:
  S3Client(const StoreTarget& target, S3Address address, S3Tuning tuning);

  /// The last answer, whatever its status, after trying again what may help; an error where there was none (its message
  /// begins with the act), and for 5xx and 429 after the last attempt.
  Result<S3Answer> send(const S3Call& call);
  /// One attempt.
  Result<S3Answer> send_once(const S3Call& call);
  /// A pace for requests of one kind, as the tuning has it.
  std::unique_ptr<Pace> pace() const;
  /// What an answer means that is no success.
  Error refusal(const S3Answer& answer, const S3Call& call) const;
  /// `send`, where everything but a success is an error.
  Result<S3Answer> expect_success(const S3Call& call);

  const S3Address& address() const { return address_; }
  const S3Tuning& tuning() const { return tuning_; }
  Attempts attempts() const { return {attempts_, tuning_}; }
  Instant now() const { return clock_.now(); }

 private:
  Result<Credentials> credentials();
  Result<S3Answer> send_at_pace(const S3Call& call);

  S3Address address_;
  S3Tuning tuning_;
  int attempts_;
  const Clock& clock_;
  http::Client http_;
  std::optional<Credentials> fixed_{};
  CredentialChain chain_;
};

/// Base64 of the MD5, which some requests have to bear.
std::string content_md5(std::string_view body);

/// `error` of a request that was given up, with what was tried before and how often after it.
Error given_up(Error error, const std::string& act, const Attempts& attempts);

}  // namespace steward::object
