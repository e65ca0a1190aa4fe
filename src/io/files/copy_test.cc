#include "io/files/copy.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <vector>

#include "core/digest.h"
#include "io/files/scratch.h"
#include "io/files/system_calls.h"

namespace steward::files {
namespace {
using testing::ElementsAre;

TEST(Copy, PassesEveryByteAndHashesOnTheWay) {
  for (const std::size_t size : {0U, 1U, 1'048'576U, 3'000'001U}) {
    const std::string text(size, 'c');
    StringSource from(text);
    StringSink to;
    const auto copied = copy(from, to);
    ASSERT_TRUE(copied);
    EXPECT_EQ(to.text, text);
    EXPECT_EQ(copied->size, Bytes{size});
    EXPECT_EQ(copied->sha256, sha256_hex(text));
    StringSource again(text);
    EXPECT_EQ(hash(again)->sha256, copied->sha256);
  }
}

TEST(Copy, TellsHowFarItIsAndEndsWhenToldTo) {
  const std::string text(5'000'000, 'c');
  StringSource from(text);
  StringSink to;
  std::vector<std::uint64_t> seen;
  const auto ended = copy(from, to, [&](Bytes so_far) -> Result<void> {
    seen.push_back(so_far.count);
    if (so_far >= 2_MiB) return fail(Kind::interrupted, "told to stop");
    return {};
  });
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().message, "told to stop");
  EXPECT_THAT(seen, ElementsAre(1U << 20, 2U << 20));
  EXPECT_EQ(to.text.size(), 2U << 20);
}

TEST(Copy, EndsWithTheErrorOfEitherEnd) {
  struct Broken final : Source, Sink {
    Result<std::size_t> read(std::span<std::byte>) override { return fail(Kind::unavailable, "cannot read"); }
    Result<void> write(std::span<const std::byte>) override { return fail(Kind::unavailable, "cannot write"); }
  } broken;
  StringSource from("x");
  StringSink to;
  EXPECT_EQ(copy(broken, to).error().message, "cannot read");
  EXPECT_EQ(copy(from, broken).error().message, "cannot write");
}

TEST(HashOnDisk, IsTheHashOfTheWholeFileWhereverTheDescriptorStands) {
  const Scratch scratch;
  const std::string text(2'500'000, 'd');
  scratch.write("f", text);
  const Handle file = Folder::open(scratch.path())->open_for_reading("f").value();
  ASSERT_EQ(lseek(file.fd(), 1'000, SEEK_SET), 1'000);
  std::uint64_t last = 0;
  const auto hashed = hash_on_disk(file.fd(), [&](Bytes so_far) -> Result<void> {
    last = so_far.count;
    return {};
  });
  ASSERT_TRUE(hashed);
  EXPECT_EQ(hashed->sha256, sha256_hex(text));
  EXPECT_EQ(hashed->size, Bytes{text.size()});
  EXPECT_EQ(last, text.size());
  EXPECT_EQ(lseek(file.fd(), 0, SEEK_CUR), 1'000);
}

TEST(HashOnDisk, WritesBackAndDropsThePagesBeforeItReads) {
  const Scratch scratch;
  scratch.write("f", "x");
  const Handle file = Folder::open(scratch.path())->open_for_reading("f").value();
  const auto calls = system_calls([&] { EXPECT_TRUE(hash_on_disk(file.fd())); });
  EXPECT_THAT(of(calls, {SYS_fdatasync, SYS_fadvise64, SYS_pread64}),
              ElementsAre(SYS_fdatasync, SYS_fadvise64, SYS_pread64, SYS_fadvise64, SYS_pread64, SYS_fadvise64));
}

TEST(HashOnDisk, ABadDescriptorIsAnError) { EXPECT_FALSE(hash_on_disk(-1)); }

}  // namespace
}  // namespace steward::files
