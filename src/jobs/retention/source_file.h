/// The files that rows name, as the task on file rows needs them: looked at, copied, and removed without a race.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "core/result.h"
#include "io/files/folder.h"
#include "io/object/store.h"
#include "jobs/retention/location.h"
#include "jobs/retention/retention.h"
#include "run/manifest/manifest.h"

namespace steward::retention {

/// What a look at a file gave.
struct Seen {
  enum class As {
    there,
    missing,
    outside,
    otherwise,  ///< What the URL means is not there, and what it would mean undecoded is.
  } as = As::missing;
  Bytes size{};
};

/// What a copy gave.
struct CopiedFile {
  std::string copy{};  ///< The key in the archive.
  std::string sha256{};
  Bytes size{};
  bool made = false;                      ///< Else the archive had the same bytes under that key.
  std::optional<files::FileInfo> info{};  ///< Of a file, not of an object.
};

/// Files below a root and objects of buckets, by their location.
class SourceFiles {
 public:
  /// The root may be absent: then no file is there.
  static Result<SourceFiles> open(const std::string& root, const object::S3Settings& s3,
                                  const std::vector<UrlPrefix>& urls = {});

  const std::vector<std::string>& roots() const { return roots_; }
  Location locate(std::string_view stored) const { return retention::locate(stored, roots_, urls_); }
  /// "/srv/media/a.png" or "s3://bucket/key".
  std::string address(const Location& location) const;
  /// The location that an address of ours means.
  Location at(std::string_view address) const { return locate(address); }

  Result<Seen> look(const Location& location);
  /// Copies into the archive under `key`, or beside it where other bytes lie there. not_found where the file is gone;
  /// refused (code "changed") where it changed while it was copied. `tick` is called now and then: an error from it
  /// ends the copy.
  Result<CopiedFile> copy(const Location& location, const std::string& key, object::Store& archive,
                          const std::function<Result<void>()>& tick);

  /// Brings a copy back to where it was, with its mode, owner and mtime as far as this user may: durable, and never
  /// over something else. The same bytes there already are a success. refused (code "exists") where other bytes are
  /// there; corrupt where the copy has not this hash; refused (code "outside") where the place is outside the root.
  Result<void> bring_back(const Location& location, const manifest::Item& item, object::Store& archive);

  /// Moves a file aside to a name of its own ("a.png" -> ".steward-gone-TOKEN" in the same folder), without replacing.
  /// False where it is not there. Objects stay where they are: their removal is conditional.
  Result<bool> move_aside(const Location& location, const std::string& token);
  /// Removes what was moved aside (an object: on condition that it is unchanged) if its bytes have this hash. False
  /// where they have not: it is moved back. `kept_at` then says where it is, if its own name was taken meanwhile.
  Result<bool> remove_aside(const Location& location, const std::string& token, const std::string& sha256,
                            std::string& kept_at);
  /// Moves it back, if it was moved.
  Result<void> move_back(const Location& location, const std::string& token, std::string& kept_at);

 private:
  Result<Seen> look_at(const Location& location);
  Result<object::Store*> bucket(const std::string& name);
  Result<CopiedFile> copy_file(const Location& location, const std::string& key, object::Store& archive,
                               const std::function<Result<void>()>& tick);
  Result<CopiedFile> copy_object(const Location& location, const std::string& key, object::Store& archive,
                                 const std::function<Result<void>()>& tick);
  Result<bool> same_bytes_at(const Location& location, const std::string& sha256);
  Result<void> bring_file(const Location& location, const manifest::Item& item, object::Store& archive);
  Result<void> bring_object(const Location& location, const manifest::Item& item, object::Store& archive);
  Result<bool> remove_object(const Location& location, const std::string& sha256);

  std::optional<files::Folder> root_{};
  std::vector<std::string> roots_{};
  object::S3Settings s3_{};
  std::vector<UrlPrefix> urls_{};
  std::map<std::string, std::unique_ptr<object::Store>> buckets_{};
};

}  // namespace steward::retention
