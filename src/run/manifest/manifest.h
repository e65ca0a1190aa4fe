/// The write-ahead list of the items that a run moves into an archive, with each item's state.
///
/// One manifest for a run and a table, beside what it names: while the run goes on, numbered segments
/// `mockups/manifest/RUN.000001.jsonl`, each written whole before the next act begins; when it has ended, one file
/// `mockups/manifest/RUN.jsonl` with each item in its last state, and the segments go. Both are JSON lines: a header,
/// then items. docs/archive-format.md is the format.
///
///   planned -> copied -> verified -> row_gone -> source_gone | source_kept(reason)     (a file and its row)
///   planned -> copied -> verified -> row_gone                                          (a segment of rows)
///   planned | copied | verified -> undone(reason)                                      (it stays in the database)
///   source_gone | source_kept -> forgotten(reason)                  (what it was is removed from the archive for good)
///
/// Errors  corrupt: a line that is none; refused (code "manifest-newer"): a newer format; else as the store.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/bytes.h"
#include "core/instant.h"
#include "core/result.h"
#include "io/object/store.h"
#include "run/manifest/referring.h"
#include "run/state.h"

namespace steward::manifest {

enum class State { planned, copied, verified, row_gone, source_gone, source_kept, undone, forgotten };
std::string_view name_of(State state);

/// What the header line says.
struct Header {
  std::string run{};
  std::string task{};
  std::string archive{};  ///< Its id.
  std::string environment{};
  std::string database{};  ///< As shown, without password.
  std::string database_id{};
  std::string table{};  ///< "public.mockups"
  std::vector<std::string> key_columns{};
  std::string file_column{};  ///< Empty for archived rows without files.
  std::string final_state{};  ///< The state in which an item of this manifest is finished: "source_gone" or "row_gone".
  /// Tables whose rows may have gone, or let go, with those of this one. Not empty: the manifest is of format 2, which
  /// a steward that would restore the rows alone refuses.
  std::vector<std::string> referring{};
  Instant began{};
  /// Up to when rows went; nothing in manifests of earlier versions, and of rows with files.
  std::optional<Instant> cutoff{};
};

/// One item. What is unknown in a state is empty.
struct Item {
  std::uint64_t number = 0;  ///< From 1, in the order of the run.
  State state = State::planned;
  std::string key{};  ///< Names the row: see row_json.h's key_text. For a segment of rows: of the first.
  std::string row{};  ///< The row, as JSON (row_json.h). Empty for a segment of rows: they are in the copy.
  std::vector<Referring> referring{};  ///< What refers to the row. Of a segment of rows they are in the copy, too.
  std::string source{};                ///< Where the file is: an absolute path, or s3://bucket/key.
  std::string copy{};                  ///< The key of the copy in the archive.
  std::string sha256{};                ///< Of the copy's bytes, from `copied` on.
  Bytes size{};
  bool made = false;     ///< The copy was made by this run; else it lay there with the same bytes.
  bool missing = false;  ///< The row's file was not there: it went without it, and there is no copy.
  std::optional<std::uint32_t>
      mode{};  ///< Of a source file: its permission bits, owner and mtime, to be given back with it.
  std::uint32_t owner = 0, group = 0;
  std::optional<Instant> modified{};
  std::uint64_t rows = 0;  ///< Of a segment of rows: how many it holds.
  std::vector<std::string>
      kept{};            ///< Of a segment of rows, from `row_gone` on: keys of rows that stayed in the database.
  std::string reason{};  ///< Why source_kept, undone or forgotten.
  std::vector<std::string>
      superseded{};  ///< Keys of copies that are to be removed: somebody is forgetting, or died of it.
};

/// Whether nothing is left to do for an item in this state.
bool is_final(const Header& header, State state);

class Writer {
 public:
  /// Begins the manifest of a run: nothing is written until the first record.
  static Writer begin(object::Store& store, std::string folder, Header header);
  /// Goes on with the manifest that an earlier run left, behind its last segment.
  static Writer resume(object::Store& store, std::string folder, Header header, std::uint64_t last_segment);

  /// Makes the items' present states durable: one segment. Nothing for no items.
  Result<void> record(std::span<const Item> items);
  Result<void> record(std::span<Item* const> items);
  /// Writes RUN.jsonl and removes the segments. Nothing where nothing was recorded.
  Result<void> finish(const StateDirectory& scratch);

  const Header& header() const { return header_; }

 private:
  Writer(object::Store& store, std::string folder, Header header, std::uint64_t segment)
      : store_(&store), folder_(std::move(folder)), header_(std::move(header)), segment_(segment) {}
  object::Store* store_;
  std::string folder_;  ///< "mockups"
  Header header_;
  std::uint64_t segment_;
};

/// One manifest found in an archive.
struct Listed {
  std::string folder{};  ///< "mockups"
  std::string run{};
  bool finished = false;  ///< There is a RUN.jsonl.
  std::vector<std::uint64_t> segments{};
};

/// All manifests below `folder` ("" for the whole archive), by run, oldest first.
Result<std::vector<Listed>> list(object::Store& store, std::string_view folder);

/// Removes the segments that lie beside a finished manifest: its making was interrupted after the last act that
/// mattered.
Result<void> remove_leftovers(object::Store& store, const Listed& manifest);

/// Hands over each item once, in its last state. Memory grows with the items of one batch, not with the manifest.
/// `take` returns false to stop.
Result<Header> read(object::Store& store, const Listed& manifest, const std::function<Result<bool>(const Item&)>& take);

/// Replaces a finished manifest by the items that `change` makes of its own: one put, so that a reader sees the old one
/// or the new one. `change` alters the item in place.
Result<void> rewrite(object::Store& store, const Listed& manifest, const StateDirectory& scratch,
                     const std::function<Result<void>(Item&)>& change);

/// The key of the manifest folder: "mockups/manifest/RUN".
std::string manifest_key(std::string_view folder, std::string_view run);

/// One line each, for the fuzzer and for who reads by hand. corrupt where it is none.
std::string line_of(const Item& item, bool whole);
std::string line_of(const Header& header);
/// The item that `line` says, laid over `known` (the same item in an earlier state), if there was one.
Result<Item> item_from_line(std::string_view line, const Item* known);
Result<Header> header_from_line(std::string_view line);
/// The number of the item that a line is about.
Result<std::uint64_t> number_in_line(std::string_view line);

}  // namespace steward::manifest
