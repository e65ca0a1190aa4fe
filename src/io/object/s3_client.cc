#include "io/object/s3_client.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <random>
#include <thread>
#include <utility>

#include "core/digest.h"
#include "core/text.h"

namespace steward::object {
namespace {

const Clock& clock_of(const StoreTarget& target) {
  static const SystemClock system;
  return target.clock ? *target.clock : system;
}

std::optional<Credentials> fixed_keys(const S3Settings& settings) {
  if (settings.access_key.empty()) return std::nullopt;
  return Credentials{
      .access_key = settings.access_key, .secret_key = settings.secret_key, .session_token = settings.session_token};
}

std::chrono::milliseconds random_up_to(std::chrono::milliseconds most) {
  thread_local std::mt19937_64 engine{std::random_device{}()};
  return std::chrono::milliseconds(std::uniform_int_distribution<std::int64_t>(0, most.count())(engine));
}

/// Counts what reaches a sink: after the first byte an attempt can no longer be repeated as a whole.
struct CountingSink final : Sink {
  Sink* inner = nullptr;
  std::uint64_t count = 0;
  Result<void> write(std::span<const std::byte> bytes) override {
    count += bytes.size();
    return inner->write(bytes);
  }
};

}  // namespace

bool Attempts::again() {
  if (made_ >= most_) return false;
  const int doublings = std::min(made_ - 1, 20);
  const auto most = std::min(tuning_.longest_wait, tuning_.backoff * (std::int64_t{1} << doublings));
  std::this_thread::sleep_for(random_up_to(most));
  ++made_;
  ++all_;
  return true;
}

std::string Attempts::told() const {
  if (all_ <= 1) return {};
  const auto span = std::chrono::steady_clock::now() - began_;
  return fmt::format("{} attempts over {}", all_,
                     format_span(std::chrono::duration_cast<std::chrono::microseconds>(span)));
}

std::string content_md5(std::string_view body) {
  std::string digest(16, '\0');
  unsigned size = 0;
  if (EVP_Digest(body.data(), body.size(), reinterpret_cast<unsigned char*>(digest.data()), &size, EVP_md5(),
                 nullptr) != 1)
    return {};
  return base64(digest);
}

Error given_up(Error error, const std::string& act, const Attempts& attempts) {
  const std::string told = attempts.told();
  const std::string cannot = fmt::format("cannot {}: ", act);
  if (!error.message.starts_with(cannot)) error.message.insert(0, cannot);
  if (!told.empty()) error.message += ", " + told;
  return error;
}

S3Client::S3Client(const StoreTarget& target, S3Address address, S3Tuning tuning)
    : address_(std::move(address)),
      tuning_(std::move(tuning)),
      attempts_(std::max(1, target.attempts)),
      clock_(clock_of(target)),
      http_({.ca_file = target.s3.ca_file, .agent = target.agent}),
      fixed_(fixed_keys(target.s3)),
      chain_(tuning_.environment, clock_, address_.region, target.s3.ca_file) {}

Result<Credentials> S3Client::credentials() {
  if (fixed_) return *fixed_;
  return chain_.get();
}

Result<S3Answer> S3Client::send_once(const S3Call& call) {
  const Credentials keys = TRY(credentials());
  SignedRequest to_sign{.method = call.method,
                        .host = address_.host,
                        .path = address_.path_of(call.key),
                        .query = call.query,
                        .headers = call.headers,
                        .payload_hash = sha256_hex(call.body)};
  S3Answer answer{.signed_at = clock_.now()};
  const Fields added = signature(to_sign, keys, address_.region, "s3", answer.signed_at);

  http::Request request{.method = call.method,
                        .url = fmt::format("{}://{}{}", address_.scheme, address_.host, to_sign.path),
                        .headers = call.headers,
                        .body = call.body,
                        .sink = call.sink,
                        .accept = call.accept,
                        .connect_timeout = tuning_.connect_timeout,
                        .stall_timeout = call.stall_timeout.count() ? call.stall_timeout : tuning_.stall_timeout};
  if (!call.query.empty()) request.url += "?" + canonical_query(call.query);
  request.headers.insert(request.headers.end(), added.begin(), added.end());
  answer.http = TRY(http_.send(request));
  if (!answer.ok()) answer.problem = read_problem(answer.http.body);
  return answer;
}

std::unique_ptr<Pace> S3Client::pace() const {
  return std::make_unique<Pace>(tuning_.most_removals, tuning_.backoff, tuning_.longest_wait);
}

/// One attempt, or as many as the pace allows where the server asks for fewer requests: those did nothing.
Result<S3Answer> S3Client::send_at_pace(const S3Call& call) {
  if (!call.pace) return send_once(call);
  Pace::Patience patience;
  while (true) {
    const Pace::Turn turn = call.pace->enter(patience);
    auto answer = send_once(call);
    if (!answer) return answer;
    if (!asks_for_less(answer->http.status, answer->problem.code)) {
      call.pace->succeeded();
      return answer;
    }
    if (!call.pace->slow_down(patience, in_its_words(answer->http.status, answer->problem))) return answer;
  }
}

Result<S3Answer> S3Client::send(const S3Call& call) {
  Attempts attempts = this->attempts();
  CountingSink counting;
  counting.inner = call.sink;
  S3Call counted = call;
  if (call.sink) counted.sink = &counting;
  bool lost = false;
  bool renewed = false;
  while (true) {
    auto answer = send_at_pace(counted);
    if (!answer) {
      const bool final = answer.error().kind != Kind::unavailable || counting.count > 0;
      if (final || !attempts.again()) return std::unexpected(given_up(std::move(answer).error(), call.act, attempts));
      lost = true;
      continue;
    }
    answer->maybe_done_before = lost;
    if (asks_for_new_keys(answer->problem.code) && !fixed_ && !std::exchange(renewed, true)) {
      chain_.forget();
      continue;
    }
    if (!may_help_to_retry(answer->http.status, answer->problem.code)) return answer;
    if (call.pace && asks_for_less(answer->http.status, answer->problem.code)) {
      Error error = given_up(refusal(*answer, call), call.act, attempts);
      error.message += fmt::format(", {} times over, and nothing else came through", Pace::most_in_vain);
      return std::unexpected(std::move(error));
    }
    if (!attempts.again()) return std::unexpected(given_up(refusal(*answer, call), call.act, attempts));
    // A 5xx may come from a proxy in front of a server that has done its work.
    lost = lost || answer->http.status >= 500;
  }
}

Result<S3Answer> S3Client::expect_success(const S3Call& call) {
  S3Answer answer = TRY(send(call));
  if (!answer.ok()) return std::unexpected(refusal(answer, call));
  return answer;
}

Error S3Client::refusal(const S3Answer& answer, const S3Call& call) const {
  return explain({.status = answer.http.status,
                  .problem = answer.problem,
                  .act = call.act,
                  .bucket = address_.bucket,
                  .host = address_.host,
                  .region = address_.region,
                  .bucket_region = answer.http.header("x-amz-bucket-region").value_or(""),
                  .server_time = http::date_of(answer.http),
                  .signed_at = answer.signed_at});
}

}  // namespace steward::object
