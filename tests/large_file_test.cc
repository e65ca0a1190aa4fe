// An image of more than a GiB goes to the archive and comes back, on a folder and on S3, and the program's memory stays
// small.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <filesystem>

#include "harness/application.h"
#include "io/object/s3_test_support.h"

namespace steward::harness {
namespace {

namespace fs = std::filesystem;

constexpr Bytes size = 1536_MiB;
constexpr Bytes most_memory = 200_MiB;

struct ColdStore {
  const char* name;
  bool s3;
};
struct LargeFile : testing::TestWithParam<ColdStore> {};
INSTANTIATE_TEST_SUITE_P(EndToEnd, LargeFile, testing::Values(ColdStore{"folder", false}, ColdStore{"s3", true}),
                         [](const auto& c) { return c.param.name; });

/// A word every so many bytes, each another; the rest are holes.
constexpr std::uint64_t apart = 64ULL << 20;

void write_sparse(const std::string& path) {
  const int fd = ::open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
  ASSERT_GE(fd, 0);
  for (std::uint64_t at = 0; at < size.count; at += apart) {
    const std::string word = "here is " + std::to_string(at);
    ASSERT_EQ(::pwrite(fd, word.data(), word.size(), static_cast<off_t>(at)), static_cast<ssize_t>(word.size()));
  }
  ASSERT_EQ(::ftruncate(fd, static_cast<off_t>(size.count)), 0);
  ::close(fd);
}

void expect_the_same(const std::string& path) {
  ASSERT_TRUE(fs::exists(path));
  EXPECT_EQ(fs::file_size(path), size.count);
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_GE(fd, 0);
  for (std::uint64_t at = 0; at < size.count; at += apart) {
    std::array<char, 32> word{};
    ASSERT_GT(::pread(fd, word.data(), word.size() - 1, static_cast<off_t>(at)), 0);
    EXPECT_STREQ(word.data(), ("here is " + std::to_string(at)).c_str());
  }
  ::close(fd);
}

TEST_P(LargeFile, GoesToTheArchiveAndComesBackInLittleMemory) {
  Application app(DatabaseKind::sqlite, GetParam().s3 ? BucketKind::versity : BucketKind::folder);
  if (GetParam().s3) app.environment["COLD_STORAGE_PATH"] = object::new_bucket("STEWARD_TEST_S3_VERSITY").url;
  app.mockup(1, "film.png", 400, std::nullopt);
  write_sparse(app.path("media/film.png"));

  const Answer archived = app.steward({"run", "cleanup/archive-mockups", "--json"});
  ASSERT_EQ(archived.exit_code, 0) << archived.out << archived.err;
  EXPECT_EQ(task(archived.json(), "archive-mockups")["done"]["bytes"], size.count);
  EXPECT_FALSE(app.exists("media/film.png"));
  EXPECT_EQ(app.count("mockups"), 0);
  EXPECT_LT(archived.peak, most_memory);

  // Back it comes only if its hash is the one of the archive's manifest.
  const Answer restored = app.steward({"archive", "restore", "--all", "--json"});
  ASSERT_EQ(restored.exit_code, 0) << restored.out << restored.err;
  EXPECT_EQ(app.count("mockups"), 1);
  EXPECT_LT(restored.peak, most_memory);
  expect_the_same(app.path("media/film.png"));
}

}  // namespace
}  // namespace steward::harness
