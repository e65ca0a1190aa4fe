// Listings: of objects, one page after another or by ranges of keys, of versions, and of uploads.

#include <fmt/format.h>

#include <utility>

#include "core/text.h"
#include "io/object/key_ranges.h"
#include "io/object/s3.h"

namespace steward::object {

std::string S3Store::act_of_listing() const { return fmt::format("list {}", shown_); }

/// Go's XML writes U+FFFD for what XML cannot carry. A key may also truly hold it.
Result<bool> S3Store::is_mangled(const std::string& key) {
  if (!key.contains("\xef\xbf\xbd")) return false;
  const auto there = head(key);
  if (!there && there.error().kind != Kind::not_found) return std::unexpected(there.error());
  return !there;
}

Result<ObjectPage> S3Store::object_page(const std::string& whole_prefix, const PageQuestion& question) {
  S3Call call{.act = act_of_listing()};
  call.query = {{"list-type", "2"},
                {"encoding-type", "url"},
                {"max-keys", std::to_string(question.one_key ? 1 : client_.tuning().page)},
                {"prefix", whole_prefix}};
  if (!question.next.empty()) call.query.emplace_back("continuation-token", question.next);
  if (question.next.empty() && !question.after.empty()) call.query.emplace_back("start-after", question.after);
  const auto listed = std::chrono::steady_clock::now();
  const S3Answer answer = TRY(client_.expect_success(call));
  ObjectPage page = TRY(read_object_page(answer.http.body));
  std::vector<ObjectInfo> nameable;
  nameable.reserve(page.objects.size());
  for (ObjectInfo& object : page.objects) {
    // A server that ignores the prefix would hand over what lies outside of the store.
    if (!object.key.starts_with(whole_prefix))
      return fail(Kind::corrupt, fmt::format("cannot {}: the server lists what was not asked for", call.act));
    if (!page.encoded && TRY(is_mangled(object.key.substr(client_.address().root.size())))) continue;
    object.listed = listed;
    nameable.push_back(std::move(object));
  }
  page.objects = std::move(nameable);
  if (!page.next.empty() && page.next == question.next)
    return fail(Kind::corrupt, fmt::format("cannot {}: the server gives the same page again", call.act));
  return page;
}

Result<bool> S3Store::hand_on(ObjectInfo object, const std::function<Result<bool>(const ObjectInfo&)>& take) const {
  object.key.erase(0, client_.address().root.size());
  if (object.key.empty()) return true;  // the root's own marker, "prefix/"
  return take(object);
}

Result<void> S3Store::list(std::string_view prefix, const std::function<Result<bool>(const ObjectInfo&)>& take) {
  const std::string whole_prefix = whole_key(prefix);
  PageQuestion question;
  do {
    ObjectPage page = TRY(object_page(whole_prefix, question));
    for (ObjectInfo& object : page.objects)
      if (!TRY(hand_on(std::move(object), take))) return {};
    question.next = std::move(page.next);
  } while (!question.next.empty());
  return {};
}

Result<Ranged> S3Store::list_by_ranges(std::string_view prefix, const KeyRange& keys,
                                       const std::function<Result<bool>(const ObjectInfo&)>& take) {
  const std::string whole_prefix = whole_key(prefix);
  const auto whole = [&](const std::optional<std::string>& key) {
    return key ? std::optional(whole_key(*key)) : std::nullopt;
  };
  const PagedListing listing{.page = [&](const PageQuestion& question) { return object_page(whole_prefix, question); },
                             .is_gone = [&](const std::string& key) -> Result<bool> {
                               const auto there = head(key.substr(client_.address().root.size()));
                               return !there && there.error().kind == Kind::not_found;
                             },
                             .prefix = whole_prefix,
                             .keys = {.after = whole(keys.after), .last = whole(keys.last)},
                             .begun = client_.now()};
  return object::list_by_ranges(listing, client_.tuning().listings,
                                [&](const ObjectInfo& object) { return hand_on(object, take); });
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

}  // namespace steward::object
