#include "jobs/rotation/rotator.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

#include "core/text.h"
#include "io/files/attributes.h"
#include "io/files/front.h"
#include "jobs/rotation/copies.h"
#include "jobs/rotation/reopen.h"

namespace steward::rotation {
namespace {

using namespace std::chrono_literals;

// How long a writer that was told to reopen its logs is waited for, so that they can be compressed tonight.
constexpr auto patience = 10s;
constexpr auto between_looks = 50ms;

Result<files::FileInfo> info_of(int fd) {
  struct stat found{};
  if (::fstat(fd, &found) != 0)
    return fail(Kind::unavailable, fmt::format("cannot look at a log: {}", strerror(errno)));
  return files::FileInfo{.size = {static_cast<std::uint64_t>(found.st_size)},
                         .device = found.st_dev,
                         .inode = found.st_ino,
                         .mode = found.st_mode,
                         .owner = found.st_uid,
                         .group = found.st_gid};
}

bool goes_on(const Error& error) { return error.kind != Kind::interrupted; }

std::string of_folder(std::string_view folder, std::string_view name) {
  return folder.empty() ? std::string(name) : fmt::format("{}/{}", folder, name);
}

/// Removes it if it still is what was found and nobody has it open; false where it stays.
Result<bool> remove_if_free(const files::Folder& folder, const files::Found& found) {
  files::FoundFiles files(folder, 1);
  const std::array<const files::Found*, 1> all{&found};
  const auto answers = files.remove(all, 1s);
  if (!answers.front()) return std::unexpected(answers.front().error());
  return *answers.front() == files::Standing::free;
}

}  // namespace

Rotator::Rotator(const Policy& policy, const std::string& task, const files::Folder& logs, const files::Folder& archive,
                 RunContext& run)
    : policy_(policy),
      task_(task),
      logs_(logs),
      archive_(archive),
      run_(run),
      at_(run.clock().now()),
      list_(run, task) {}

Result<void> Rotator::take(std::vector<JudgedLog>& batch) {
  TRY(run_.checkpoint("rotate-logs: batch"));
  TRY(list_renames(batch));
  TRY(run_.checkpoint("rotate-logs: listed"));
  for (const JudgedLog& log : batch) {
    auto done = one(log);
    if (!done && !goes_on(done.error())) return std::unexpected(std::move(done).error());
    if (!done) {
      run_.skip("could not be rotated", log.log.path);
      told(printable(log.log.path), std::move(done).error());
    } else if (*done) {
      run_.done(1, *done);
    }
  }
  return sync_folders();
}

/// What is renamed stands on the list before the first of a batch is, with one sync for all of them.
Result<void> Rotator::list_renames(const std::vector<JudgedLog>& batch) {
  for (const JudgedLog& log : batch) {
    if (log.decision.way != Way::rename) continue;
    list_.moves(log.log.path, TRY(free_name(log.log.path)), log.log.size);
  }
  return list_.flush();
}

void Rotator::told(std::string_view what, Error error) {
  run_.note(Level::error, fmt::format("{}: {}", what, error.message));
  if (problems_++ == 0) first_problem_ = std::move(error);
}

Result<void> Rotator::problem() const {
  if (!first_problem_) return {};
  Error error = *first_problem_;
  if (problems_ > 1)
    error.message = fmt::format("{} logs could not be rotated; the first: {}", problems_, error.message);
  return std::unexpected(std::move(error));
}

Result<std::optional<Bytes>> Rotator::one(const JudgedLog& log) {
  switch (log.decision.way) {
    case Way::leave: return std::nullopt;
    case Way::rename: return rename(log);
    case Way::cut:
    case Way::copytruncate:
    case Way::move: return copy_away(log);
  }
  return std::nullopt;
}

Result<std::string> Rotator::free_name(std::string_view log) {
  ArchiveName name{.log = std::string(base_of(log)), .at = at_};
  for (;; ++name.number) {
    bool taken = false;
    // A compressed one has the name, too.
    for (const char* suffix : {"", ".gz", ".zst"}) {
      name.compressed = suffix;
      const auto there = archive_.stat(of_folder(parent_of(log), name_of(name)));
      if (!there && there.error().kind != Kind::not_found) return std::unexpected(there.error());
      taken |= there.has_value();
    }
    name.compressed.clear();
    if (!taken) return of_folder(parent_of(log), name_of(name));
  }
}

/// Folders of the archive have the owner and mode of those whose logs they take.
Result<void> Rotator::make_room_for(std::string_view log) {
  const std::string_view above = parent_of(log);
  if (above.empty() || made_.contains(std::string(above))) return {};
  TRY(archive_.make_folders(above));
  for (std::string_view rest = above; !rest.empty(); rest = parent_of(rest)) {
    const files::Folder made = TRY(archive_.subfolder(rest));
    const files::FileInfo like = TRY(TRY(logs_.subfolder(rest)).info());
    files::give(made.fd(), {.mode = like.mode & 07777U, .owner = like.owner, .group = like.group});
    made_.insert(std::string(rest));
  }
  return {};
}

Result<std::optional<Bytes>> Rotator::rename(const JudgedLog& log) {
  TRY(make_room_for(log.log.path));
  const std::string to = TRY(free_name(log.log.path));
  const auto moved = logs_.move(log.log.path, archive_, to, false, files::Durable::later);
  if (!moved && moved.error().kind == Kind::not_found) {
    run_.skip("gone since it was found", log.log.path);
    return std::nullopt;
  }
  if (!moved) return std::unexpected(moved.error());
  changed_.insert(std::string(parent_of(log.log.path)));
  if (log.decision.reopen) to_reopen_.push_back(to);
  if (policy_.create) TRY(put_new_log(log));
  TRY(run_.checkpoint("rotate-logs: renamed"));
  return log.log.size;
}

Result<void> Rotator::put_new_log(const JudgedLog& log) {
  const files::Folder::Temporary made = TRY(logs_.temporary_beside(log.log.path));
  files::give(made.handle.fd(),
              {.mode = log.file.info.mode & 07777U, .owner = log.file.info.owner, .group = log.file.info.group});
  const auto named = logs_.move(made.path, logs_, log.log.path, false, files::Durable::later);
  if (named) return {};
  TRY(logs_.unlink(made.path, files::Durable::later));
  // Its writer was faster: that is its log.
  return named.error().code == "exists" ? Result<void>{} : std::unexpected(named.error());
}

Result<std::optional<Bytes>> Rotator::copy_away(const JudgedLog& log) {
  // There is one record, and it is still of a log that was not brought to its end.
  if (unsettled_) return fail(Kind::unavailable, "left for the next run, which first settles the log before it");
  const Way way = log.decision.way;
  files::Handle original =
      TRY(way == Way::move ? logs_.open_for_reading(log.log.path) : logs_.open_for_changing(log.log.path));
  const files::FileInfo info = TRY(info_of(original.fd()));
  if (info.device != log.file.info.device || info.inode != log.file.info.inode) {
    run_.skip("changed since it was found", log.log.path);
    return std::nullopt;
  }
  const Bytes count = way == Way::cut ? files::cuttable(original.fd(), info.size) : info.size;
  if (count.count == 0) {
    run_.skip("emptied since it was found", log.log.path);
    return std::nullopt;
  }
  TRY(make_room_for(log.log.path));
  Record record{.way = way,
                .log = log.log.path,
                .archive = TRY(free_name(log.log.path)),
                .device = info.device,
                .inode = info.inode,
                .size = count,
                .place = way == Way::cut ? files::place_of_front(original.fd()) : std::nullopt};
  const Copy copy = TRY(copy_front(original.fd(), log.file.info, count, archive_, record.archive, run_));
  record.sha256 = copy.what.sha256;
  list_.moves(record.log, record.archive, count);
  TRY(list_.flush());
  TRY(run_.checkpoint("rotate-logs: copied"));
  unsettled_ = true;
  TRY(write_record(archive_, task_, record));
  TRY(run_.checkpoint("rotate-logs: recorded"));
  TRY(archive_.rename(copy.file.path, record.archive, false));
  TRY(run_.checkpoint("rotate-logs: archived"));
  // A handle of ours would count as somebody who has it open.
  if (way == Way::move) original = files::Handle();
  const bool taken = TRY(take_original(log, original.fd(), record));
  TRY(run_.checkpoint("rotate-logs: taken"));
  if (!taken) TRY(archive_.unlink(record.archive));
  TRY(erase_record(archive_, task_));
  unsettled_ = false;
  return taken ? std::optional(count) : std::nullopt;
}

/// The copy is there: the original's part of it goes. False where it has to stay after all, and the copy has to go.
Result<bool> Rotator::take_original(const JudgedLog& log, int original, const Record& record) {
  if (record.way == Way::copytruncate) {
    TRY(empty(original, record));
    return true;
  }
  if (record.way == Way::cut) {
    const auto cut = files::cut_front(original, record.size);
    if (cut) return true;
    // Nothing has changed: the file system cannot, whatever its kind.
    run_.skip("its file system would not cut it", log.log.path);
    run_.note(Level::warning, cut.error().message);
    return false;
  }
  if (TRY(remove_if_free(logs_, log.file))) return true;
  run_.skip("open, or written to, while it was copied", log.log.path);
  return false;
}

/// What came behind the copied part is added to the archive until hardly anything is left, then the log is emptied.
Result<void> Rotator::empty(int original, const Record& record) {
  const files::Handle archived = TRY(archive_.open_for_changing(record.archive));
  if (::lseek(archived.fd(), 0, SEEK_END) < 0) return fail(Kind::bug, "an archive has no end");
  std::vector<std::byte> piece(64 << 10);
  auto at = static_cast<off_t>(record.size.count);
  files::FileSink sink(archived.fd());
  std::chrono::steady_clock::time_point last_look{};
  for (;;) {
    last_look = std::chrono::steady_clock::now();
    const ssize_t n = ::pread(original, piece.data(), piece.size(), at);
    if (n < 0)
      return fail(Kind::unavailable, fmt::format("cannot read {}: {}", printable(record.log), strerror(errno)));
    if (n == 0) break;
    TRY(sink.write(std::span(piece).first(static_cast<std::size_t>(n))));
    at += n;
  }
  if (::ftruncate(original, 0) != 0)
    return fail(Kind::unavailable, fmt::format("cannot empty {}: {}", printable(record.log), strerror(errno)));
  const auto window = std::chrono::steady_clock::now() - last_look;
  TRY(files::sync_file(archived.fd()));
  run_.note(
      Level::info,
      fmt::format("{}: between the last look and the emptying there were {} microseconds, and what was written in "
                  "them is lost",
                  printable(record.log), std::chrono::ceil<std::chrono::microseconds>(window).count()));
  return {};
}

Result<void> Rotator::sync_folders() {
  for (const std::string& folder : changed_) {
    TRY(archive_.sync(folder));
    TRY(logs_.sync(folder));
  }
  changed_.clear();
  return {};
}

Result<void> Rotator::end() {
  TRY(sync_folders());
  if (!to_reopen_.empty() && policy_.reopen) {
    TRY(run_.checkpoint("rotate-logs: before reopen"));
    if (auto asked = ask_to_reopen(*policy_.reopen); !asked) told(policy_.folder, std::move(asked).error());
  }
  if (policy_.compression == Compression::none) return {};
  TRY(wait_for_reopened());
  return compress();
}

/// A writer opens its logs anew at its own pace; what it still has open is compressed by the next run.
Result<void> Rotator::wait_for_reopened() {
  files::FoundFiles files(archive_, 1);
  const auto until = std::chrono::steady_clock::now() + patience;
  for (const std::string& path : to_reopen_) {
    while (std::chrono::steady_clock::now() < until) {
      auto info = archive_.stat(path);
      if (!info) break;
      const files::Found found{.path = path, .info = *info};
      const std::array<const files::Found*, 1> all{&found};
      if (files.look(all).front() != files::Standing::in_use) break;
      TRY(run_.checkpoint("rotate-logs: waiting for the writer"));
      std::this_thread::sleep_for(between_looks);
    }
  }
  return {};
}

Result<void> Rotator::compress() {
  const std::string suffix(suffix_of(policy_.compression));
  files::FoundFiles files(archive_, 1);
  std::uint64_t open = 0;
  TRY(archive_.walk({}, [&](const files::Found& found) -> Result<bool> {
    const auto name = parse_archive_name(base_of(found.path));
    if (!name || !name->compressed.empty()) return true;
    TRY(run_.checkpoint("rotate-logs: before compressing"));
    // A hold names it as it is called now.
    if (TRY(run_.holds())->covers_file(of_folder(archive_.path(), found.path))) return true;
    const std::array<const files::Found*, 1> all{&found};
    if (files.look(all).front() != files::Standing::free) {
      ++open;
      return true;
    }
    auto copy = compressed(archive_, found.path, policy_.compression, run_);
    if (!copy) {
      if (!goes_on(copy.error())) return std::unexpected(std::move(copy).error());
      told(printable(found.path), std::move(copy).error());
      return true;
    }
    TRY(run_.checkpoint("rotate-logs: compressed"));
    // One that lies there was left by a run that died before it removed the original, which is still there.
    TRY(archive_.rename(copy->file.path, found.path + suffix, true));
    TRY(run_.checkpoint("rotate-logs: compressed copy named"));
    if (!TRY(remove_if_free(archive_, found))) {
      // Somebody has opened or changed it meanwhile: it stays as it is, for the next run.
      TRY(archive_.unlink(found.path + suffix));
      ++open;
    }
    return true;
  }));
  if (open > 0)
    run_.note(Level::info,
              fmt::format("{} archives stay uncompressed, because they are open or nobody can tell", open));
  return {};
}

Result<void> Rotator::recover() {
  TRY(remove_leftovers());
  if (const std::optional<Record> record = TRY(read_record(archive_, task_))) {
    TRY(settle(*record));
    TRY(run_.checkpoint("rotate-logs: recovered"));
    TRY(erase_record(archive_, task_));
  }
  return policy_.reopen ? tell_late_writers() : Result<void>{};
}

Result<void> Rotator::settle(const Record& record) {
  const std::string log = printable(record.log), copy = printable(record.archive);
  switch (remedy(record, TRY(aftermath(record)))) {
    case Remedy::nothing: return {};
    case Remedy::finish:
      run_.note(Level::info, fmt::format("{}: an earlier run died before it took what {} has; done now", log, copy));
      if (record.way == Way::cut) {
        const files::Handle original = TRY(logs_.open_for_changing(record.log));
        return files::cut_front(original.fd(), record.size);
      }
      if (TRY(remove_if_free(logs_, {.path = record.log, .info = TRY(logs_.stat(record.log))}))) return {};
      return archive_.unlink(record.archive);
    case Remedy::undo:
      run_.note(Level::info, fmt::format("{}: an earlier run died; its copy {} goes, the log has it all", log, copy));
      return archive_.unlink(record.archive);
    case Remedy::both:
      run_.note(Level::warning,
                fmt::format("{}: an earlier run died; nobody can tell whether the log still has what {} "
                            "has, so lines may be there twice",
                            log, copy));
      return {};
  }
  return {};
}

Result<Aftermath> Rotator::aftermath(const Record& record) {
  Aftermath found;
  const auto copy = archive_.stat(record.archive);
  if (!copy && copy.error().kind != Kind::not_found) return std::unexpected(copy.error());
  found.archived = copy && copy->size >= record.size;
  const auto log = logs_.open_for_reading(record.log);
  if (!log && log.error().kind == Kind::not_found) return found;
  if (!log) return std::unexpected(log.error());
  const files::FileInfo info = TRY(info_of(log->fd()));
  found.same_log = info.device == record.device && info.inode == record.inode && info.size >= record.size;
  found.grown = info.size > record.size;
  found.place = files::place_of_front(log->fd());
  if (found.same_log) found.same_front = TRY(hash_of_front(log->fd(), record.size)) == record.sha256;
  return found;
}

/// Temporaries of runs that died; the locks keep all others away.
Result<void> Rotator::remove_leftovers() {
  std::vector<std::string> left;
  TRY(archive_.walk({}, [&](const files::Found& found) -> Result<bool> {
    if (base_of(found.path).starts_with(files::temporary_prefix)) left.push_back(found.path);
    return true;
  }));
  for (const std::string& path : left) TRY(archive_.unlink(path, files::Durable::later));
  return {};
}

/// Those whose logs were renamed by a run that died before it told them.
Result<void> Rotator::tell_late_writers() {
  files::FoundFiles files(archive_, 1);
  bool open = false;
  const Instant recent = run_.clock().now() - std::chrono::hours{25};
  TRY(archive_.walk({}, [&](const files::Found& found) -> Result<bool> {
    const auto name = parse_archive_name(base_of(found.path));
    if (!name || !name->compressed.empty() || name->at < recent) return true;
    const std::array<const files::Found*, 1> all{&found};
    open = files.look(all).front() == files::Standing::in_use;
    return !open;
  }));
  if (!open) return {};
  if (auto asked = ask_to_reopen(*policy_.reopen); !asked) run_.note(Level::warning, asked.error().message);
  return {};
}

}  // namespace steward::rotation
