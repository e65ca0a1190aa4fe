#include "io/object/directory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <mutex>
#include <set>
#include <utility>

#include "core/text.h"
#include "core/url.h"
#include "io/files/copy.h"
#include "io/files/folder.h"

namespace steward::object {
namespace {

using files::FileInfo;
using files::FileType;
using files::Folder;

bool is_temporary(std::string_view segment) { return segment.starts_with(files::temporary_prefix); }

/// What a path cannot be, before the file system is asked.
bool is_key(std::string_view key) {
  if (key.empty() || key.contains('\0')) return false;
  for (const std::string& segment : split(key, '/'))
    if (segment.empty() || segment == "." || segment == ".." || segment.size() > 255 || is_temporary(segment))
      return false;
  return true;
}

std::string folder_of(std::string_view key) {
  const std::size_t slash = key.rfind('/');
  return slash == std::string_view::npos ? std::string{} : std::string(key.substr(0, slash));
}

ObjectInfo info_from(std::string key, const FileInfo& file) {
  return {.key = std::move(key),
          .size = file.size,
          .modified = file.modified,
          .etag = fmt::format("{:x}-{:x}-{:x}-{:x}-{:x}", file.device, file.inode, file.size.count, file.modified_ns,
                              file.changed_ns)};
}

bool is_code(const Error& error, std::string_view code) { return error.code == code; }

class DirectoryStore final : public Store {
 public:
  DirectoryStore(Folder folder, std::string shown, const Clock& clock)
      : folder_(std::move(folder)), shown_(std::move(shown)), clock_(clock) {}

  const std::string& shown() const override { return shown_; }
  Result<std::string> identity() override {
    const FileInfo info = TRY(folder_.info());
    return fmt::format("directory:{:x}:{:x}", info.device, info.inode);
  }
  Result<Versioning> versioning() override { return Versioning::never; }
  Result<Features> features() override { return Features{.conditional_put = true}; }

  Result<ObjectInfo> head(std::string_view key) override {
    const FileInfo file = TRY(stat(key));
    return info_from(std::string(key), file);
  }
  Result<ObjectInfo> get(std::string_view key, Sink& sink) override { return get_from(key, 0, sink); }
  Result<ObjectInfo> get_from(std::string_view key, std::uint64_t from, Sink& sink) override;
  Result<ObjectInfo> put(std::string_view key, Source& content, const PutOptions& options) override;
  Result<void> remove(const Removal& removal) override;
  Result<std::vector<Removed>> remove_many(std::span<const Removal> removals) override;
  Result<void> list(std::string_view prefix, const std::function<Result<bool>(const ObjectInfo&)>& take) override;
  Result<void> list_versions(std::string_view prefix,
                             const std::function<Result<bool>(const ObjectVersion&)>& take) override {
    return list(prefix,
                [&](const ObjectInfo& info) { return take({.object = info, .latest = true, .marker = false}); });
  }
  Result<void> list_uploads(const std::function<Result<bool>(const Upload&)>& take) override;
  Result<void> abort_upload(const Upload& upload) override;
  Result<Instant> server_time() override { return clock_.now(); }
  Result<std::optional<Bytes>> room() override { return TRY(folder_.room()); }

 private:
  Result<FileInfo> stat(std::string_view key) const;
  Result<void> make_folder_of(std::string_view key, bool again);
  Result<Folder::Temporary> temporary_for(std::string_view key);
  Result<void> fill(const Folder::Temporary& temporary, Source& content, const PutOptions& options) const;
  std::unexpected<Error> not_there(std::string_view key) const {
    return fail(Kind::not_found, fmt::format("there is no {} in {}", printable(key), shown_));
  }
  std::unexpected<Error> no_key(std::string_view key, std::string_view why) const {
    return fail(Kind::bad_input, fmt::format("\"{}\" is no key for {}: {}", printable(key), shown_, why));
  }
  std::unexpected<Error> write_error(std::string_view key, Error error) const;

  Folder folder_;
  std::string shown_;
  const Clock& clock_;
  std::mutex mutex_{};
  std::set<std::string, std::less<>> durable_folders_{};  ///< Some of those that this process has made durable.
};

/// Of a regular file; not_found where there is none that is this store's.
Result<FileInfo> DirectoryStore::stat(std::string_view key) const {
  if (!is_key(key)) return not_there(key);
  auto info = folder_.stat(key);
  if (info && info->type == FileType::regular) return info;
  if (info) return not_there(key);
  const Error& error = info.error();
  const bool unreachable = error.kind == Kind::not_found || error.kind == Kind::bad_input || is_code(error, "outside");
  return unreachable ? Result<FileInfo>(not_there(key)) : info;
}

Result<ObjectInfo> DirectoryStore::get_from(std::string_view key, std::uint64_t from, Sink& sink) {
  TRY(stat(key));
  const files::Handle file = TRY(folder_.open_for_reading(key));
  // What was just written comes from the disk, not from memory. Where a file system cannot, the cache answers.
  fdatasync(file.fd());
  posix_fadvise(file.fd(), 0, 0, POSIX_FADV_DONTNEED);
  ObjectInfo info = TRY(head(key));
  if (from > 0 && from >= info.size.count)
    return fail(Kind::bad_input,
                fmt::format("cannot read {} in {} from byte {} on: it is shorter", printable(key), shown_, from));
  if (lseek(file.fd(), static_cast<off_t>(from), SEEK_SET) < 0)
    return fail(Kind::unavailable,
                fmt::format("cannot read {} in {}: {}", printable(key), shown_, std::strerror(errno)));
  files::FileSource source(file.fd());
  const files::Copied copied = TRY(files::copy(source, sink));
  info = TRY(head(key));
  if (copied.size + Bytes{from} != info.size)
    return fail(Kind::refused, fmt::format("{} in {} was overwritten while it was read", printable(key), shown_),
                "Read it again.", "changed");
  return info;
}

Result<void> DirectoryStore::make_folder_of(std::string_view key, bool again) {
  constexpr std::size_t most_remembered = 4'096;
  const std::string folder = folder_of(key);
  if (folder.empty()) return {};
  {
    const std::lock_guard lock(mutex_);
    if (!again && durable_folders_.contains(folder)) return {};
  }
  TRY(folder_.make_folders(folder));
  const std::lock_guard lock(mutex_);
  if (durable_folders_.size() >= most_remembered) durable_folders_.clear();
  durable_folders_.insert(folder);
  return {};
}

Result<Folder::Temporary> DirectoryStore::temporary_for(std::string_view key) {
  TRY(make_folder_of(key, false));
  auto temporary = folder_.temporary_beside(key);
  if (temporary || temporary.error().kind != Kind::not_found) return temporary;
  TRY(make_folder_of(key, true));  // somebody removed the folder that this process had made
  return folder_.temporary_beside(key);
}

Result<void> DirectoryStore::fill(const Folder::Temporary& temporary, Source& content,
                                  const PutOptions& options) const {
  files::FileSink sink(temporary.handle.fd());
  TRY(files::copy(content, sink));
  if (options.modified) {
    const auto since = options.modified->time_since_epoch();
    const auto seconds = std::chrono::floor<std::chrono::seconds>(since);
    const timespec time{.tv_sec = seconds.count(), .tv_nsec = std::chrono::nanoseconds(since - seconds).count()};
    const timespec times[2] = {time, time};
    if (futimens(temporary.handle.fd(), times) != 0)
      return fail(Kind::unavailable,
                  fmt::format("cannot set the time of a file in {}: {}", shown_, std::strerror(errno)));
  }
  return files::sync_file(temporary.handle.fd());
}

std::unexpected<Error> DirectoryStore::write_error(std::string_view key, Error error) const {
  if (is_code(error, "exists"))
    return fail(Kind::refused, fmt::format("cannot write {} in {}: it is there already", printable(key), shown_), "",
                "exists");
  if (is_code(error, "folder")) return no_key(key, "there is a folder of this name");
  if (is_code(error, "not-a-folder")) return no_key(key, "a file is where its folder would be");
  return std::unexpected(std::move(error));
}

Result<ObjectInfo> DirectoryStore::put(std::string_view key, Source& content, const PutOptions& options) {
  if (!is_key(key)) return no_key(key, "a directory cannot have a file of this name");
  if (options.locked_until)
    return fail(Kind::bad_input, fmt::format("{} is a folder: what is in it cannot be locked", shown_),
                "Leave object_lock out, or use a bucket that was made with object lock.");
  // Asked before the content is read: it may be long.
  if (options.only_if_absent && stat(key)) return write_error(key, {.code = "exists"});
  const auto there = options.if_etag.empty() ? Result<ObjectInfo>{} : head(key);
  if (!options.if_etag.empty() && (!there || there->etag != options.if_etag))
    return fail(
        Kind::refused,
        fmt::format("cannot write {} in {}: what is there is not what was to be replaced", printable(key), shown_), "",
        "changed");
  auto temporary = temporary_for(key);
  if (!temporary) return write_error(key, std::move(temporary).error());
  Result<void> done = fill(*temporary, content, options);
  if (done) done = folder_.rename(temporary->path, key, !options.only_if_absent);
  if (!done) {
    (void)folder_.unlink(temporary->path);  // the first error is the one to tell
    return write_error(key, std::move(done).error());
  }
  return head(key);
}

Result<void> DirectoryStore::remove(const Removal& removal) {
  const auto there = stat(removal.key);
  if (!there && there.error().kind == Kind::not_found) return {};
  if (!there) return std::unexpected(there.error());
  const ObjectInfo now = info_from(removal.key, *there);
  const bool other = !removal.etag.empty() && now.etag != removal.etag;
  const bool later = removal.not_modified_since && now.modified > *removal.not_modified_since;
  if (other || later)
    return fail(
        Kind::refused,
        fmt::format("cannot remove {} in {}: it has changed since it was looked at", printable(removal.key), shown_),
        "", "changed");
  return folder_.unlink(removal.key);
}

Result<std::vector<Removed>> DirectoryStore::remove_many(std::span<const Removal> removals) {
  std::vector<Removed> done;
  for (const Removal& removal : removals) {
    auto removed = remove(removal);
    done.push_back({removal.key, removed ? std::nullopt : std::optional(std::move(removed).error())});
  }
  return done;
}

/// Temporaries that nobody finished; of one that is being written, `begun` is its last write.
Result<void> DirectoryStore::list_uploads(const std::function<Result<bool>(const Upload&)>& take) {
  return folder_.walk(
      {.max_depth = 4'096},
      [&](const files::Found& found) -> Result<bool> {
        const std::string_view base = std::string_view(found.path).substr(found.path.rfind('/') + 1);
        if (!is_temporary(base)) return true;
        return take({.key = found.path, .id = found.path, .begun = found.info.modified});
      },
      [](const files::Unreadable&) {});
}

Result<void> DirectoryStore::abort_upload(const Upload& upload) {
  if (!is_temporary(std::string_view(upload.id).substr(upload.id.rfind('/') + 1)))
    return fail(Kind::bad_input, fmt::format("\"{}\" is no upload to {}", printable(upload.id), shown_));
  return folder_.unlink(upload.id);
}

Result<void> DirectoryStore::list(std::string_view prefix, const std::function<Result<bool>(const ObjectInfo&)>& take) {
  const std::string above = folder_of(prefix);
  if (!above.empty() && !is_key(above)) return {};
  std::optional<Folder> below;
  if (!above.empty()) {
    auto opened = folder_.subfolder(above);
    if (!opened && opened.error().kind == Kind::permission) return std::unexpected(opened.error());
    if (!opened) return {};  // no such folder, so no such keys
    below = std::move(*opened);
  } else if (prefix.starts_with('/')) {
    return {};
  }
  const std::string_view name = prefix.substr(above.empty() ? 0 : above.size() + 1);
  files::WalkOptions options{.max_depth = 4'096};
  options.enter = [&](std::string_view folder) {
    return folder.starts_with(name) && !is_temporary(folder.substr(folder.rfind('/') + 1));
  };
  std::optional<Error> unread;
  TRY((below ? *below : folder_)
          .walk(
              options,
              [&](const files::Found& found) -> Result<bool> {
                const std::string_view base = std::string_view(found.path).substr(found.path.rfind('/') + 1);
                if (!found.path.starts_with(name) || is_temporary(base)) return true;
                return take(info_from(above.empty() ? found.path : above + "/" + found.path, found.info));
              },
              [&](const files::Unreadable& unreadable) {
                if (!unread && !is_code(unreadable.error, "mount")) unread = unreadable.error;
              }));
  if (unread) return std::unexpected(*std::move(unread));
  return {};
}

}  // namespace

Result<std::unique_ptr<Store>> open_directory(const StoreTarget& target) {
  static const SystemClock system;
  const Url url = TRY(parse_url(target.url));
  if (url.scheme != "file" || !url.host.empty() || !url.path.starts_with('/') || !url.query.empty())
    return fail(Kind::bad_input, fmt::format("\"{}\" is not a folder", masked(target.url)),
                "Write it like file:///absolute/folder.");
  Folder folder = TRY(target.create ? Folder::create(url.path) : Folder::open(url.path));
  return std::make_unique<DirectoryStore>(std::move(folder), "file://" + printable(url.path),
                                          target.clock ? *target.clock : system);
}

}  // namespace steward::object
