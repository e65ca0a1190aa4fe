/// The one byte-store interface: S3 and directories.
///
///   auto store = TRY(object::open({.url = "s3://shots/cold"}));
///   TRY(store->put("mockups/2024/11/17-a.png", source, {.only_if_absent = true}));
///
/// A store is rooted at the prefix or folder of its URL: keys are relative to it, and `list("")` gives only what is
/// below it.
///
/// Promises  - What `put` has answered is durable and whole: no reader ever sees a part of it, under its name or as a
/// leftover
///             that `list` shows. A directory writes under a temporary name, fsyncs, renames, fsyncs the folder.
///           - Memory is constant, whatever the size of an object or the number of keys.
///           - What may help is tried again (connection lost, 500, 503 SlowDown) with exponential back-off and jitter,
///           up to
///             `attempts`; a Source is asked for its bytes once, so parts are buffered for this.
///           - A server that asks for fewer requests gets fewer: removals pause, and go on with half as many at once.
///           - Removing what is not there is a success.
/// Errors    - not_found: no such key (message names it), no such bucket or folder. permission: 403, EACCES, object
/// lock.
///           - refused (code "exists"): `only_if_absent`, and it is there. refused (code "changed"): a condition did
///           not hold.
///           - bad_input: a URL that is none; to `put` a key that this store cannot have (see Features). To `head` and
///           `get` such a key is not there, and its removal is a success.
///           - unavailable: no answer after all attempts, no space. corrupt: the bytes do not match their checksum.
/// Threads   A store may be used from several threads at once.
#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/bytes.h"
#include "core/instant.h"
#include "core/result.h"
#include "core/secret.h"
#include "core/stream.h"

namespace steward::object {

/// What `list` and `head` know of an object.
struct ObjectInfo {
  std::string key{};  ///< Relative to the store's root. Any bytes that the store allows.
  Bytes size{};
  Instant modified{};  ///< S3: LastModified. Directory: mtime.
  std::string etag{};  ///< Changes when the content does. S3: as sent, with its quotes. Directory: device, inode, size
                       ///< and times.
  std::string version_id{};  ///< Empty where there are no versions.
  /// S3: when the page of the listing that it comes from was asked for. What is newer than that may not be in it.
  std::optional<std::chrono::steady_clock::time_point> listed{};
};

/// What this store can do. Asked for by callers and by the contract tests, so that nobody switches on a kind of store.
struct Features {
  bool any_key = false;          ///< Keys with "//", "." and ".." segments, leading or trailing "/", any UTF-8 but NUL.
  bool conditional_put = false;  ///< `only_if_absent` is the server's own act, not a look before it. (For what goes up
                                 ///< in parts it may still be a look, just before the last act.)
  bool conditional_replace = false;  ///< A put's `if_etag` likewise.
  bool conditional_remove = false;   ///< A removal's `etag` likewise.
  bool versions = false;             ///< Versioning is on: a removal leaves the bytes as a noncurrent version.
  bool was_versioned = false;        ///< Versioning is or was on (suspended): older versions may lie there.
  bool probed = true;  ///< False: no right to write a probe. What a probe would have shown counts as absent.
};

/// Whether a removal leaves the bytes. Once on, versioning can only be suspended: older versions may lie there for
/// ever.
enum class Versioning { never, suspended, enabled };

struct PutOptions {
  bool only_if_absent = false;
  std::string if_etag{};  ///< If not empty: only in the place of the object that has it (where the store can; else a
                          ///< fresh `head` just before). Not with `only_if_absent`.
  std::optional<Bytes> size{};  ///< If known: avoids a multipart upload for what fits one request.
  /// If guessed, and rather too much than too little: what goes up in parts has few enough of them, all of one size.
  std::optional<Bytes> about{};
  std::optional<Instant> modified{};  ///< Directory only: the file's mtime.
  /// S3 alone, and a bucket with object lock alone: until then nobody can remove it (compliance mode). bad_input where
  /// there is no such thing.
  std::optional<Instant> locked_until{};
};

/// One removal, and what became of it.
struct Removal {
  std::string key{};
  std::string
      etag{};  ///< If not empty: only if it is still this (where the store can; else a fresh `head` just before).
  /// ObjectInfo's, of the listing that gave the etag. Where the server cannot check it at all, no second look is taken
  /// if that is less than a minute ago when the removal begins.
  std::optional<std::chrono::steady_clock::time_point> listed{};
  std::optional<Instant> not_modified_since{};  ///< If given: only if its modification time is not later than this.
  std::string version_id{};  ///< If not empty: this version alone, and for good. Not with a condition.
  /// Of a version: only while it is not the current one, by a fresh look just before (no server can compare that).
  bool noncurrent = false;
};
struct Removed {
  std::string key{};
  std::optional<Error> error{};  ///< Empty: gone (or it was not there).
};

/// A version of an object, or a delete marker, which stands for "it is gone".
struct ObjectVersion {
  ObjectInfo object{};  ///< With its version_id; "null" where it was written without versions. A marker has no bytes.
  bool latest = false;  ///< The current one: what `head` and `get` see, or the marker that hides what is older.
  bool marker = false;
};

/// The keys behind `after` (none: from the first on), up to and with `last` (none: to the end), by their bytes.
struct KeyRange {
  std::optional<std::string> after{}, last{};
  bool is_whole() const { return !after && !last; }
  bool has(std::string_view key) const { return (!after || key > *after) && (!last || key <= *last); }
};

/// How a listing by ranges went.
enum class Ranged {
  whole,
  stopped,    ///< As `take` wanted.
  unordered,  ///< The server's order is another: what was given may not be all of it. Begin anew with `list`.
};

/// An upload that was begun and never finished; its parts are stored and paid for.
struct Upload {
  std::string key{};
  std::string id{};
  Instant begun{};
};

class Store {
 public:
  virtual ~Store() = default;

  /// Without credentials: "s3://bucket/prefix", "file:///absolute/folder".
  virtual const std::string& shown() const = 0;
  /// Names this place: endpoint, bucket and prefix, or device and inode of the folder.
  virtual Result<std::string> identity() = 0;
  /// Asks the server once (conditional writes are probed under `.steward-probe-…`, which is removed again) and
  /// remembers.
  virtual Result<Features> features() = 0;
  /// Only asks, and writes nothing: for plans.
  virtual Result<Versioning> versioning() = 0;

  virtual Result<ObjectInfo> head(std::string_view key) = 0;
  /// Sends the content into `sink`. A directory reads past the page cache where the kernel lets it.
  virtual Result<ObjectInfo> get(std::string_view key, Sink& sink) = 0;
  /// The same without the first `from` bytes. A `sink` that has enough ends it by an error of its own. bad_input where
  /// the object has no such byte.
  virtual Result<ObjectInfo> get_from(std::string_view key, std::uint64_t from, Sink& sink) = 0;
  /// Replaces what is there unless told otherwise. `modified` of the answer is about now; `head` knows it exactly.
  virtual Result<ObjectInfo> put(std::string_view key, Source& content, const PutOptions& options = {}) = 0;
  /// One object less. Gone already is a success.
  virtual Result<void> remove(const Removal& removal) = 0;
  /// Many at once; the answer has one entry for each, in order. S3: DeleteObjects of up to 1,000 (Content-MD5 as it
  /// asks), errors inside a 200 answer read, what may help retried one by one; keys that XML 1.0 cannot carry by single
  /// DELETE; an etag is checked by the server where it can (`conditional_remove`), else by a fresh `head`. An error of
  /// the call as a whole: nothing is known to be removed.
  virtual Result<std::vector<Removed>> remove_many(std::span<const Removal> removals) = 0;
  /// All objects whose key begins with `prefix` (bytes, not folders), in no promised order. `take` returns false to
  /// stop early, and may remove what it is given. An object whose key the server's listing mangles (control characters,
  /// where it ignores encoding-type) is left out, since nobody could name it.
  virtual Result<void> list(std::string_view prefix, const std::function<Result<bool>(const ObjectInfo&)>& take) = 0;
  /// The same, of those of `keys`, by several requests at once, each over a range of the keys, where the store lists in
  /// the order of their bytes (key_ranges.h). `take` is called by one at a time, in this thread. What is written
  /// meanwhile may be left out.
  virtual Result<Ranged> list_by_ranges(std::string_view prefix, const KeyRange& keys,
                                        const std::function<Result<bool>(const ObjectInfo&)>& take) {
    bool stopped = false;
    TRY(list(prefix, [&](const ObjectInfo& object) -> Result<bool> {
      stopped = keys.has(object.key) && !TRY(take(object));
      return !stopped;
    }));
    return stopped ? Ranged::stopped : Ranged::whole;
  }
  /// Whether list_by_ranges asks the server for no other keys than those of its range, as far as it keeps their order.
  virtual bool lists_ranges() const { return false; }
  /// All versions and delete markers whose key begins with `prefix`: those of one key one after another, the newest
  /// first, however many there are; each once. A store that has no versions gives its objects, each the latest, with no
  /// version_id. corrupt where a server lists in another order: what is current could not be told.
  virtual Result<void> list_versions(std::string_view prefix,
                                     const std::function<Result<bool>(const ObjectVersion&)>& take) = 0;
  virtual Result<void> list_uploads(const std::function<Result<bool>(const Upload&)>& take) = 0;
  virtual Result<void> abort_upload(const Upload& upload) = 0;
  /// The server's clock, from its Date header; a directory: this machine's.
  virtual Result<Instant> server_time() = 0;
  /// What the server said when it last asked for fewer removals at once ("SlowDown: …"); nothing where it never has.
  /// They wait for one another then, and go on more slowly.
  virtual std::optional<std::string> asked_for_less() const { return std::nullopt; }
  /// Room left, where there is such a thing.
  virtual Result<std::optional<Bytes>> room() = 0;
};

/// Where an S3 request goes and how it is signed, beside the URL.
struct S3Settings {
  std::string endpoint{};     ///< "http://127.0.0.1:9000". Empty: AWS's own for the region. From AWS_ENDPOINT_URL_S3,
                              ///< AWS_ENDPOINT_URL.
  std::string region{};       ///< Empty: AWS_REGION, AWS_DEFAULT_REGION, the profile, "us-east-1".
  bool virtual_host = false;  ///< bucket.endpoint/key; else endpoint/bucket/key. Without an endpoint always virtual,
                              ///< unless the name has a dot.
  std::string ca_file{};      ///< PEM of a private CA; AWS_CA_BUNDLE.
  unsigned most_parts = 0;    ///< That an upload may have on this server; 0: 10,000, as AWS allows.
  std::string access_key{};   ///< If empty: AWS's chain (see credentials.h).
  Secret secret_key{};
  Secret session_token{};
};

struct StoreTarget {
  std::string url{};  ///< s3://bucket[/prefix], file:///folder. A bare bucket name or a path is for the caller to turn
                      ///< into one.
  bool create = false;  ///< Directory: make the folder (0700) if it is absent.
  S3Settings s3{};
  std::string agent = "steward";  ///< User-Agent: "steward/0.1 run/20261123T030000Z-4f2a91".
  int attempts = 5;
  const Clock* clock = nullptr;  ///< For signing; the machine's if null. S3's answer to a skewed clock is an error that
                                 ///< says by how much.
};

/// Opens a store. Does not speak to the server yet; a directory has to be there (not_found) unless `create`.
Result<std::unique_ptr<Store>> open(const StoreTarget& target);

}  // namespace steward::object
