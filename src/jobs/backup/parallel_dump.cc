#include "jobs/backup/parallel_dump.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>
#include <utility>
#include <vector>

#include "core/text.h"
#include "io/sql/postgres_copy.h"
#include "jobs/backup/block_writer.h"
#include "jobs/backup/copy_statement.h"
#include "jobs/backup/moment.h"

namespace steward::backup {
namespace {

/// Between a table's rows and its upload. Each stream has one.
constexpr std::size_t buffer_size = std::size_t{8} << 20;
/// Of a large object that is asked for at once.
constexpr std::int64_t large_object_piece = std::int64_t{1} << 20;
/// As many as names of six digits have an order.
constexpr std::size_t most_parts = 999'999;

/// What the threads of a dump share: the first error ends all of them.
class Crew {
 public:
  Crew(const Upload& upload, const std::stop_token& outside)
      : upload_(upload), forward_(outside, [this] { stop_.request_stop(); }) {}

  Result<void> check() {
    const std::lock_guard lock(mutex_);
    if (first_) return fail(Kind::interrupted, "the dump has failed elsewhere");
    Result<void> on = upload_.check ? upload_.check() : Result<void>{};
    if (!on) note(on.error());
    return on;
  }
  void progress(Bytes more) {
    const std::lock_guard lock(mutex_);
    if (upload_.progress) upload_.progress(more);
  }
  void failed(const Error& error) {
    const std::lock_guard lock(mutex_);
    note(error);
  }
  template <class Act>
  void alone(Act act) {
    const std::lock_guard lock(mutex_);
    act();
  }
  std::stop_token stop() { return stop_.get_token(); }
  Result<void> outcome() const { return first_ ? Result<void>(std::unexpected(*first_)) : Result<void>{}; }

 private:
  void note(const Error& error) {
    if (!first_) first_ = error;
    stop_.request_stop();
  }

  const Upload& upload_;
  std::mutex mutex_{};
  std::optional<Error> first_{};
  std::stop_source stop_{};
  std::stop_callback<std::function<void()>> forward_;
};

/// A table's rows on their way into a block, counted.
class Rows final : public Sink {
 public:
  explicit Rows(BlockWriter& block) : block_(block) {}
  Result<void> write(std::span<const std::byte> row) override {
    tally_.add(row);
    return block_.data(row);
  }
  const Tally& so_far() const { return tally_.so_far(); }

 private:
  BlockWriter& block_;
  RowTally tally_{};
};

/// "\x00ff", as PostgreSQL writes bytes.
Result<std::vector<std::byte>> bytes_of(const std::string& text) {
  std::vector<std::byte> out;
  if (text.size() < 2 || text.size() % 2 != 0) return fail(Kind::corrupt, "a large object that is no bytes");
  out.reserve(text.size() / 2 - 1);
  for (std::size_t i = 2; i < text.size(); i += 2) {
    std::uint8_t value = 0;
    const auto [end, failed] = std::from_chars(text.data() + i, text.data() + i + 2, value, 16);
    if (failed != std::errc{} || end != text.data() + i + 2)
      return fail(Kind::corrupt, "a large object that is no bytes");
    out.push_back(std::byte{value});
  }
  return out;
}

class Dump {
 public:
  Dump(const ParallelDump& how, Manifest& manifest)
      : how_(how), manifest_(manifest), crew_(how.upload, how.database.stop) {}

  Result<Contents> make() {
    sql::Target target = how_.database;
    target.stop = crew_.stop();
    TRY(begin(target));
    stored_.resize(moment_->parts().size());
    tables_.resize(moment_->parts().size());
    {
      std::vector<std::jthread> threads;
      for (std::size_t i = 0; i < moment_->sessions(); ++i) threads.emplace_back([this, i] { copy_all_of(i); });
    }
    for (const auto& object : stored_)
      if (object) manifest_.objects.push_back(*object);
    TRY(crew_.outcome());
    return contents();
  }

 private:
  static std::uint32_t number_of(std::size_t part) { return static_cast<std::uint32_t>(part + 1); }

  Upload uploading(std::uint32_t number, Bytes about) {
    Upload mine = how_.upload;
    mine.key = postgres_part_key(number);
    mine.about = about;
    mine.buffer = buffer_size;
    mine.stop = crew_.stop();
    mine.check = [this] { return crew_.check(); };
    mine.progress = [this](Bytes more) { crew_.progress(more); };
    return mine;
  }

  Result<void> read_back(const StoredObject& object) {
    return backup::read_back(how_.upload.store, how_.upload.folder, object, [this](Bytes) { return crew_.check(); });
  }

  /// The moment, and the object that says what it has.
  Result<void> begin(const sql::Target& target) {
    auto stored = upload(uploading(0, {}), [&](FramedSink& sink) -> Result<void> {
      moment_.emplace(
          TRY(Moment::take(target, how_.clients, how_.jobs, [this] { return crew_.check(); }, how_.lock_wait)));
      if (moment_->parts().size() > most_parts)
        return fail(Kind::bad_input,
                    fmt::format("{} tables are too many for an object each", format_count(moment_->parts().size())),
                    "Leave format out: then the dump is one object.");
      return sink.write(std::as_bytes(std::span(moment_->beginning().bytes)));
    });
    if (!stored) return std::unexpected(std::move(stored).error());
    manifest_.objects.push_back(*stored);
    manifest_.snapshot = moment_->mark().transactions;
    manifest_.lsn = moment_->mark().lsn;
    return read_back(*stored);
  }

  /// All that one connection copies: the largest first, so that no large one comes last and alone.
  void copy_all_of(std::size_t session) {
    std::vector<std::size_t> mine;
    for (std::size_t i = 0; i < moment_->parts().size(); ++i)
      if (moment_->parts()[i].session == session) mine.push_back(i);
    std::ranges::sort(mine, std::ranges::greater{},
                      [this](std::size_t i) { return std::pair(moment_->parts()[i].size, i); });
    for (const std::size_t i : mine) {
      const Result<void> copied = copy(i);
      if (!copied) return crew_.failed(copied.error());
    }
    moment_->leave(session);
  }

  Result<void> copy(std::size_t i) {
    const DumpPart& part = moment_->parts()[i];
    const TocEntry& entry = moment_->entry_of(part);
    const auto stored = upload(uploading(number_of(i), Bytes{part.size}), [&](FramedSink& sink) -> Result<void> {
      BlockWriter block(sink, moment_->beginning().toc.int_size);
      return entry.description == "TABLE DATA" ? copy_rows(i, block) : copy_large_objects(part, block);
    });
    if (!stored) return std::unexpected(stored.error());
    stored_[i] = *stored;
    return read_back(*stored);
  }

  Result<void> copy_rows(std::size_t i, BlockWriter& block) {
    const DumpPart& part = moment_->parts()[i];
    const TocEntry& entry = moment_->entry_of(part);
    TRY(block.begin_rows(entry.dump_id));
    Rows rows(block);
    const std::string statement = TRY(copy_out_statement(entry, part.condition));
    TRY(sql::copy_out(moment_->session(part.session), statement, rows));
    TRY(block.end());
    tables_[i] = {.schema = entry.schema,
                  .name = entry.tag,
                  .rows = rows.so_far(),
                  .at = {.part = number_of(i)},
                  .root = root_of(entry)};
    return {};
  }

  Result<void> copy_large_objects(const DumpPart& part, BlockWriter& block) {
    TRY(block.begin_large_objects(moment_->entry_of(part).dump_id));
    LargeObjectTally tally;
    for (const std::uint32_t oid : TRY(large_objects_of(part))) {
      TRY(block.large_object(oid));
      tally.begin(oid);
      TRY(copy_large_object(moment_->session(part.session), oid, block, tally));
    }
    TRY(block.end());
    crew_.alone([&] { large_objects_.add(tally.finish()); });
    return {};
  }

  static Result<void> copy_large_object(sql::Connection& connection, std::uint32_t oid, BlockWriter& block,
                                        LargeObjectTally& tally) {
    for (std::int64_t at = 0;; at += large_object_piece) {
      const std::vector<sql::Value> where{std::int64_t{oid}, at, large_object_piece};
      const sql::Rows rows =
          TRY(connection.query("select pg_catalog.lo_get($1::pg_catalog.oid, $2::bigint, $3::integer)", where));
      const std::vector<std::byte> piece = TRY(bytes_of(sql::to_text(rows.rows.at(0).at(0))));
      TRY(block.data(piece));
      tally.add(piece);
      if (piece.size() < static_cast<std::size_t>(large_object_piece)) return {};
    }
  }

  /// Since PostgreSQL 17 a block is of those that its metadata name, one a line; before, of all.
  Result<std::vector<std::uint32_t>> large_objects_of(const DumpPart& part) {
    std::vector<std::uint32_t> out;
    const auto add = [&](std::string_view oid) {
      std::uint32_t value = 0;
      std::from_chars(oid.data(), oid.data() + oid.size(), value);
      if (value != 0) out.push_back(value);
    };
    const std::vector<int>& needs = moment_->entry_of(part).dependencies;
    for (const TocEntry& entry : moment_->beginning().toc.entries)
      if (entry.description == "BLOB METADATA" && std::ranges::find(needs, entry.dump_id) != needs.end())
        for (const std::string_view line : split(entry.definition, '\n')) add(trim(line));
    if (!out.empty()) return out;
    TRY(moment_->session(part.session)
            .stream("select oid from pg_catalog.pg_largeobject_metadata order by oid", {},
                    [&](const sql::Row& row) -> Result<bool> {
                      add(sql::to_text(row[0]));
                      return true;
                    }));
    return out;
  }

  Contents contents() {
    Contents out{.definitions = definitions_of(moment_->beginning().toc), .large_objects = large_objects_};
    for (std::size_t i = 0; i < tables_.size(); ++i) {
      if (moment_->entry_of(moment_->parts()[i]).description == "TABLE DATA")
        out.tables.push_back(std::move(tables_[i]));
      else
        out.large_object_blocks.push_back({.part = number_of(i)});
    }
    return out;
  }

  const ParallelDump& how_;
  Manifest& manifest_;
  Crew crew_;
  std::optional<Moment> moment_{};
  std::vector<std::optional<StoredObject>> stored_{};  ///< As `moment_->parts()`; each has one thread.
  std::vector<TableContents> tables_{};                ///< Likewise.
  Tally large_objects_{};
};

}  // namespace

Result<Contents> dump_in_parallel(const ParallelDump& how, Manifest& manifest) { return Dump(how, manifest).make(); }

Bytes memory_of(std::size_t jobs, Bytes database, bool in_parts) {
  // As put() chooses its parts (io/object/s3_put.cc): a thousand of them while they have up to 64 MiB. The one that is
  // under way may be there twice for a moment.
  const Bytes part = std::clamp(Bytes{database.count / 900}, 16_MiB, 64_MiB);
  const Bytes stream{buffer_size + (in_parts ? 2 * part.count : 0)};
  return Bytes{jobs * stream.count};
}

}  // namespace steward::backup
