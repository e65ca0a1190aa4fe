#include "io/object/s3.h"

#include <fmt/format.h>

#include <charconv>
#include <utility>

#include "core/text.h"

namespace steward::object {
namespace {

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

Result<ObjectInfo> S3Store::get(std::string_view key, Sink& sink) {
  FollowedSink followed(sink);
  ObjectInfo info;
  const std::string whole = TRY(key_to_read(key));
  S3Call call{.act = act("read", key), .key = whole, .sink = &followed};
  call.accept = [&](const http::Response& head) -> Result<void> {
    if (followed.count == 0) {
      info = TRY(info_of({.http = head}, key));
    } else if (!goes_on_at(head, followed.count)) {
      return fail(Kind::corrupt, fmt::format("cannot {}: the server does not go on where it stopped", call.act));
    }
    return {};
  };
  Attempts attempts = client_.attempts();
  while (true) {
    const std::uint64_t before = followed.count;
    auto answer = client_.send(call);
    if (answer && answer->changed() && followed.count > 0)
      return fail(Kind::refused, fmt::format("cannot {}: it was overwritten meanwhile", call.act), "Read it again.",
                  "changed");
    if (answer && !answer->ok()) return std::unexpected(client_.refusal(*answer, call));
    if (answer && followed.count == info.size.count) return info;
    if (answer)
      return fail(Kind::corrupt,
                  fmt::format("cannot {}: {} bytes came, {} were promised", call.act, followed.count, info.size.count));
    if (followed.failed || answer.error().kind != Kind::unavailable || followed.count == 0)
      return std::unexpected(answer.error());
    if (followed.count > before) attempts.progress();
    if (!attempts.again()) return std::unexpected(given_up(answer.error(), call.act, attempts));
    call.headers = {{"Range", fmt::format("bytes={}-", followed.count)}, {"If-Match", info.etag}};
  }
}

/// Whether the object bears the word that this writer gave it: then an answer got lost, and nothing else.
Result<bool> S3Store::is_own_work(const std::string& key, const std::string& word) {
  const S3Answer answer = TRY(client_.send({.act = act("look at", key), .method = "HEAD", .key = whole_key(key)}));
  return answer.ok() && answer.http.header("x-amz-meta-steward-put") == word;
}

/// Go's XML writes U+FFFD for what XML cannot carry. A key may also truly hold it.
Result<bool> S3Store::is_mangled(const std::string& key) {
  if (!key.contains("\xef\xbf\xbd")) return false;
  const auto there = head(key);
  if (!there && there.error().kind != Kind::not_found) return std::unexpected(there.error());
  return !there;
}

Result<void> S3Store::list(std::string_view prefix, const std::function<Result<bool>(const ObjectInfo&)>& take) {
  const std::string whole_prefix = client_.address().root + std::string(prefix);
  S3Call call{.act = fmt::format("list {}", shown_)};
  std::string next;
  do {
    call.query = {{"list-type", "2"}, {"encoding-type", "url"}, {"max-keys", "1000"}, {"prefix", whole_prefix}};
    if (!next.empty()) call.query.emplace_back("continuation-token", next);
    const auto listed = std::chrono::steady_clock::now();
    const S3Answer answer = TRY(client_.expect_success(call));
    ObjectPage page = TRY(read_object_page(answer.http.body));
    for (ObjectInfo& object : page.objects) {
      // A server that ignores the prefix would hand over what lies outside of the store.
      if (!object.key.starts_with(whole_prefix))
        return fail(Kind::corrupt, fmt::format("cannot {}: the server lists what was not asked for", call.act));
      object.key.erase(0, client_.address().root.size());
      if (object.key.empty()) continue;  // the root's own marker, "prefix/"
      if (!page.encoded && TRY(is_mangled(object.key))) continue;
      object.listed = listed;
      if (!TRY(take(object))) return {};
    }
    if (!page.next.empty() && page.next == next)
      return fail(Kind::corrupt, fmt::format("cannot {}: the server gives the same page again", call.act));
    next = std::move(page.next);
  } while (!next.empty());
  return {};
}

Result<void> S3Store::list_versions(std::string_view prefix,
                                    const std::function<Result<bool>(const ObjectVersion&)>& take) {
  const std::string& root = client_.address().root;
  const std::string whole_prefix = root + std::string(prefix);
  S3Call call{.act = fmt::format("list the versions in {}", shown_)};
  VersionPage page;
  std::string last_key, last_id;
  do {
    call.query = {{"versions", ""}, {"encoding-type", "url"}, {"max-keys", "1000"}, {"prefix", whole_prefix}};
    if (page.more) call.query.emplace_back("key-marker", page.next_key);
    if (page.more && !page.next_id.empty()) call.query.emplace_back("version-id-marker", page.next_id);
    const auto listed = std::chrono::steady_clock::now();
    const S3Answer answer = TRY(client_.expect_success(call));
    const std::string last = page.next_key + "/" + page.next_id;
    page = TRY(read_version_page(answer.http.body));
    for (ObjectVersion& version : page.versions) {
      std::string& key = version.object.key;
      if (!key.starts_with(whole_prefix))
        return fail(Kind::corrupt, fmt::format("cannot {}: the server lists what was not asked for", call.act));
      // What comes after the current one is older than it. Between two pages another may have become current: that one
      // belongs before what has been handed over, and is not seen.
      if (key == last_key && version.object.version_id == last_id) continue;  // a page begins with the last one's end
      if (version.latest && key == last_key)
        return fail(Kind::corrupt,
                    fmt::format("cannot {}: those of {} do not come newest first", call.act, printable(key)));
      last_key = key;
      last_id = version.object.version_id;
      key.erase(0, root.size());
      if (key.empty() || (!page.encoded && key.contains("\xef\xbf\xbd"))) continue;  // mangled, perhaps
      version.object.listed = listed;
      if (!TRY(take(version))) return {};
    }
    if (page.more && page.next_key + "/" + page.next_id == last)
      return fail(Kind::corrupt, fmt::format("cannot {}: the server gives the same page again", call.act));
  } while (page.more);
  return {};
}

Result<void> S3Store::list_uploads(const std::function<Result<bool>(const Upload&)>& take) {
  const std::string& root = client_.address().root;
  S3Call call{.act = fmt::format("list the uploads in {}", shown_)};
  UploadPage page;
  do {
    // No encoding-type: RGW encodes the keys then and does not say so.
    call.query = {{"uploads", ""}, {"prefix", root}};
    if (page.more) call.query.emplace_back("key-marker", page.next_key);
    if (page.more && !page.next_id.empty()) call.query.emplace_back("upload-id-marker", page.next_id);
    const S3Answer answer = TRY(client_.expect_success(call));
    const std::string last = page.next_key + "/" + page.next_id;
    page = TRY(read_upload_page(answer.http.body));
    for (Upload& upload : page.uploads) {
      if (!upload.key.starts_with(root)) continue;
      upload.key.erase(0, root.size());
      if (!TRY(take(upload))) return {};
    }
    if (page.more && page.next_key + "/" + page.next_id == last)
      return fail(Kind::corrupt, fmt::format("cannot {}: the server gives the same page again", call.act));
  } while (page.more);
  return {};
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
  S3Address address = TRY(s3_address(target.url, target.s3));
  return std::make_unique<S3Store>(target, std::move(address), std::move(tuning));
}

}  // namespace steward::object
