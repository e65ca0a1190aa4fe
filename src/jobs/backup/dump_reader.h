/// A stored dump, read in pieces: what is before its first row, and each block alone, wherever it lies: in the one
/// object of the dump, or in one of its own.
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
  /// Reads what is before the first block. corrupt: the object is no such dump. not_found: the backup has none.
  static Result<DumpReader> open(object::Store& store, const Manifest& manifest, Contents contents,
                                 ReadOptions options);

  const Contents& contents() const { return contents_; }
  const Toc& toc() const { return beginning_.toc; }
  /// Header and table of contents, as pg_dump wrote them.
  const std::string& beginning() const { return beginning_.bytes; }
  /// The block that begins at a place which `contents` names. unavailable, corrupt: of the store; of the sink what it
  /// says. Several threads may ask at once. Of an encrypted dump in one object it is found by reading up to it.
  Result<void> block(const BlockPlace& at, Sink& sink) const;
  /// How many bytes it has.
  std::uint64_t size_of(const BlockPlace& at) const;

 private:
  DumpReader(object::Store& store, const Manifest& manifest, Contents contents, ReadOptions options);
  Result<void> read_beginning_into(Sink& sink) const;
  /// Of a dump in one object, uncompressed bytes from `begin` to `end`.
  Result<void> bytes(std::uint64_t begin, std::uint64_t end, Sink& sink) const;

  object::Store* store_;
  Manifest manifest_;
  bool is_in_parts_;
  std::uint64_t end_;  ///< Uncompressed bytes in all, of a dump in one object.
  Contents contents_;
  ReadOptions options_;
  std::vector<std::uint64_t> blocks_{};  ///< Offsets, ascending, of a dump in one object.
  Beginning beginning_{};
};

}  // namespace steward::backup
