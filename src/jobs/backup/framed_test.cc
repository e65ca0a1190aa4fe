#include "jobs/backup/framed.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "io/files/scratch.h"

namespace steward::backup {
namespace {

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

struct Uploading : testing::Test {
  files::Scratch scratch{};
  std::unique_ptr<object::Store> store = object::open({.url = "file://" + scratch.path()}).value();

  std::string get(const std::string& key) const {
    StringSink out;
    EXPECT_TRUE(store->get(key, out));
    return std::move(out.text);
  }
};

std::string unpacked(std::string_view packed) {
  StringSink out;
  files::UnzstdSink plain(out);
  EXPECT_TRUE(plain.write(bytes(packed)));
  EXPECT_TRUE(plain.finish());
  return std::move(out.text);
}

TEST_F(Uploading, FramesAreOneStreamForAnyZstdAndEachIsReadableAlone) {
  std::string all;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> frames;
  const StoredObject object =
      upload({.store = *store, .folder = "app/1", .key = "dump"}, [&](FramedSink& sink) -> Result<void> {
        for (int table = 0; table < 4; ++table) {
          const std::string rows(table == 1 ? 10 : 2'000'000, static_cast<char>('a' + table));
          TRY(sink.boundary());
          TRY(sink.write(bytes(rows)));
          all += rows;
        }
        frames = sink.frames();
        return {};
      }).value();
  const std::string packed = get("app/1/dump");
  EXPECT_EQ(packed.size(), object.size.count);
  EXPECT_EQ(object.uncompressed.count, all.size());
  EXPECT_TRUE(unpacked(packed) == all);
  ASSERT_EQ(frames.size(), 3U) << "the small one shares a frame";
  for (const auto& [raw, at] : frames) EXPECT_TRUE(unpacked(packed.substr(at)) == all.substr(raw));
  EXPECT_TRUE(read_back(*store, "app/1", object, {}));
}

TEST_F(Uploading, NothingIsAFrameToo) {
  const auto object = upload({.store = *store, .folder = "f", .key = "k"}, [](FramedSink&) { return Result<void>{}; });
  ASSERT_TRUE(object);
  EXPECT_EQ(unpacked(get("f/k")), "");
}

TEST_F(Uploading, WhereTheMakerFailsNothingIsThereAndItsErrorIsTold) {
  const auto object = upload({.store = *store, .folder = "f", .key = "k"}, [](FramedSink& sink) -> Result<void> {
    TRY(sink.write(bytes(std::string(5'000'000, 'x'))));
    return fail(Kind::unavailable, "pg_dump failed");
  });
  EXPECT_EQ(object.error().message, "pg_dump failed");
  EXPECT_EQ(store->head("f/k").error().kind, Kind::not_found);
}

TEST_F(Uploading, WhereTheStoreFailsTheMakerEndsAndTheStoresErrorIsTold) {
  std::ofstream(scratch.path() + "/f") << "a file where a folder should be";
  std::mt19937 dice(1);
  const auto object = upload({.store = *store, .folder = "f", .key = "k"}, [&](FramedSink& sink) -> Result<void> {
    std::string noise(1'000'000, '\0');
    while (true) {
      for (char& c : noise) c = static_cast<char>(dice());
      TRY(sink.write(bytes(noise)));
    }
  });
  EXPECT_FALSE(object);
}

TEST_F(Uploading, ACheckThatSaysStopEndsIt) {
  int asked = 0;
  const auto object =
      upload({.store = *store,
              .folder = "f",
              .key = "k",
              .check = [&]() -> Result<void> {
                return ++asked > 3 ? Result<void>(fail(Kind::interrupted, "cancelled")) : Result<void>{};
              }},
             [](FramedSink& sink) -> Result<void> {
               while (true) TRY(sink.write(bytes(std::string(1'000'000, 'x'))));
             });
  EXPECT_EQ(object.error().message, "cancelled");
  EXPECT_EQ(store->head("f/k").error().kind, Kind::not_found);
}

TEST_F(Uploading, WhatIsMissingShortOrOtherIsCorruptWhenItIsReadBack) {
  const StoredObject object = upload({.store = *store, .folder = "f", .key = "k"}, [](FramedSink& sink) {
                                return sink.write(bytes("content"));
                              }).value();
  const std::string path = scratch.path() + "/f/k", whole = get("f/k");
  std::ofstream(path) << whole.substr(1);
  EXPECT_EQ(read_back(*store, "f", object, {}).error().kind, Kind::corrupt);
  std::ofstream(path) << 'x' + whole.substr(1);
  EXPECT_EQ(read_back(*store, "f", object, {}).error().message, "f/k has other bytes than were written");
  std::filesystem::remove(path);
  EXPECT_EQ(read_back(*store, "f", object, {}).error().message, "f/k is missing");
}

}  // namespace
}  // namespace steward::backup
