/// The statements by which pg_dump copies tables out, made from what it says of them in its table of contents.
#pragma once
#include <string>
#include <string_view>

#include "core/result.h"
#include "jobs/backup/pg_archive.h"

namespace steward::backup {

/// Of an entry TABLE DATA: "COPY public.signals (id, at) FROM stdin;" -> "COPY "public"."signals" (id, at) TO STDOUT".
/// The columns are those that pg_dump named; the table is the entry's own, since FROM may name the root of the
/// partitions that it is one of (for those of a hash over an enum, pg_dump.c, forcePartitionRootLoad). `condition`: of
/// an extension's configuration table, "WHERE …"; mostly empty. corrupt: it is no such statement. Pure.
Result<std::string> copy_out_statement(const TocEntry& entry, std::string_view condition);

/// The table that an entry's rows are loaded into, where that is another than its own: "public.felt", the root of its
/// partitions. Empty else. Pure.
std::string root_of(const TocEntry& entry);

/// "schema"."table", for a statement; PostgreSQL takes any name in quotes.
std::string quoted_name(std::string_view schema, std::string_view table);

}  // namespace steward::backup
