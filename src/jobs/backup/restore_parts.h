/// Restoring a part of a dump, or all of it by several processes at once: each gets the dump's contents and the blocks
/// of its own tables alone (dump_reader.h), straight from the store.
///
/// Several at once  first what comes before the rows (one process), then the rows (`jobs` processes, the largest tables
///                  first and evenly), then indexes, constraints and triggers (pg_restore's own `--jobs`).
/// Single tables    come with the types and functions that they need, their defaults and sequences, indexes, primary
///                  keys and unique constraints. Not with foreign keys, triggers and policies, which are about others
///                  too.
#pragma once
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/result.h"
#include "jobs/backup/pg_archive.h"
#include "jobs/backup/restore.h"

namespace steward::backup {

/// As restore_dump, for options that name tables or several jobs. bad_input: a table that is not in the backup.
Result<std::optional<Error>> restore_parts(object::Store& store, const Manifest& manifest, const sql::Target& target,
                                           const Clients& clients, const RestoreOptions& options);

/// The tables that these names mean ("signals", "public.signals"); bad_input where one means none. Pure.
Result<std::vector<TableContents>> tables_named(const Contents& contents, std::span<const std::string> names);

/// Which entries make these tables (positions in `toc.entries`), in the archive's order. `with_needs`: also what has to
/// be there before. Pure.
std::vector<int> entries_of_tables(const Toc& toc, std::span<const TableContents> tables, bool with_needs);

/// Deals tables out to `hands`, each of them as much to carry as may be: the largest first, to who has the least. The
/// positions in `sizes`. Pure.
std::vector<std::vector<std::size_t>> dealt(std::span<const std::uint64_t> sizes, std::size_t hands);

}  // namespace steward::backup
