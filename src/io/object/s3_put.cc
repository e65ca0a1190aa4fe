// Writing: whole, or in parts.
#include <fmt/format.h>

#include <algorithm>
#include <random>

#include "io/object/s3.h"
#include "io/object/s3_xml.h"

namespace steward::object {
namespace {

/// Parts of this size cost little memory: while they do, a thousand are enough also on servers that allow no more.
constexpr Bytes cheap_part = 64_MiB;
constexpr unsigned few_parts = 1'000;
constexpr const char* put_word = "x-amz-meta-steward-put";

constexpr const char* hint_of_parts =
    "Some servers allow fewer parts than AWS (stores: max_parts), or parts of one size alone, as they are while an "
    "object is no larger than was expected.";

/// Each server has its own word for a part that it does not take.
Error refusal_of_parts(Error error, const S3Problem& problem) {
  for (const char* code : {"InvalidPart", "InvalidPartNumber", "InvalidArgument", "EntityTooSmall", "TooManyParts"})
    if (problem.code == code) error.hint = hint_of_parts;
  return error;
}

std::string random_word() {
  std::random_device device;
  return fmt::format("{:08x}{:08x}{:08x}{:08x}", device(), device(), device(), device());
}

/// The size of each of `parts` parts, where a tenth of them is left over.
std::uint64_t least_size(Bytes all, unsigned parts) { return all.count / (parts - parts / 10) + 1; }

/// The size of part `number` (from 1). Of a size that is known or guessed all are equal, unless it is more by far; else
/// they double with every tenth of the parts, so that all of them hold more than S3 can.
std::size_t part_size(const S3Tuning& tuning, const PutOptions& options, unsigned number) {
  const unsigned most = tuning.most_parts;
  const std::optional<Bytes> expected = options.size ? options.size : options.about;
  if (!expected) return static_cast<std::size_t>(tuning.part_size.count << ((number - 1) / std::max(1U, most / 10)));
  const std::uint64_t few = least_size(*expected, std::min(most, few_parts));
  const std::uint64_t equal = std::max(
      tuning.part_size.count, few <= cheap_part.count ? few : std::max(cheap_part.count, least_size(*expected, most)));
  const unsigned meant = most - most / 10;
  const unsigned step = std::max(1U, most / 50);
  return static_cast<std::size_t>(number <= meant ? equal : equal << ((number - meant + step - 1) / step));
}

/// What a request that writes bears so that the object is locked.
void add_lock(const PutOptions& options, Fields& headers) {
  if (!options.locked_until) return;
  headers.emplace_back("x-amz-object-lock-mode", "COMPLIANCE");
  headers.emplace_back("x-amz-object-lock-retain-until-date",
                       format_instant(std::chrono::floor<std::chrono::seconds>(*options.locked_until)));
}
/// S3 wants it with what it is to lock.
void add_md5(const PutOptions& options, std::string_view body, Fields& headers) {
  if (options.locked_until) headers.emplace_back("Content-MD5", content_md5(body));
}

/// Up to `size` bytes; fewer only at the end.
Result<std::string> read_up_to(Source& source, std::size_t size) {
  std::string bytes(size, '\0');
  std::size_t filled = 0;
  while (filled < size) {
    const std::size_t n = TRY(source.read(std::as_writable_bytes(std::span(bytes).subspan(filled))));
    if (n == 0) break;
    filled += n;
  }
  bytes.resize(filled);
  return bytes;
}

ObjectInfo written(std::string_view key, Bytes size, const S3Answer& answer, std::string etag) {
  return {.key = std::string(key),
          .size = size,
          .modified = http::date_of(answer.http).value_or(answer.signed_at),
          .etag = std::move(etag),
          .version_id = answer.http.header("x-amz-version-id").value_or("")};
}

std::unexpected<Error> already_there(const std::string& act) {
  return fail(Kind::refused, fmt::format("cannot {}: it is there already", act), "", "exists");
}

std::unexpected<Error> is_another(const std::string& act) {
  return fail(Kind::refused, fmt::format("cannot {}: what is there is not what was to be replaced", act), "",
              "changed");
}

}  // namespace

Result<ObjectInfo> S3Store::put(std::string_view key, Source& content, const PutOptions& options) {
  TRY(key_to_write(key));
  const bool has_condition = options.only_if_absent || !options.if_etag.empty();
  if (has_condition && !TRY(checks_itself(options))) TRY(look_before_put(key, options));
  const std::size_t first_size = part_size(client_.tuning(), options, 1);
  // One byte more than a part tells whether there is a second one. What is known to be small gets a small buffer first;
  // a file may have grown since it was measured.
  const std::size_t likely = options.size && options.size->count < first_size ? options.size->count : first_size;
  std::string first = TRY(read_up_to(content, likely + 1));
  if (first.size() > likely) first += TRY(read_up_to(content, first_size - likely));
  auto put =
      first.size() <= first_size ? put_whole(key, first, options) : put_parts(key, std::move(first), content, options);
  // "InvalidRequest: Bucket is missing Object Lock Configuration", and InvalidBucketObjectLockConfiguration elsewhere.
  const bool has_no_lock = !put && options.locked_until &&
                           (put.error().message.contains("Object Lock") || put.error().message.contains("ObjectLock"));
  if (has_no_lock)
    return fail(Kind::bad_input, put.error().message,
                "Object lock is switched on when a bucket is made; use such a bucket, or leave object_lock out.");
  return put;
}

std::string S3Store::if_match(std::string etag, bool bare) {
  if (bare) std::erase(etag, '"');
  return etag;
}

/// Whether the server checks the condition of such a put in the act.
Result<bool> S3Store::checks_itself(const PutOptions& options) {
  const Features features = TRY(abilities()).features;
  return options.only_if_absent ? features.conditional_put : features.conditional_replace;
}

/// The condition of a put as headers. If-None-Match goes out in any case: it may be that the probe alone was denied.
Result<Fields> S3Store::condition_of(const PutOptions& options) {
  if (options.only_if_absent) return Fields{{"If-None-Match", "*"}};
  if (options.if_etag.empty() || !TRY(checks_itself(options))) return Fields{};
  return Fields{{"If-Match", if_match(options.if_etag, TRY(abilities()).bare_if_match)}};
}

/// The condition of a put as a look: for servers that cannot check them in the act.
Result<void> S3Store::look_before_put(std::string_view key, const PutOptions& options) {
  const auto there = head(key);
  if (!there && there.error().kind != Kind::not_found) return std::unexpected(there.error());
  if (there && options.only_if_absent) return already_there(act("write", key));
  const bool other = !options.if_etag.empty() && (!there || there->etag != options.if_etag);
  if (other) return is_another(act("write", key));
  return {};
}

Result<ObjectInfo> S3Store::put_whole(std::string_view key, std::string_view content, const PutOptions& options) {
  S3Call call{.act = act("write", key), .method = "PUT", .key = whole_key(key), .body = content};
  const std::string word = random_word();
  call.headers = TRY(condition_of(options));
  const bool has_condition = !call.headers.empty();
  if (has_condition) call.headers.emplace_back(put_word, word);
  add_lock(options, call.headers);
  add_md5(options, content, call.headers);
  S3Answer answer = TRY(client_.send(call));
  if (answer.problem.code == "NotImplemented" && has_condition && !options.locked_until) {
    TRY(look_before_put(key, options));
    call.headers.clear();
    answer = TRY(client_.send(call));
  }
  // AWS says 404 where there is nothing that could have the ETag.
  const bool refused = has_condition && !call.headers.empty() && (answer.changed() || answer.no_such_key());
  if (refused && answer.maybe_done_before && TRY(is_own_work(std::string(key), word))) return head(key);
  if (refused) return options.only_if_absent ? already_there(call.act) : is_another(call.act);
  if (!answer.ok()) return std::unexpected(client_.refusal(answer, call));
  return written(key, Bytes{content.size()}, answer, answer.http.header("etag").value_or(""));
}

Result<ObjectInfo> S3Store::put_parts(std::string_view key, std::string first, Source& rest,
                                      const PutOptions& options) {
  const std::string word = random_word();
  Fields headers{{put_word, word}};
  add_lock(options, headers);
  const S3Answer begun = TRY(client_.expect_success({.act = act("begin an upload of", key),
                                                     .method = "POST",
                                                     .key = whole_key(key),
                                                     .query = {{"uploads", ""}},
                                                     .headers = std::move(headers)}));
  const std::string id = TRY(read_upload_id(begun.http.body));
  Bytes sent{};
  auto parts = send_parts(key, id, std::move(first), rest, options, sent);
  auto info = parts ? finish_parts(key, id, word, *parts, options)
                    : Result<ObjectInfo>(std::unexpected(std::move(parts).error()));
  if (!info) {
    // What cannot be aborted now is found by list_uploads; the error that matters is the first one.
    (void)abort_upload({.key = std::string(key), .id = id});
    return info;
  }
  info->size = sent;
  return info;
}

Result<std::vector<Part>> S3Store::send_parts(std::string_view key, const std::string& id, std::string first,
                                              Source& rest, const PutOptions& options, Bytes& sent) {
  std::vector<Part> parts;
  // The first buffer holds one byte of the second part.
  std::string buffer = std::move(first);
  std::string ahead(1, buffer.back());
  buffer.pop_back();
  while (!buffer.empty()) {
    const auto number = static_cast<unsigned>(parts.size()) + 1;
    if (number > client_.tuning().most_parts)
      return fail(Kind::bad_input,
                  fmt::format("cannot {}: it is larger than was expected, and does not fit into {} parts",
                              act("write", key), client_.tuning().most_parts),
                  hint_of_parts);
    Fields headers;
    add_md5(options, buffer, headers);
    const S3Call call{.act = act("write", key),
                      .method = "PUT",
                      .key = whole_key(key),
                      .query = {{"partNumber", std::to_string(number)}, {"uploadId", id}},
                      .headers = std::move(headers),
                      .body = buffer};
    const S3Answer answer = TRY(client_.send(call));
    if (!answer.ok()) return std::unexpected(refusal_of_parts(client_.refusal(answer, call), answer.problem));
    parts.push_back({static_cast<int>(number), answer.http.header("etag").value_or("")});
    sent += Bytes{buffer.size()};
    const std::size_t size = part_size(client_.tuning(), options, number + 1);
    buffer = std::exchange(ahead, {});
    buffer += TRY(read_up_to(rest, size - buffer.size()));
  }
  return parts;
}

Result<ObjectInfo> S3Store::finish_parts(std::string_view key, const std::string& id, const std::string& word,
                                         const std::vector<Part>& parts, const PutOptions& options) {
  const std::string body = completion_request(parts);
  S3Call call{.act = act("write", key),
              .method = "POST",
              .key = whole_key(key),
              .query = {{"uploadId", id}},
              .body = body,
              .stall_timeout = std::chrono::minutes(10)};  // putting the parts together may take that long
  call.headers = TRY(condition_of(options));
  if (!call.headers.empty()) TRY(look_before_put(key, options));  // for servers that check the condition of a PUT alone
  Attempts attempts = client_.attempts();
  while (true) {
    S3Answer answer = TRY(client_.send(call));
    if (answer.problem.code == "NotImplemented" && !call.headers.empty()) {
      call.headers.clear();
      continue;
    }
    // A status of 200 says only that the server has begun.
    Completion done;
    if (answer.ok()) done = TRY(read_completion(answer.http.body));
    if (answer.ok() && !done.problem && done.etag.empty()) return head(key);
    if (answer.ok() && !done.problem) return written(key, Bytes{}, answer, done.etag);
    if (done.problem) answer.problem = *done.problem;
    if (done.problem && may_help_to_retry(answer.http.status, answer.problem.code) && attempts.again()) continue;
    const bool own = answer.maybe_done_before || !attempts.told().empty();
    if (own && (answer.problem.code == "NoSuchUpload" || answer.changed()) && TRY(is_own_work(std::string(key), word)))
      return head(key);
    if (answer.changed() && options.only_if_absent) return already_there(call.act);
    if (answer.changed() && !options.if_etag.empty()) return is_another(call.act);
    return std::unexpected(refusal_of_parts(client_.refusal(answer, call), answer.problem));
  }
}

}  // namespace steward::object
