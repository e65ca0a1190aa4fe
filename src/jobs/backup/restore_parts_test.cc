#include "jobs/backup/restore_parts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace steward::backup {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

/// The contents of a database with two tables; one has a serial key, an index, an enum; the other refers to it.
Toc some() {
  const auto entry = [](int id, std::string description, std::string tag, std::vector<int> needs, bool data = false) {
    return TocEntry{.dump_id = id,
                    .has_data = data,
                    .tag = std::move(tag),
                    .description = std::move(description),
                    .schema = "public",
                    .dependencies = std::move(needs)};
  };
  return {.entries = {entry(1, "SCHEMA", "public", {}), entry(2, "TYPE", "mood", {1}), entry(3, "TYPE", "other", {1}),
                      entry(10, "TABLE", "orders", {2, 1}), entry(11, "SEQUENCE", "orders_id_seq", {10, 1}),
                      entry(12, "SEQUENCE OWNED BY", "orders_id_seq", {11}), entry(20, "TABLE", "lines", {1}),
                      entry(13, "DEFAULT", "orders id", {11, 10}), entry(14, "TABLE DATA", "orders", {10}, true),
                      entry(21, "TABLE DATA", "lines", {20}, true), entry(15, "SEQUENCE SET", "orders_id_seq", {11}),
                      entry(16, "CONSTRAINT", "orders orders_pkey", {10}), entry(17, "INDEX", "orders_at", {10}),
                      entry(22, "FK CONSTRAINT", "lines lines_order_fkey", {20, 10, 16}),
                      entry(18, "TRIGGER", "orders t", {10})}};
}

std::vector<std::string> chosen(const std::string& table, bool with_needs) {
  const Toc toc = some();
  const std::vector<TableContents> tables{{.schema = "public", .name = table}};
  std::vector<std::string> out;
  for (const int position : entries_of_tables(toc, tables, with_needs)) {
    const TocEntry& entry = toc.entries[static_cast<std::size_t>(position)];
    out.push_back(entry.description + " " + entry.tag);
  }
  return out;
}

TEST(EntriesOfTables, AreTheirOwnThingsAndWhatTheyNeedInTheArchivesOrder) {
  EXPECT_THAT(chosen("orders", true),
              ElementsAre("SCHEMA public", "TYPE mood", "TABLE orders", "SEQUENCE orders_id_seq",
                          "SEQUENCE OWNED BY orders_id_seq", "DEFAULT orders id", "TABLE DATA orders",
                          "SEQUENCE SET orders_id_seq", "CONSTRAINT orders orders_pkey", "INDEX orders_at"));
  EXPECT_THAT(chosen("lines", true), ElementsAre("SCHEMA public", "TABLE lines", "TABLE DATA lines"));
}

TEST(EntriesOfTables, WithoutWhatTheyNeedAreForADatabaseThatHasIt) {
  EXPECT_THAT(chosen("lines", false), ElementsAre("TABLE lines", "TABLE DATA lines"));
  EXPECT_THAT(chosen("nothing", true), IsEmpty());
}

TEST(TablesNamed, AreFoundWithAndWithoutTheirSchema) {
  const Contents contents{
      .tables = {{.schema = "a", .name = "t"}, {.schema = "b", .name = "t"}, {.schema = "b", .name = "u"}}};
  const auto names = [&](std::vector<std::string> wanted) {
    std::vector<std::string> out;
    const std::vector<TableContents> found = tables_named(contents, wanted).value();
    for (const TableContents& table : found) out.push_back(table.schema + "." + table.name);
    return out;
  };
  EXPECT_THAT(names({"b.t", "u"}), ElementsAre("b.t", "b.u"));
  EXPECT_THAT(names({"t"}), ElementsAre("a.t", "b.t"));
  const std::vector<std::string> unknown{"tt"};
  EXPECT_EQ(tables_named(contents, unknown).error().kind, Kind::bad_input);
}

TEST(Dealt, GivesEachOnceAndNobodyMuchMoreThanAnother) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 dice(seed);
  for (int round = 0; round < 200; ++round) {
    std::vector<std::uint64_t> sizes(dice() % 50);
    for (std::uint64_t& size : sizes) size = dice() % 1'000;
    const std::size_t hands = 1 + dice() % 5;
    const auto out = dealt(sizes, hands);
    ASSERT_EQ(out.size(), hands);
    std::vector<std::size_t> all;
    std::vector<std::uint64_t> carried;
    for (const auto& hand : out) {
      std::uint64_t sum = 0;
      for (const std::size_t i : hand) {
        all.push_back(i);
        sum += sizes[i];
      }
      carried.push_back(sum);
    }
    std::ranges::sort(all);
    for (std::size_t i = 0; i < sizes.size(); ++i) ASSERT_EQ(all[i], i);
    ASSERT_EQ(all.size(), sizes.size());
    const std::uint64_t largest = sizes.empty() ? 0 : *std::ranges::max_element(sizes);
    EXPECT_LE(*std::ranges::max_element(carried) - *std::ranges::min_element(carried), largest);
  }
}

}  // namespace
}  // namespace steward::backup
