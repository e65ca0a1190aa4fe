#include "jobs/backup/restore_parts.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <functional>
#include <mutex>
#include <numeric>
#include <set>
#include <thread>
#include <unordered_map>
#include <unordered_set>

#include "core/text.h"
#include "io/files/folder.h"
#include "jobs/backup/dump_reader.h"
#include "jobs/backup/feeding.h"
#include "jobs/backup/throwaway_server.h"

namespace steward::backup {
namespace {

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

/// A file for pg_restore to read, gone with this: it takes lists, and archives that it is to seek in, no other way.
class Handed {
 public:
  static Result<Handed> make(std::string_view content) {
    Handed handed;
    handed.path_ = scratch_folder() + "/steward-restore-XXXXXX";
    const files::Handle file(mkostemp(handed.path_.data(), O_CLOEXEC));
    if (!file.valid()) {
      handed.path_.clear();
      return fail(Kind::unavailable, fmt::format("cannot write in {}", scratch_folder()));
    }
    files::FileSink sink(file.fd());
    TRY(sink.write(bytes(content)));
    return handed;
  }
  Handed(Handed&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  Handed& operator=(Handed&&) = delete;
  ~Handed() {
    if (!path_.empty()) ::unlink(path_.c_str());
  }
  const std::string& path() const { return path_; }

 private:
  Handed() = default;
  std::string path_{};
};

/// What belongs to a table alone, and is made once it is there.
bool is_own(std::string_view description) {
  constexpr std::array<std::string_view, 7> kinds{"TABLE DATA", "DEFAULT",           "INDEX",       "CONSTRAINT",
                                                  "SEQUENCE",   "SEQUENCE OWNED BY", "SEQUENCE SET"};
  return std::ranges::find(kinds, description) != kinds.end();
}

/// pg_restore --use-list: the numbers of entries, one a line.
std::string list_of(const Toc& toc, std::span<const int> positions) {
  std::string out;
  for (const int position : positions)
    out += fmt::format("{};\n", toc.entries[static_cast<std::size_t>(position)].dump_id);
  return out;
}

class Parts {
 public:
  Parts(const DumpReader& reader, const sql::Target& target, const Clients& clients, const RestoreOptions& options)
      : reader_(reader), target_(target), clients_(clients), options_(options) {}

  /// One process with the beginning and these blocks. `more`: arguments.
  Result<std::optional<Error>> restore(std::vector<std::string> more, std::vector<BlockPlace> blocks) const {
    std::vector<std::string> arguments = restore_arguments(clients_, options_);
    std::ranges::move(more, std::back_inserter(arguments));
    std::ranges::sort(blocks);
    process::Piped program = TRY(start_reader(target_, std::move(arguments)));
    return process::feed(program, "restore", [&](Sink& sink) -> Result<void> {
      TRY(sink.write(bytes(reader_.beginning())));
      for (const BlockPlace& block : blocks) TRY(reader_.block(block, sink));
      return {};
    });
  }

  Result<std::optional<Error>> tables(const std::vector<TableContents>& chosen) const {
    const Handed list =
        TRY(Handed::make(list_of(reader_.toc(), entries_of_tables(reader_.toc(), chosen, options_.with_needs))));
    std::vector<BlockPlace> blocks;
    for (const TableContents& table : chosen) blocks.push_back(table.at);
    return restore({"--use-list=" + list.path()}, std::move(blocks));
  }

  Result<std::optional<Error>> all() const {
    if (auto refused = TRY(restore({"--section=pre-data"}, {}))) return refused;
    if (auto refused = TRY(rows())) return refused;
    // From a file, since it reads it once for each of its jobs. There are no rows in it.
    const Handed beginning = TRY(Handed::make(reader_.beginning()));
    std::vector<std::string> arguments = restore_arguments(clients_, options_);
    arguments.emplace_back("--section=post-data");
    arguments.push_back(fmt::format("--jobs={}", options_.jobs));
    arguments.push_back(beginning.path());
    process::Piped program = TRY(start_reader(target_, std::move(arguments)));
    return process::feed(program, "make indexes and constraints", [](Sink&) { return Result<void>{}; });
  }

 private:
  struct Load {
    std::vector<int> entries{};  ///< Positions in the contents.
    std::vector<BlockPlace> blocks{};
  };

  /// Data that are no rows: sequences' values, large objects. Since 17 these are made with the data, with what is said
  /// of them and who may what; in archives of earlier majors that was done before, and pg_restore passes it over here.
  static bool is_value(const TocEntry& entry) {
    return entry.description == "SEQUENCE SET" || entry.description == "BLOBS" ||
           entry.description == "BLOB METADATA" || (!entry.has_data && entry.tag.starts_with("LARGE OBJECT"));
  }

  /// Which entries are loaded with which blocks: those of one block each, and one load for the values of sequences.
  Result<std::vector<Load>> loads() const {
    std::vector<Load> out;
    std::unordered_map<std::string, BlockPlace> places;
    for (const TableContents& table : reader_.contents().tables) places[table.schema + '\0' + table.name] = table.at;
    Load values;
    const std::vector<TocEntry>& entries = reader_.toc().entries;
    for (std::size_t i = 0; i < entries.size(); ++i) {
      const int position = static_cast<int>(i);
      if (is_value(entries[i])) values.entries.push_back(position);
      if (entries[i].description != "TABLE DATA") continue;
      const auto place = places.find(entries[i].schema + '\0' + entries[i].tag);
      if (place == places.end())
        return fail(Kind::corrupt, fmt::format("the backup's contents have no table {}", printable(entries[i].tag)));
      out.push_back({.entries = {position}, .blocks = {place->second}});
    }
    values.blocks = reader_.contents().large_object_blocks;
    if (!values.entries.empty()) out.push_back(std::move(values));
    return out;
  }

  Result<std::optional<Error>> rows() const {
    const std::vector<Load> all = TRY(loads());
    std::vector<std::uint64_t> sizes;
    for (const Load& load : all)
      sizes.push_back(
          std::accumulate(load.blocks.begin(), load.blocks.end(), std::uint64_t{1},
                          [&](std::uint64_t sum, const BlockPlace& at) { return sum + reader_.size_of(at); }));
    std::mutex mutex;
    Result<std::optional<Error>> first = std::nullopt;
    {
      std::vector<std::jthread> workers;
      for (const std::vector<std::size_t>& hand : dealt(sizes, static_cast<std::size_t>(options_.jobs)))
        workers.emplace_back([&, hand] {
          Load mine;
          for (const std::size_t i : hand) {
            std::ranges::copy(all[i].entries, std::back_inserter(mine.entries));
            std::ranges::copy(all[i].blocks, std::back_inserter(mine.blocks));
          }
          auto done = load(std::move(mine));
          const std::lock_guard lock(mutex);
          if (first && !*first) first = std::move(done);
        });
    }
    return first;
  }

  Result<std::optional<Error>> load(Load mine) const {
    if (mine.entries.empty()) return std::nullopt;
    std::ranges::sort(mine.entries);
    const Handed list = TRY(Handed::make(list_of(reader_.toc(), mine.entries)));
    return restore({"--section=data", "--use-list=" + list.path()}, std::move(mine.blocks));
  }

  const DumpReader& reader_;
  const sql::Target& target_;
  const Clients& clients_;
  const RestoreOptions& options_;
};

/// A progress that several threads may call.
std::function<Result<void>(Bytes)> one_at_a_time(const std::function<Result<void>(Bytes)>& progress,
                                                 std::mutex& mutex) {
  if (!progress) return {};
  return [&](Bytes more) {
    const std::lock_guard lock(mutex);
    return progress(more);
  };
}

}  // namespace

Result<std::vector<TableContents>> tables_named(const Contents& contents, std::span<const std::string> names) {
  std::vector<TableContents> out;
  for (const std::string& name : names) {
    const std::size_t before = out.size();
    for (const TableContents& table : contents.tables)
      if (name == table.name || name == table.schema + '.' + table.name) out.push_back(table);
    if (out.size() > before) continue;
    std::vector<std::string> known;
    for (const TableContents& table : contents.tables) known.push_back(table.name);
    return fail(Kind::bad_input, fmt::format("the backup has no table {}", printable(name)), did_you_mean(name, known));
  }
  return out;
}

std::vector<int> entries_of_tables(const Toc& toc, std::span<const TableContents> tables, bool with_needs) {
  std::unordered_map<int, int> positions;  // of dump ids
  for (std::size_t i = 0; i < toc.entries.size(); ++i) positions[toc.entries[i].dump_id] = static_cast<int>(i);
  std::set<std::pair<std::string, std::string>> wanted;
  for (const TableContents& table : tables) wanted.emplace(table.schema, table.name);
  std::unordered_set<int> chosen;
  for (std::size_t i = 0; i < toc.entries.size(); ++i) {
    const TocEntry& entry = toc.entries[i];
    if (entry.description == "TABLE" && wanted.contains({entry.schema, entry.tag})) chosen.insert(static_cast<int>(i));
  }
  // What is theirs: of it, too (a sequence's value, of a table's default).
  for (bool grown = true; std::exchange(grown, false);)
    for (std::size_t i = 0; i < toc.entries.size(); ++i) {
      const TocEntry& entry = toc.entries[i];
      if (chosen.contains(static_cast<int>(i)) || !is_own(entry.description)) continue;
      const bool is_theirs = std::ranges::any_of(entry.dependencies, [&](int id) {
        const auto at = positions.find(id);
        return at != positions.end() && chosen.contains(at->second);
      });
      if (is_theirs && (entry.description != "TABLE DATA" || wanted.contains({entry.schema, entry.tag})))
        grown = chosen.insert(static_cast<int>(i)).second || grown;
    }
  std::vector<int> open(chosen.begin(), chosen.end());
  while (with_needs && !open.empty()) {
    const TocEntry& entry = toc.entries[static_cast<std::size_t>(open.back())];
    open.pop_back();
    for (const int id : entry.dependencies) {
      const auto at = positions.find(id);
      if (at == positions.end() || toc.entries[static_cast<std::size_t>(at->second)].has_data) continue;
      if (chosen.insert(at->second).second) open.push_back(at->second);
    }
  }
  std::vector<int> out(chosen.begin(), chosen.end());
  std::ranges::sort(out);
  return out;
}

std::vector<std::vector<std::size_t>> dealt(std::span<const std::uint64_t> sizes, std::size_t hands) {
  std::vector<std::size_t> order(sizes.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order,
                    [&](std::size_t a, std::size_t b) { return sizes[a] != sizes[b] ? sizes[a] > sizes[b] : a < b; });
  std::vector<std::vector<std::size_t>> out(hands);
  std::vector<std::uint64_t> carried(hands);
  for (const std::size_t i : order) {
    const auto least = static_cast<std::size_t>(std::ranges::min_element(carried) - carried.begin());
    out[least].push_back(i);
    carried[least] += sizes[i];
  }
  return out;
}

Result<std::optional<Error>> restore_parts(object::Store& store, const Manifest& manifest, const sql::Target& target,
                                           const Clients& clients, const RestoreOptions& options) {
  Contents contents = TRY(contents_of(store, manifest, options.reading));
  std::vector<TableContents> chosen;
  if (!options.tables.empty()) chosen = TRY(tables_named(contents, options.tables));
  std::mutex mutex;
  ReadOptions reading = options.reading;
  reading.progress = one_at_a_time(options.reading.progress, mutex);
  const DumpReader reader = TRY(DumpReader::open(store, manifest, std::move(contents), std::move(reading)));
  const Parts parts(reader, target, clients, options);
  return options.tables.empty() ? parts.all() : parts.tables(chosen);
}

}  // namespace steward::backup
