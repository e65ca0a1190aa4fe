#include "jobs/backup/pg_archive.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <thread>

#include "io/process/piped.h"
#include "io/sql/test_database.h"
#include "jobs/backup/clients.h"
#include "jobs/backup/postgres_dump.h"

namespace steward::backup {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

/// Gives a text in pieces of a length of its own each.
class Pieces final : public Source {
 public:
  Pieces(std::string_view text, unsigned seed) : rest_(text), dice_(seed) {}
  Result<std::size_t> read(std::span<std::byte> buffer) override {
    const std::size_t n = std::min({buffer.size(), rest_.size(), std::size_t{1} + dice_() % 5'000});
    std::copy_n(reinterpret_cast<const std::byte*>(rest_.data()), n, buffer.begin());
    rest_.remove_prefix(n);
    return n;
  }

 private:
  std::string_view rest_;
  std::mt19937 dice_;
};

/// Writes down what it hears.
struct Heard final : ArchiveListener {
  Result<void> raw(std::span<const std::byte> bytes) override {
    all.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return {};
  }
  Result<void> contents(const Toc& its_toc) override {
    toc = its_toc;
    return {};
  }
  Result<void> begin(const TocEntry& entry, std::uint64_t offset) override {
    EXPECT_EQ(all.size(), offset) << "what came before is out";
    blocks.push_back(entry.description + " " + entry.tag);
    return {};
  }
  Result<void> large_object(std::uint32_t oid) override {
    EXPECT_GT(oid, 0U);
    ++large_objects;
    return {};
  }
  Result<void> data(std::span<const std::byte> bytes) override {
    content.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return {};
  }
  Result<void> end(const TocEntry&) override {
    content += "|";
    return {};
  }
  Toc toc{};
  std::string all{}, content{};
  std::vector<std::string> blocks{};
  int large_objects = 0;
};

/// An archive as the real pg_dump writes it, of a database with two tables and a large object.
struct Archive : testing::Test {
  void SetUp() override {
    database = sql::TestDatabase::make(sql::Dialect::postgres);
    const auto connection = database->connect();
    for (const char* statement :
         {"create table a (id int, t text)", "insert into a values (1, 'one'), (2, e'two\\nlines')",
          "create table b (id int)", "select lo_from_bytea(0, 'large')"})
      ASSERT_TRUE(connection->query(statement)) << statement;
    const std::vector<Clients> installed = installed_clients({}, {});
    ASSERT_FALSE(installed.empty());
    auto dump =
        process::Piped::start(
            {.command = {.arguments = {installed.back().program("pg_dump"), "-Fc", "-Z0", "-d", database->url()},
                         .environment = {"PATH=/usr/bin:/bin"}}})
            .value();
    std::vector<std::byte> buffer(65'536);
    while (const std::size_t n = dump.output().read(buffer).value())
      bytes.append(reinterpret_cast<const char*>(buffer.data()), n);
    ASSERT_TRUE(dump.finish("dump"));
  }
  std::unique_ptr<sql::TestDatabase> database{};
  std::string bytes{};
};

TEST_F(Archive, IsReadToItsEndAndHandedOnUnchanged) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  Pieces source(bytes, seed);
  Heard heard;
  const auto read = read_archive(source, heard);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_TRUE(heard.all == bytes);
  EXPECT_EQ(heard.toc.database, database->name());
  EXPECT_THAT(heard.blocks, ElementsAre("TABLE DATA a", "TABLE DATA b", "BLOBS BLOBS"));
  EXPECT_EQ(heard.large_objects, 1);
  EXPECT_THAT(heard.content, HasSubstr("1\tone\n2\ttwo\\nlines\n\\.\n"));
  EXPECT_THAT(heard.content, HasSubstr("large|"));
}

TEST_F(Archive, ThatIsCutOffAnywhereIsNoWholeOneUnlessBetweenBlocks) {
  std::vector<std::size_t> wholes;
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    StringSource source(std::string_view(bytes).substr(0, length));
    Heard heard;
    if (read_archive(source, heard)) wholes.push_back(length);
  }
  // After its contents, and after each block but the last: pg_dump's exit code tells those.
  EXPECT_EQ(wholes.size(), 3U);
}

TEST_F(Archive, OfAnyBytesIsRefusedOrReadAndNeverMore) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 dice(seed);
  for (int i = 0; i < 2'000; ++i) {
    std::string broken = bytes;
    for (auto n = 1 + dice() % 3; n > 0; --n)
      broken[dice() % std::min<std::size_t>(broken.size(), 3'000)] = static_cast<char>(dice());
    StringSource source(broken);
    Heard heard;
    const auto read = read_archive(source, heard);
    if (!read) {
      EXPECT_NE(read.error().kind, Kind::bug);
    }
  }
}

TEST_F(Archive, ThatIsCompressedOrNoneIsCorrupt) {
  for (const std::string& text : {std::string("PGDMX"), std::string(100, '\0'), bytes.substr(1)}) {
    StringSource source(text);
    Heard heard;
    EXPECT_EQ(read_archive(source, heard).error().kind, Kind::corrupt);
  }
}

struct Refusing final : Sink {
  Result<void> write(std::span<const std::byte>) override { return fail(Kind::unavailable, "the store is gone"); }
};

TEST(DumpOfATable, ThatNobodyTakesAnyMoreIsNotReadToItsEnd) {
  const auto database = sql::TestDatabase::make(sql::Dialect::postgres);
  const auto connection = database->connect();
  // More than all buffers on the way hold.
  ASSERT_TRUE(connection->execute(
      "create table much as select i, (select string_agg(md5(i::text || j), '') from generate_series(1, 20) j) as t "
      "from generate_series(1, 300000) i"));
  const std::vector<Clients> installed = installed_clients({}, {});
  Refusing nobody;
  FramedSink sink(nobody, 1);
  const auto dumped =
      dump_postgres({.url = database->url(), .application = "refused dump"}, installed.back(), {}, &sink);
  EXPECT_EQ(dumped.error().message, "the store is gone");
  const auto asked = [&](const std::string& query) {
    return sql::to_integer(connection->query(query).value().rows.at(0).at(0));
  };
  while (asked("select count(*) from pg_stat_activity where application_name = 'refused dump'") > 0)
    std::this_thread::yield();
  EXPECT_LT(asked("select seq_tup_read from pg_stat_user_tables where relname = 'much'"), 300'000);
}

TEST(InstalledClients, AreTheSameMajorElseTheNextAboveAndNeverAnOlderOne) {
  const std::vector<Clients> installed{{.major = 13, .folder = "/13"},
                                       {.major = 15, .folder = "/15", .has_server = true},
                                       {.major = 17, .folder = "/17"}};
  EXPECT_EQ(clients_for(15, installed).value().folder, "/15");
  EXPECT_EQ(clients_for(14, installed).value().folder, "/15");
  EXPECT_EQ(clients_for(16, installed).value().folder, "/17");
  EXPECT_EQ(clients_for(13, installed, true).value().folder, "/15");
  const auto newer = clients_for(18, installed);
  EXPECT_EQ(newer.error().kind, Kind::not_found);
  EXPECT_EQ(newer.error().message,
            "the server is PostgreSQL 18, and there is no pg_dump of 18 or later here (only of 17)");
  EXPECT_EQ(newer.error().hint, "Install postgresql-client-18.");
  EXPECT_EQ(clients_for(15, {}).error().hint, "Install postgresql-client-15.");
  EXPECT_EQ(clients_for(16, installed, true).error().hint, "Install postgresql-16.");
}

TEST(InstalledClients, AreFoundWherePackagesPutThemAndDebiansWrapperIsNone) {
  const std::vector<Clients> found = installed_clients({}, "/usr/bin");
  ASSERT_FALSE(found.empty());
  for (const Clients& one : found) {
    EXPECT_GE(one.major, 9);
    EXPECT_TRUE(one.version.starts_with(std::to_string(one.major)));
    EXPECT_NE(one.folder, "/usr/bin");
  }
  EXPECT_TRUE(installed_clients("/nowhere", "/usr/bin").empty()) << "a folder that is named is the only one";
}

}  // namespace
}  // namespace steward::backup
