#include "jobs/retention/source_file.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

#include "core/digest.h"
#include "core/text.h"
#include "io/files/attributes.h"
#include "io/files/copy.h"
#include "jobs/retention/needs.h"

namespace steward::retention {
namespace {

/// Hashes what passes, and asks `tick` now and then.
class HashingSource final : public Source {
 public:
  HashingSource(Source& from, const std::function<Result<void>()>& tick) : from_(from), tick_(tick) {}
  Result<std::size_t> read(std::span<std::byte> buffer) override {
    TRY(tick_());
    const std::size_t n = TRY(from_.read(buffer));
    hash_.update(buffer.first(n));
    size_ += Bytes{n};
    return n;
  }
  std::string sha256() { return hash_.finish_hex(); }
  Bytes size() const { return size_; }

 private:
  Source& from_;
  const std::function<Result<void>()>& tick_;
  Sha256 hash_{};
  Bytes size_{};
};

struct HashingSink final : Sink {
  Result<void> write(std::span<const std::byte> bytes) override {
    hash.update(bytes);
    size += Bytes{bytes.size()};
    return {};
  }
  Sha256 hash{};
  Bytes size{};
};

/// Hashes what passes on its way to `next`.
struct TeeHash final : Sink {
  explicit TeeHash(Sink& sink) : next(sink) {}
  Result<void> write(std::span<const std::byte> bytes) override {
    hash.update(bytes);
    return next.write(bytes);
  }
  Sink& next;
  Sha256 hash{};
};

std::unexpected<Error> not_as_archived(const object::Store& archive, const std::string& copy) {
  return fail(Kind::corrupt, fmt::format("{}/{} is not what was archived", archive.shown(), printable(copy)),
              "Nothing was restored from it. Bring that one back from a copy of the cold storage.");
}

void give_attributes(int fd, const manifest::Item& item) {
  files::give(fd, {.mode = item.mode, .owner = item.owner, .group = item.group, .modified = item.modified});
}

/// A Sink into a Source: what a store pushes lands in a temporary file that is read again. Objects move between stores
/// through it, in constant memory.
class Spool {
 public:
  static Result<Spool> create() {
    std::string name = "/var/tmp/.steward-spool-XXXXXX";
    const int fd = ::mkostemp(name.data(), 02000000 /* O_CLOEXEC */);
    if (fd < 0) return fail(Kind::unavailable, "no temporary file can be made in /var/tmp", "Make room there.");
    ::unlink(name.c_str());
    return Spool(files::Handle(fd));
  }
  files::FileSink sink() const { return files::FileSink(handle_.fd()); }
  /// At its beginning again.
  int rewound_fd() const {
    ::lseek(handle_.fd(), 0, SEEK_SET);
    return handle_.fd();
  }

 private:
  explicit Spool(files::Handle handle) : handle_(std::move(handle)) {}
  files::Handle handle_;
};

Result<std::string> hash_of(object::Store& store, std::string_view key) {
  HashingSink sink;
  TRY(store.get(key, sink));
  return sink.hash.finish_hex();
}

std::string folder_part(std::string_view path) {
  return std::string(path.substr(0, path.size() - base_name(path).size()));
}

std::string aside_of(const Location& location, const std::string& token) {
  return fmt::format("{}.steward-gone-{}", folder_part(location.path), token);
}

std::unexpected<Error> changed(const std::string& what) {
  return fail(Kind::refused, fmt::format("{} changed while it was copied", printable(what)),
              "It is tried again by the next run.", "changed");
}

/// Puts what `open` opens under `key`; where other bytes lie there, under a name with their hash; where the same do, it
/// is done.
Result<CopiedFile> put_apart(const std::function<Result<std::unique_ptr<Source>>()>& open, std::optional<Bytes> size,
                             const std::string& key, object::Store& archive,
                             const std::function<Result<void>()>& tick) {
  auto first = TRY(open());
  HashingSource source(*first, tick);
  auto put = archive.put(key, source, {.only_if_absent = true, .size = size});
  if (put) return CopiedFile{.copy = key, .sha256 = source.sha256(), .size = source.size(), .made = true};
  if (put.error().code != "exists") return std::unexpected(std::move(put).error());

  auto second = TRY(open());
  HashingSource whole(*second, tick);
  const files::Copied ours = TRY(files::hash(whole));
  if (TRY(hash_of(archive, key)) == ours.sha256)
    return CopiedFile{.copy = key, .sha256 = ours.sha256, .size = ours.size, .made = false};
  const std::string apart = copy_key_apart(key, ours.sha256);
  auto third = TRY(open());
  HashingSource again(*third, tick);
  auto beside = archive.put(apart, again, {.only_if_absent = true, .size = ours.size});
  if (beside) return CopiedFile{.copy = apart, .sha256 = again.sha256(), .size = again.size(), .made = true};
  if (beside.error().code != "exists") return std::unexpected(std::move(beside).error());
  if (TRY(hash_of(archive, apart)) == ours.sha256)
    return CopiedFile{.copy = apart, .sha256 = ours.sha256, .size = ours.size, .made = false};
  return fail(Kind::corrupt,
              fmt::format("{} in the archive does not have the bytes that its name says", printable(apart)),
              "Run `steward archive verify`.");
}

/// A file that stays open as long as its Source lives.
struct OpenFile final : Source {
  explicit OpenFile(files::Handle h) : handle(std::move(h)), source(handle.fd()) {}
  Result<std::size_t> read(std::span<std::byte> buffer) override { return source.read(buffer); }
  files::Handle handle;
  files::FileSource source;
};

struct Rewound final : Source {
  explicit Rewound(int fd) : source(fd) {}
  Result<std::size_t> read(std::span<std::byte> buffer) override { return source.read(buffer); }
  files::FileSource source;
};

}  // namespace

Result<SourceFiles> SourceFiles::open(const std::string& root, const object::S3Settings& s3,
                                      const std::vector<UrlPrefix>& urls) {
  SourceFiles files;
  files.s3_ = s3;
  files.urls_ = urls;
  if (root.empty()) return files;  // of rows without files: nothing is looked for
  files.roots_.push_back(root);
  auto folder = files::Folder::open(root);
  if (!folder && folder.error().kind != Kind::not_found) return std::unexpected(std::move(folder).error());
  if (folder) {
    files.root_ = *std::move(folder);
    if (files.root_->path() != root) files.roots_.push_back(files.root_->path());
  }
  return files;
}

std::string SourceFiles::address(const Location& location) const {
  if (location.place == Place::object) return fmt::format("s3://{}/{}", location.bucket, location.key);
  if (location.place == Place::file)
    return roots_.back() == "/" ? '/' + location.path : roots_.back() + '/' + location.path;
  return {};
}

Result<object::Store*> SourceFiles::bucket(const std::string& name) {
  auto& store = buckets_[name];
  if (store) return store.get();
  object::StoreTarget target{.url = "s3://" + name, .s3 = s3_};
  // The store that URLs lead to may have an endpoint and keys of its own. Manifests name what lies in it by its bucket.
  for (const UrlPrefix& url : urls_)
    if ((url.store.url + '/').starts_with(target.url + '/')) {
      target = url.store;
      target.url = "s3://" + name;
      break;
    }
  store = TRY(object::open(target));
  return store.get();
}

Result<Seen> SourceFiles::look(const Location& location) {
  const Seen seen = TRY(look_at(location));
  if (seen.as != Seen::As::missing) return seen;
  for (const std::string& address : location.otherwise)
    if (TRY(look_at(at(address))).as == Seen::As::there) return Seen{Seen::As::otherwise};
  return seen;
}

Result<Seen> SourceFiles::look_at(const Location& location) {
  using As = Seen::As;
  if (location.place == Place::object) {
    object::Store* store = TRY(bucket(location.bucket));
    const auto info = store->head(location.key);
    if (!info && info.error().kind == Kind::not_found) return Seen{As::missing};
    return Seen{As::there, TRY(info).size};
  }
  if (location.place != Place::file) return Seen{As::outside};
  if (!root_) return Seen{As::missing};
  for (const std::string& folder : location.folders_before_dotdot) {
    const auto info = root_->stat(folder);
    if (info && info->type != files::FileType::folder) return Seen{As::outside};
    if (!info && info.error().code == "outside") return Seen{As::outside};
  }
  const auto info = root_->stat(location.path);
  if (!info && info.error().kind == Kind::not_found) return Seen{As::missing};
  if (!info && info.error().code == "outside") return Seen{As::outside};
  const files::FileInfo found = TRY(info);
  if (found.type == files::FileType::symlink) return Seen{As::outside};
  if (found.type != files::FileType::regular) return Seen{As::missing};
  return Seen{As::there, found.size};
}

Result<CopiedFile> SourceFiles::copy(const Location& location, const std::string& key, object::Store& archive,
                                     const std::function<Result<void>()>& tick) {
  return location.place == Place::object ? copy_object(location, key, archive, tick)
                                         : copy_file(location, key, archive, tick);
}

Result<CopiedFile> SourceFiles::copy_file(const Location& location, const std::string& key, object::Store& archive,
                                          const std::function<Result<void>()>& tick) {
  if (!root_) return fail(Kind::not_found, fmt::format("{} is gone", printable(address(location))));
  const files::FileInfo before = TRY(root_->stat(location.path));
  const auto open = [&]() -> Result<std::unique_ptr<Source>> {
    return std::make_unique<OpenFile>(TRY(root_->open_for_reading(location.path)));
  };
  CopiedFile copied = TRY(put_apart(open, before.size, key, archive, tick));
  const auto after = root_->stat(location.path);
  if (!after || !after->same_as(before) || copied.size != before.size) return changed(address(location));
  copied.info = before;
  return copied;
}

Result<CopiedFile> SourceFiles::copy_object(const Location& location, const std::string& key, object::Store& archive,
                                            const std::function<Result<void>()>& tick) {
  object::Store* store = TRY(bucket(location.bucket));
  const Spool spool = TRY(Spool::create());
  files::FileSink sink = spool.sink();
  const object::ObjectInfo info = TRY(store->get(location.key, sink));
  const auto open = [&]() -> Result<std::unique_ptr<Source>> { return std::make_unique<Rewound>(spool.rewound_fd()); };
  return put_apart(open, info.size, key, archive, tick);
}

Result<bool> SourceFiles::same_bytes_at(const Location& location, const std::string& sha256) {
  if (location.place == Place::object) {
    object::Store* store = TRY(bucket(location.bucket));
    return TRY(hash_of(*store, location.key)) == sha256;
  }
  const files::Handle handle = TRY(root_->open_for_reading(location.path));
  files::FileSource source(handle.fd());
  return TRY(files::hash(source)).sha256 == sha256;
}

Result<void> SourceFiles::bring_back(const Location& location, const manifest::Item& item, object::Store& archive) {
  const Seen seen = TRY(look(location));
  if (seen.as == Seen::As::outside) return fail(Kind::refused, "its file's place is outside the root", "", "outside");
  if (seen.as == Seen::As::there) {
    if (TRY(same_bytes_at(location, item.sha256))) return {};
    return fail(Kind::refused, fmt::format("another file is at {}", printable(address(location))),
                "Move it away, then restore again.", "exists");
  }
  return location.place == Place::object ? bring_object(location, item, archive) : bring_file(location, item, archive);
}

Result<void> SourceFiles::bring_file(const Location& location, const manifest::Item& item, object::Store& archive) {
  if (!root_) root_ = TRY(files::Folder::create(roots_.front()));
  if (const std::string folder = folder_part(location.path); !folder.empty())
    TRY(root_->make_folders(folder.substr(0, folder.size() - 1)));
  const auto temporary = TRY(root_->temporary_beside(location.path));
  const auto write = [&]() -> Result<void> {
    files::FileSink file(temporary.handle.fd());
    TeeHash tee(file);
    TRY(archive.get(item.copy, tee));
    if (tee.hash.finish_hex() != item.sha256) return not_as_archived(archive, item.copy);
    give_attributes(temporary.handle.fd(), item);
    TRY(files::sync_file(temporary.handle.fd()));
    return root_->rename(temporary.path, location.path, false);
  };
  auto written = write();
  if (!written) (void)root_->unlink(temporary.path);
  return written;
}

Result<void> SourceFiles::bring_object(const Location& location, const manifest::Item& item, object::Store& archive) {
  const Spool spool = TRY(Spool::create());
  files::FileSink file = spool.sink();
  TeeHash tee(file);
  const object::ObjectInfo info = TRY(archive.get(item.copy, tee));
  if (tee.hash.finish_hex() != item.sha256) return not_as_archived(archive, item.copy);
  object::Store* store = TRY(bucket(location.bucket));
  files::FileSource source(spool.rewound_fd());
  TRY(store->put(location.key, source, {.only_if_absent = true, .size = info.size}));
  return {};
}

Result<bool> SourceFiles::move_aside(const Location& location, const std::string& token) {
  if (location.place == Place::object) return TRY(look(location)).as == Seen::As::there;
  if (!root_) return false;
  const std::string aside = aside_of(location, token);
  if (root_->stat(aside)) return true;  // an earlier run died just here
  const Seen seen = TRY(look(location));
  if (seen.as == Seen::As::outside)
    return fail(Kind::refused, fmt::format("{} is no longer a plain file", printable(address(location))), "",
                "outside");
  if (seen.as != Seen::As::there) return false;
  auto moved = root_->rename(location.path, aside, false);
  if (!moved && moved.error().kind == Kind::not_found) return false;
  TRY(moved);
  return true;
}

Result<void> SourceFiles::move_back(const Location& location, const std::string& token, std::string& kept_at) {
  if (location.place == Place::object || !root_) return {};
  const std::string aside = aside_of(location, token);
  auto moved = root_->rename(aside, location.path, false);
  if (moved || moved.error().kind == Kind::not_found) return {};
  if (moved.error().code == "exists") {
    kept_at = root_->path() + '/' + aside;
    return {};
  }
  return moved;
}

Result<bool> SourceFiles::remove_object(const Location& location, const std::string& sha256) {
  object::Store* store = TRY(bucket(location.bucket));
  HashingSink sink;
  const auto got = store->get(location.key, sink);
  if (!got && got.error().kind == Kind::not_found) return true;
  const object::ObjectInfo info = TRY(got);
  if (sink.hash.finish_hex() != sha256) return false;
  const auto removed = store->remove({.key = location.key, .etag = info.etag});
  if (!removed && removed.error().code == "changed") return false;
  TRY(removed);
  return true;
}

Result<bool> SourceFiles::remove_aside(const Location& location, const std::string& token, const std::string& sha256,
                                       std::string& kept_at) {
  if (location.place == Place::object) return remove_object(location, sha256);
  const std::string aside = aside_of(location, token);
  {
    const files::Handle handle = TRY(root_->open_for_reading(aside));
    files::FileSource source(handle.fd());
    const files::Copied found = TRY(files::hash(source));
    if (found.sha256 != sha256) {
      TRY(move_back(location, token, kept_at));
      return false;
    }
  }
  TRY(root_->unlink(aside));
  return true;
}

}  // namespace steward::retention
