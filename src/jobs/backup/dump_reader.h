/// A stored dump, read in pieces: what is before its first row, and each block alone, wherever it lies.
///
/// pg_restore reads from a pipe whatever blocks come, in their order, and looks for no other (pg_backup_custom.c,
/// _PrintTocData). So the contents of a dump and some of its blocks, one after another, are a dump of these tables.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/result.h"
#include "core/stream.h"
#include "io/object/store.h"
#include "jobs/backup/contents.h"
#include "jobs/backup/manifest.h"
#include "jobs/backup/pg_archive.h"
#include "jobs/backup/stored_object.h"

namespace steward::backup {

class DumpReader {
 public:
  /// Reads what is before the first block. corrupt: the object is no such dump.
  static Result<DumpReader> open(object::Store& store, const Manifest& manifest, Contents contents,
                                 ReadOptions options);

  const Contents& contents() const { return contents_; }
  const Toc& toc() const { return toc_; }
  /// Header and table of contents, as pg_dump wrote them.
  const std::string& beginning() const { return beginning_; }
  /// The block that begins at `offset`, which `contents` names. unavailable, corrupt: of the store; of the sink what it
  /// says. Several threads may ask at once. Of an encrypted dump it is found by reading up to it.
  Result<void> block(std::uint64_t offset, Sink& sink) const;
  /// How many bytes it has.
  std::uint64_t size_of(std::uint64_t offset) const;

 private:
  DumpReader(object::Store& store, const Manifest& manifest, Contents contents, ReadOptions options);
  /// Uncompressed bytes from `begin` to `end`.
  Result<void> bytes(std::uint64_t begin, std::uint64_t end, Sink& sink) const;

  object::Store* store_;
  Manifest manifest_;
  std::uint64_t end_;  ///< Uncompressed bytes in all.
  Contents contents_;
  ReadOptions options_;
  std::vector<std::uint64_t> blocks_{};  ///< Offsets, ascending.
  std::string beginning_{};
  Toc toc_{};
};

}  // namespace steward::backup
