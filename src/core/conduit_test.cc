#include "core/conduit.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <random>
#include <thread>

namespace steward {
namespace {

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

/// All that comes, or the error.
Result<std::string> read_all(Source& source, std::size_t at_once) {
  std::string out;
  std::vector<std::byte> buffer(at_once);
  while (true) {
    const std::size_t n = TRY(source.read(buffer));
    if (n == 0) return out;
    out.append(reinterpret_cast<const char*>(buffer.data()), n);
  }
}

TEST(Conduit, WhatIsWrittenComesOutInOrderWhateverThePieces) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 dice(seed);
  std::string all(3'000'000, '\0');
  for (char& c : all) c = static_cast<char>(dice());
  Conduit conduit(100'000);
  std::jthread writer([&] {
    std::string_view rest = all;
    while (!rest.empty()) {
      const std::size_t n = std::min<std::size_t>(rest.size(), 1 + dice() % 300'000);
      ASSERT_TRUE(conduit.in().write(bytes(rest.substr(0, n))));
      rest.remove_prefix(n);
    }
    conduit.end({});
  });
  EXPECT_TRUE(read_all(conduit.out(), 7'777).value() == all);
}

TEST(Conduit, AWritersErrorIsTheReadersAlsoBeforeAllIsRead) {
  Conduit conduit;
  ASSERT_TRUE(conduit.in().write(bytes("some")));
  conduit.end(fail(Kind::unavailable, "the dump failed"));
  EXPECT_EQ(read_all(conduit.out(), 100).error().message, "the dump failed");
}

TEST(Conduit, AWriterThatWaitsForRoomFailsOnceTheReaderHasGivenUp) {
  Conduit conduit(1'000);
  std::atomic<bool> failed = false;
  std::jthread writer([&] {
    Result<void> written;
    while (written) written = conduit.in().write(bytes(std::string(600, 'x')));
    failed = written.error().message == "no room";
  });
  std::array<std::byte, 10> some{};
  ASSERT_TRUE(conduit.out().read(some));
  conduit.abandon(Error{Kind::unavailable, "no room"});
  writer.join();
  EXPECT_TRUE(failed);
}

TEST(Conduit, AReaderThatWaitsAsksWhetherToGoOn) {
  Conduit conduit(1'000, [] { return Result<void>(fail(Kind::interrupted, "told to stop")); });
  std::array<std::byte, 10> some{};
  EXPECT_EQ(conduit.out().read(some).error().message, "told to stop");
}

}  // namespace
}  // namespace steward
