#include "io/files/front.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "io/files/folder.h"
#include "io/files/scratch.h"

namespace steward::files {
namespace {

/// On the file system of the scratch folder, which has to be one that can: ext4, xfs, f2fs, or a container's upon one.
struct FrontTest : testing::Test {
  Handle open_file(int more = 0) const { return Handle(::open((scratch / "f").c_str(), O_RDWR | O_CLOEXEC | more)); }
  Scratch scratch{};
};

TEST_F(FrontTest, GoesWhileAWriterThatAppendsWritesOnAtTheEnd) {
  const std::string blocks = std::string(4096, 'a') + std::string(4096, 'b') + "rest";
  scratch.write("f", blocks);
  const Handle file = open_file(), writer = open_file(O_APPEND);
  ASSERT_TRUE(has_cut(file.fd()));
  ASSERT_EQ(cuttable(file.fd(), {blocks.size()}).count, 8192U);
  ASSERT_EQ(::write(writer.fd(), " 1", 2), 2);
  const auto before = place_of_front(file.fd());
  ASSERT_TRUE(cut_front(file.fd(), 4096_B));
  ASSERT_EQ(::write(writer.fd(), " 2", 2), 2);
  EXPECT_EQ(scratch.read("f"), std::string(4096, 'b') + "rest 1 2");
  EXPECT_TRUE(before.has_value());
  EXPECT_NE(place_of_front(file.fd()), before);
}

TEST_F(FrontTest, TellsFilesApartWhoseBytesAreAlike) {
  scratch.write("f", std::string(16384, 'x'));
  const Handle file = open_file();
  const auto before = place_of_front(file.fd());
  EXPECT_EQ(place_of_front(file.fd()), before);
  ASSERT_TRUE(cut_front(file.fd(), 4096_B));
  EXPECT_NE(place_of_front(file.fd()), before);
}

TEST_F(FrontTest, IsWholeBlocksAndNeverAll) {
  scratch.write("f", "x");
  const Handle file = open_file();
  for (const auto& [size, expected] :
       {std::pair{0U, 0U}, {1U, 0U}, {4096U, 0U}, {4097U, 4096U}, {8192U, 4096U}, {8193U, 8192U}})
    EXPECT_EQ(cuttable(file.fd(), {size}).count, expected) << size;
}

TEST_F(FrontTest, StaysWhereTheFileSystemCannot) {
  with_own_mounts([&] {
    scratch.folder("memory");
    mount_tmpfs(scratch / "memory");
    scratch.write("memory/f", std::string(8193, 'x'));
    const Handle file(::open((scratch / "memory/f").c_str(), O_RDWR | O_CLOEXEC));
    EXPECT_FALSE(has_cut(file.fd()));
    EXPECT_FALSE(place_of_front(file.fd()));
    EXPECT_FALSE(cut_front(file.fd(), 4096_B));
    EXPECT_EQ(scratch.read("memory/f").size(), 8193U);
  });
}

}  // namespace
}  // namespace steward::files
