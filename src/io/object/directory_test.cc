// What only the directory store has; the rest of its promises are in store_contract_test.cc.
#include "io/object/directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/files/scratch.h"
#include "io/object/store_test_support.h"

namespace steward::object {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

struct DirectoryStore : testing::Test {
  files::Scratch scratch{};
  std::unique_ptr<Store> store = *open_directory({.url = "file://" + scratch.path()});
};

TEST_F(DirectoryStore, LeftoversOfACrashAreNeitherListedNorReached) {
  scratch.write(".steward-tmp-1", "half");
  scratch.write("a/.steward-tmp-2", "half");
  scratch.write(".steward-tmp-folder/x", "half");
  scratch.write("a/b", "whole");
  EXPECT_THAT(keys_of(*store), ElementsAre("a/b"));
  EXPECT_EQ(store->head(".steward-tmp-1").error().kind, Kind::not_found);
  EXPECT_TRUE(store->remove({.key = ".steward-tmp-1"}));
  EXPECT_TRUE(scratch.has(".steward-tmp-1"));
}

TEST_F(DirectoryStore, SymlinksAreNeitherFollowedNorListedNorRemoved) {
  files::Scratch outside;
  outside.write("secret", "kept");
  scratch.symlink(outside.path(), "folder");
  scratch.symlink(outside / "secret", "file");
  EXPECT_THAT(keys_of(*store), ElementsAre());
  EXPECT_THAT(keys_of(*store, "folder/"), ElementsAre());
  for (const char* key : {"folder/secret", "file"}) {
    EXPECT_EQ(store->head(key).error().kind, Kind::not_found) << key;
    EXPECT_TRUE(store->remove({.key = key}));
  }
  EXPECT_TRUE(scratch.has("file"));
  EXPECT_EQ(outside.read("secret"), "kept");
  StringSource source("x");
  EXPECT_EQ(store->put("folder/new", source).error().code, "outside");
  EXPECT_FALSE(outside.has("new"));
}

TEST_F(DirectoryStore, KeysThatNoFileCanHaveAreBadInputMissingOrGone) {
  for (const std::string& key :
       {std::string("/a"), std::string("a/"), std::string("a//b"), std::string("."), std::string("a/../b"),
        std::string(256, 'x'), std::string("a\0b", 3), std::string(".steward-tmp-x")}) {
    StringSource source("x");
    EXPECT_EQ(store->put(key, source).error().kind, Kind::bad_input) << key;
    EXPECT_EQ(store->head(key).error().kind, Kind::not_found) << key;
    EXPECT_TRUE(store->remove({.key = key})) << key;
  }
  EXPECT_EQ(scratch.entries(), 0u);
}

TEST_F(DirectoryStore, AKeyCannotBeAnothersFolder) {
  put(*store, "a/b", "1");
  StringSource one("x"), two("x");
  EXPECT_THAT(store->put("a", one).error().message, HasSubstr("there is a folder of this name"));
  EXPECT_THAT(store->put("a/b/c", two).error().message, HasSubstr("a file is where its folder would be"));
  EXPECT_EQ(store->head("a").error().kind, Kind::not_found);
  EXPECT_TRUE(store->remove({.key = "a"}));
  EXPECT_THAT(keys_of(*store), ElementsAre("a/b"));
  EXPECT_EQ(scratch.entries(), 1u) << "no temporary file is left";
  EXPECT_EQ(scratch.entries("a"), 1u);
}

TEST_F(DirectoryStore, TheTimeThatIsGivenIsTheFiles) {
  const Instant then = *parse_instant("1969-12-31T23:59:59.25Z");
  put(*store, "k", "1", {.modified = then});
  EXPECT_EQ(store->head("k")->modified, then);
}

TEST_F(DirectoryStore, AFolderThatVanishedIsMadeAgain) {
  put(*store, "a/b/one", "1");
  std::filesystem::remove_all(scratch / "a");
  put(*store, "a/b/two", "2");
  EXPECT_THAT(keys_of(*store), ElementsAre("a/b/two"));
}

TEST_F(DirectoryStore, TheEtagChangesEvenWhereSizeAndTimeDoNot) {
  const Instant then = *parse_instant("2026-01-01T00:00:00Z");
  const std::string first = put(*store, "k", "one", {.modified = then}).etag;
  EXPECT_NE(put(*store, "k", "two", {.modified = then}).etag, first);
}

TEST_F(DirectoryStore, AFolderThatCannotBeReadMakesAListingAnError) {
  scratch.write("open/k", "1");
  scratch.write("shut/k", "1");
  chmod((scratch / "shut").c_str(), 0);
  chmod((scratch / "open").c_str(), 0755);
  files::as_ordinary_user([&] {
    const auto mine = open_directory({.url = "file://" + scratch.path()});
    std::vector<std::string> seen;
    const auto listed = (*mine)->list("", [&](const ObjectInfo& object) -> Result<bool> {
      seen.push_back(object.key);
      return true;
    });
    EXPECT_THAT(seen, ElementsAre("open/k"));
    EXPECT_FALSE(listed);
    EXPECT_EQ(listed.error().kind, Kind::permission);
  });
}

TEST_F(DirectoryStore, AFullDiskIsUnavailableAndLeavesNothing) {
  files::with_own_mounts([&] {
    files::mount_tmpfs(scratch.path(), "size=1m");
    const auto small = *open_directory({.url = "file://" + scratch.path()});
    const std::string content = random_bytes(3 << 20);
    StringSource source(content);
    const auto written = small->put("a/k", source);
    EXPECT_FALSE(written);
    EXPECT_EQ(written.error().kind, Kind::unavailable);
    EXPECT_THAT(written.error().message, HasSubstr("no space left on device"));
    EXPECT_EQ(scratch.entries("a"), 0u);
    EXPECT_LT((*small->room())->count, 2u << 20);
  });
}

TEST(DirectoryStoreOpen, MakesItsFolderOnlyWhereItIsTold) {
  files::Scratch scratch;
  const std::string url = "file://" + scratch.path() + "/cold/store";
  EXPECT_EQ(open({.url = url}).error().kind, Kind::not_found);
  EXPECT_FALSE(scratch.has("cold"));
  const auto store = open({.url = url, .create = true});
  ASSERT_TRUE(store);
  EXPECT_EQ((*store)->shown(), url);
  EXPECT_TRUE(scratch.has("cold/store"));
}

TEST(DirectoryStoreOpen, WhatIsNoStoreIsBadInput) {
  for (const char* url : {"file://relative/path", "shots", "/folder", "ftp://h/x", "file:///x?y=1"})
    EXPECT_EQ(open({.url = url}).error().kind, Kind::bad_input) << url;
}

}  // namespace
}  // namespace steward::object
