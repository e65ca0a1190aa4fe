#include "jobs/backup/block_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "io/sql/test_database.h"
#include "jobs/backup/clients.h"
#include "jobs/backup/postgres_dump.h"

namespace steward::backup {
namespace {

using testing::ElementsAre;

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

/// Blocks as they are heard: "rows 7: …", "object 16412: …".
struct Blocks final : ArchiveListener {
  Result<void> raw(std::span<const std::byte>) override { return {}; }
  Result<void> contents(const Toc&) override { return {}; }
  Result<void> begin(const TocEntry& entry, std::uint64_t) override {
    heard.push_back(entry.description + ": ");
    return {};
  }
  Result<void> large_object(std::uint32_t oid) override {
    heard.push_back("object " + std::to_string(oid) + ": ");
    return {};
  }
  Result<void> data(std::span<const std::byte> piece) override {
    heard.back().append(reinterpret_cast<const char*>(piece.data()), piece.size());
    return {};
  }
  Result<void> end(const TocEntry&) override { return {}; }
  std::vector<std::string> heard{};
};

TEST(BlockWriter, WritesBlocksThatAReaderOfPgDumpsFormatReadsBehindPgDumpsOwnContents) {
  const auto database = sql::TestDatabase::make(sql::Dialect::postgres);
  const auto connection = database->connect();
  ASSERT_TRUE(connection->execute("create table a (t text)"));
  ASSERT_TRUE(connection->query("select lo_create(17)"));
  const Beginning beginning =
      beginning_of_dump({.url = database->url()}, installed_clients({}).back(), {}, std::chrono::seconds{10}).value();
  const auto id_of = [&](std::string_view kind) {
    return std::ranges::find(beginning.toc.entries, kind, &TocEntry::description)->dump_id;
  };
  const std::string much(200'000, 'x');
  StringSink archive;
  archive.text = beginning.bytes;
  BlockWriter block(archive, beginning.toc.int_size);
  ASSERT_TRUE(block.begin_rows(id_of("TABLE DATA")));
  ASSERT_TRUE(block.data(bytes("one\n")));
  ASSERT_TRUE(block.data(bytes(much)));
  ASSERT_TRUE(block.end());
  ASSERT_TRUE(block.begin_large_objects(id_of("BLOBS")));
  ASSERT_TRUE(block.large_object(17));
  ASSERT_TRUE(block.large_object(4'294'967'200));
  ASSERT_TRUE(block.data(bytes("large")));
  ASSERT_TRUE(block.end());
  StringSource source(archive.text);
  Blocks blocks;
  const auto read = read_archive(source, blocks);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_THAT(blocks.heard, ElementsAre("TABLE DATA: one\n" + much + "\\.\n\n\n",
                                        "BLOBS: ", "object 17: ", "object 4294967200: large"));
}

}  // namespace
}  // namespace steward::backup
