#include "io/files/processes.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include "io/files/folder.h"
#include "io/files/scratch.h"

namespace steward::files {
namespace {
using testing::EndsWith;
using testing::IsEmpty;

struct Processes : testing::Test {
  void SetUp() override {
    need_root();
    scratch.write("f", "x");
    own = Handle(open((scratch / "f").c_str(), O_RDONLY | O_CLOEXEC));
  }
  /// In a PID namespace with a /proc of its own, which is handed over as the outermost: here all can be seen, also
  /// where a security module shields some of the machine's own processes.
  static void alone(const std::function<void(std::string_view outermost)>& body) {
    const Holder inside(
        [&] {
          ASSERT_EQ(mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
          ASSERT_EQ(mount("proc", "/proc", "proc", 0, nullptr), 0);
          body(std::filesystem::read_symlink("/proc/self/ns/pid").string());
        },
        CLONE_NEWPID | CLONE_NEWNS);
  }
  Scratch scratch{};
  Handle own{};
};

TEST_F(Processes, WhereAllAreSeenNobodyIsAnAnswer) {
  alone([&](std::string_view outermost) {
    const Holders holders = holders_of(own.fd(), outermost);
    EXPECT_THAT(holders.first, IsEmpty());
    EXPECT_THAT(holders.blind_to, IsEmpty());
  });
}

TEST_F(Processes, WhoHasItOpenIsNamed) {
  alone([&](std::string_view outermost) {
    const Holder other([&] { EXPECT_GE(open((scratch / "f").c_str(), O_RDONLY), 0); });
    EXPECT_THAT(holders_of(own.fd(), outermost).first, EndsWith("(pid " + std::to_string(other.pid()) + ")"));
  });
}

TEST_F(Processes, WhoMappedItIsNamedToo) {
  alone([&](std::string_view outermost) {
    own = Handle();  // or a child of this process would have it from us
    const Holder other([&] {
      const Handle file(open((scratch / "f").c_str(), O_RDONLY));
      EXPECT_NE(mmap(nullptr, 1, PROT_READ, MAP_SHARED, file.fd(), 0), MAP_FAILED);
    });
    const Handle again(open((scratch / "f").c_str(), O_RDONLY | O_CLOEXEC));
    EXPECT_THAT(holders_of(again.fd(), outermost).first, EndsWith("(pid " + std::to_string(other.pid()) + ")"));
  });
}

TEST_F(Processes, InAnInnerNamespaceNobodyIsNoAnswer) {
  alone([&](std::string_view) {
    EXPECT_EQ(holders_of(own.fd()).blind_to, "processes outside of this container cannot be seen");
  });
}

TEST_F(Processes, AnOrdinaryUserDoesNotSeeAll) {
  as_ordinary_user([&] { EXPECT_EQ(holders_of(own.fd()).blind_to, "other users' processes cannot be looked into"); });
}

TEST_F(Processes, AreNamedAsPeopleKnowThem) {
  EXPECT_THAT(process_name(getpid()), EndsWith("(pid " + std::to_string(getpid()) + ")"));
  EXPECT_EQ(process_name(1 << 30), "pid 1073741824");
}

TEST_F(Processes, HowTheyWriteIsTold) {
  for (const char* name : {"appended", "overwritten", "read", "mapped", "free"}) scratch.write(name, "x");
  alone([&](std::string_view outermost) {
    const Holder other([&] {
      EXPECT_GE(open((scratch / "appended").c_str(), O_WRONLY | O_APPEND), 0);
      EXPECT_GE(open((scratch / "overwritten").c_str(), O_WRONLY), 0);
      EXPECT_GE(open((scratch / "read").c_str(), O_RDONLY), 0);
      const Handle file(open((scratch / "mapped").c_str(), O_RDWR | O_APPEND));
      EXPECT_NE(mmap(nullptr, 1, PROT_READ | PROT_WRITE, MAP_SHARED, file.fd(), 0), MAP_FAILED);
    });
    const Folder folder = Folder::open(scratch.path()).value();
    std::vector<FileInfo> infos;
    for (const char* name : {"appended", "overwritten", "read", "mapped", "free"})
      infos.push_back(folder.stat(name).value());
    std::vector<const FileInfo*> files;
    for (const FileInfo& info : infos) files.push_back(&info);
    const Writings found = writing_to(files, outermost);
    EXPECT_THAT(found.blind_to, IsEmpty());
    const auto shown = [&](std::size_t i) {
      const Writing& one = found.files[i];
      return std::string(one.appends ? "a" : "") + (one.overwrites ? "o" : "") + (one.reads ? "r" : "");
    };
    EXPECT_EQ(shown(0), "a");
    EXPECT_EQ(shown(1), "o");
    EXPECT_EQ(shown(2), "r");
    EXPECT_EQ(shown(3), "o") << "what is mapped to be written is not written at the end";
    EXPECT_EQ(shown(4), "");
    EXPECT_THAT(found.files[0].by, EndsWith("(pid " + std::to_string(other.pid()) + ")"));
  });
}

TEST_F(Processes, WhoeverCannotSeeAllSaysSo) {
  const FileInfo info = Folder::open(scratch.path()).value().stat("f").value();
  const FileInfo* const one = &info;
  as_ordinary_user([&] { EXPECT_THAT(writing_to({&one, 1}).blind_to, testing::Not(IsEmpty())); });
  EXPECT_EQ(writing_to({&one, 1}, "pid:[1]").blind_to, "processes outside of this container cannot be seen");
}

}  // namespace
}  // namespace steward::files
