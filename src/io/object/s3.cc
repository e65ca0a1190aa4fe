#include "io/object/s3.h"

#include <fmt/format.h>

#include <charconv>
#include <utility>

#include "core/text.h"

namespace steward::object {
namespace {

constexpr int range_not_satisfiable = 416;

constexpr std::size_t longest_key = 1024;

Result<Bytes> size_of(const http::Response& response) {
  const std::string text = response.header("content-length").value_or("");
  std::uint64_t size = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), size);
  if (text.empty() || code != std::errc{} || *end != '\0')
    return fail(Kind::corrupt, "the server does not say how long the object is");
  return Bytes{size};
}

/// Answers to HEAD have no body, and so no code.
bool needs_words(const S3Answer& answer) {
  return !answer.ok() && answer.http.status != 404 && answer.problem.code.empty();
}

/// A sink that knows how far it has come, and whether it was itself what failed.
struct FollowedSink final : Sink {
  Sink& inner;
  std::uint64_t count = 0;
  bool failed = false;
  explicit FollowedSink(Sink& sink) : inner(sink) {}
  Result<void> write(std::span<const std::byte> bytes) override {
    auto written = inner.write(bytes);
    failed = !written;
    if (written) count += bytes.size();
    return written;
  }
};

bool goes_on_at(const http::Response& head, std::uint64_t offset) {
  return head.status == 206 && head.header("content-range").value_or("").starts_with(fmt::format("bytes {}-", offset));
}

}  // namespace

S3Store::S3Store(const StoreTarget& target, S3Address address, S3Tuning tuning)
    : client_(target, std::move(address), std::move(tuning)), removals_(client_.pace()) {
  const std::string& root = client_.address().root;
  shown_ = fmt::format("s3://{}", client_.address().bucket);
  if (!root.empty()) shown_ += "/" + printable(root.substr(0, root.size() - 1));
}

Result<std::string> S3Store::identity() { return "s3:" + client_.address().identity; }

/// Why there can be no object of this key; nothing if there can.
std::optional<std::string> S3Store::why_no_key(std::string_view key) const {
  const std::size_t size = client_.address().root.size() + key.size();
  if (key.empty()) return "it is empty";
  if (size > longest_key) return fmt::format("with {} bytes it is longer than 1,024", size);
  if (key.contains('\0')) return "it holds a NUL";
  return std::nullopt;
}

Result<std::string> S3Store::key_to_write(std::string_view key) const {
  const auto why = why_no_key(key);
  if (why)
    return fail(Kind::bad_input,
                fmt::format("\"{}\" is no key for {}: {}", printable(key.substr(0, 100)), shown_, *why));
  return whole_key(key);
}

Result<std::string> S3Store::key_to_read(std::string_view key) const {
  const auto why = why_no_key(key);
  if (why)
    return fail(Kind::not_found, fmt::format("there is no {} in {}: {}", printable(key.substr(0, 100)), shown_, *why));
  return whole_key(key);
}

std::string S3Store::act(std::string_view verb, std::string_view key) const {
  return fmt::format("{} {} in {}", verb, printable(key), shown_);
}

Result<ObjectInfo> S3Store::info_of(const S3Answer& answer, std::string_view key) const {
  const Bytes size = TRY(size_of(answer.http));
  ObjectInfo info{.key = std::string(key), .size = size};
  info.etag = answer.http.header("etag").value_or("");
  info.version_id = answer.http.header("x-amz-version-id").value_or("");
  const auto modified = http::parse_http_date(answer.http.header("last-modified").value_or(""));
  if (!modified)
    return fail(Kind::corrupt, fmt::format("{} does not say when {} was modified", shown_, printable(key)));
  info.modified = *modified;
  return info;
}

Result<ObjectInfo> S3Store::head(std::string_view key) {
  const std::string whole = TRY(key_to_read(key));
  S3Call call{.act = act("look at", key), .method = "HEAD", .key = whole};
  S3Answer answer = TRY(client_.send(call));
  if (answer.ok()) return info_of(answer, key);
  if (needs_words(answer)) {
    call.method = "GET";
    call.headers = {{"Range", "bytes=0-0"}};
    answer = TRY(client_.send(call));
    if (answer.ok())
      return fail(Kind::unavailable, fmt::format("cannot {}: HEAD is refused, and GET is not", call.act));
  }
  return std::unexpected(client_.refusal(answer, call));
}

Result<ObjectInfo> S3Store::get_from(std::string_view key, std::uint64_t from, Sink& sink) {
  FollowedSink followed(sink);
  ObjectInfo info;
  const std::string whole = TRY(key_to_read(key));
  S3Call call{.act = act("read", key), .key = whole, .sink = &followed};
  call.accept = [&](const http::Response& head) -> Result<void> {
    const std::uint64_t at = from + followed.count;
    if (at > 0 && !goes_on_at(head, at))
      return fail(Kind::corrupt, fmt::format("cannot {}: the server does not go on where it stopped", call.act));
    if (followed.count > 0) return {};
    info = TRY(info_of({.http = head}, key));
    info.size += Bytes{from};  // a part's length is of the part
    return {};
  };
  if (from > 0) call.headers = {{"Range", fmt::format("bytes={}-", from)}};
  Attempts attempts = client_.attempts();
  while (true) {
    const std::uint64_t before = followed.count;
    auto answer = client_.send(call);
    if (answer && answer->changed() && followed.count > 0)
      return fail(Kind::refused, fmt::format("cannot {}: it was overwritten meanwhile", call.act), "Read it again.",
                  "changed");
    if (answer && answer->http.status == range_not_satisfiable)
      return fail(Kind::bad_input, fmt::format("cannot {} from byte {} on: it is shorter", call.act, from));
    if (answer && !answer->ok()) return std::unexpected(client_.refusal(*answer, call));
    if (answer && from + followed.count == info.size.count) return info;
    if (answer)
      return fail(Kind::corrupt, fmt::format("cannot {}: {} bytes came, {} were promised", call.act, followed.count,
                                             info.size.count - from));
    if (followed.failed || answer.error().kind != Kind::unavailable || followed.count == 0)
      return std::unexpected(answer.error());
    if (followed.count > before) attempts.progress();
    if (!attempts.again()) return std::unexpected(given_up(answer.error(), call.act, attempts));
    call.headers = {{"Range", fmt::format("bytes={}-", from + followed.count)}, {"If-Match", info.etag}};
  }
}

/// Whether the object bears the word that this writer gave it: then an answer got lost, and nothing else.
Result<bool> S3Store::is_own_work(const std::string& key, const std::string& word) {
  const S3Answer answer = TRY(client_.send({.act = act("look at", key), .method = "HEAD", .key = whole_key(key)}));
  return answer.ok() && answer.http.header("x-amz-meta-steward-put") == word;
}

Result<void> S3Store::abort_upload(const Upload& upload) {
  const S3Call call{.act = act("abort an upload of", upload.key),
                    .method = "DELETE",
                    .key = whole_key(upload.key),
                    .query = {{"uploadId", upload.id}}};
  const S3Answer answer = TRY(client_.send(call));
  if (answer.ok() || answer.problem.code == "NoSuchUpload") return {};
  return std::unexpected(client_.refusal(answer, call));
}

Result<Instant> S3Store::server_time() {
  const S3Call call{.act = fmt::format("ask the time of {}", shown_), .method = "HEAD"};
  const S3Answer answer = TRY(client_.send(call));
  const auto date = http::date_of(answer.http);
  if (!date) return fail(Kind::unavailable, fmt::format("cannot {}: the server does not say it", call.act));
  return *date;
}

Result<std::unique_ptr<Store>> open_s3(const StoreTarget& target, S3Tuning tuning) {
  if (target.s3.most_parts > 0) tuning.most_parts = target.s3.most_parts;
  S3Address address = TRY(s3_address(target.url, target.s3));
  return std::make_unique<S3Store>(target, std::move(address), std::move(tuning));
}

}  // namespace steward::object
