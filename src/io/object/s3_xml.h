/// S3's XML, both ways. Pure: bytes in, values out. What comes in is a server's, and may be anything at all.
#pragma once
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "io/object/store.h"

namespace steward::object {

/// An answer's <Error>, wherever in an answer it stands.
struct S3Problem {
  std::string code{};     ///< "NoSuchBucket". Empty where the body was none of S3's.
  std::string message{};  ///< The server's own words.
  std::string region{};   ///< Where the bucket is, if the server says so.
  std::string endpoint{};
  std::string server_time{};
};

struct ObjectPage {
  std::vector<ObjectInfo> objects{};  ///< With whole keys.
  std::string next{};                 ///< The continuation token; empty on the last page.
  bool encoded = false;               ///< Keys came URL-encoded: none can have been mangled by XML.
};
struct UploadPage {
  std::vector<Upload> uploads{};  ///< With whole keys.
  bool more = false;
  std::string next_key{};
  std::string next_id{};
};
struct VersionPage {
  /// With whole keys; those of one key together, the newest first. What the next page may go on with comes last.
  std::vector<ObjectVersion> versions{};
  bool more = false;
  std::string next_key{};
  std::string next_id{};
  bool encoded = false;  ///< As ObjectPage's.
};
/// What became of one key of a DeleteObjects.
struct DeletedKey {
  std::string key{};
  std::string version_id{};            ///< Where a version was asked for.
  std::optional<S3Problem> problem{};  ///< Empty: gone.
};
struct KeyToDelete {
  std::string_view key{};
  std::string_view etag{};        ///< Empty: whatever it is.
  std::string_view version_id{};  ///< Empty: what is current.
};
struct Part {
  int number = 0;
  std::string etag{};
};

/// ListObjectsV2. Keys are decoded where the answer says that they are encoded (EncodingType), and only there: some
/// servers ignore encoding-type=url. corrupt where it is no such answer, or one cut short.
Result<ObjectPage> read_object_page(std::string_view xml);
/// ListMultipartUploads; likewise.
Result<UploadPage> read_upload_page(std::string_view xml);
/// ListObjectVersions; likewise.
Result<VersionPage> read_version_page(std::string_view xml);
/// InitiateMultipartUpload: the upload's id.
Result<std::string> read_upload_id(std::string_view xml);
/// CompleteMultipartUpload: the object's ETag; or the problem, which may come under a status of 200.
struct Completion {
  std::string etag{};  ///< Empty where the server does not say (RGW 16).
  std::optional<S3Problem> problem{};
};
Result<Completion> read_completion(std::string_view xml);
/// DeleteObjects: one for each key that the answer names.
Result<std::vector<DeletedKey>> read_deleted(std::string_view xml);
/// GetBucketVersioning: "Enabled", "Suspended" or "".
Result<std::string> read_versioning(std::string_view xml);
/// GetObjectRetention: the end of a lock in compliance mode; nothing where it is another's.
Result<std::optional<Instant>> read_retention(std::string_view xml);
/// PutObjectRetention's.
std::string retention_request(Instant until);
/// An error's body; all empty where it is none.
S3Problem read_problem(std::string_view xml);

/// Whether XML 1.0 carries this key there and back unharmed: UTF-8 without control characters, U+FFFE and U+FFFF.
bool fits_xml(std::string_view key);
std::string delete_request(std::span<const KeyToDelete> keys);
std::string completion_request(std::span<const Part> parts);

}  // namespace steward::object
