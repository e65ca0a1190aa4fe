/// For tests alone: short ways to fill a store and to look into it.
#pragma once
#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "io/object/store.h"

namespace steward::object {

inline ObjectInfo put(Store& store, const std::string& key, std::string_view content, const PutOptions& options = {}) {
  StringSource source(content);
  auto info = store.put(key, source, options);
  EXPECT_TRUE(info) << info.error().message;
  return info.value_or(ObjectInfo{});
}

/// The content; or the error's message, which no content of a test begins like.
inline std::string content_of(Store& store, const std::string& key) {
  StringSink sink;
  const auto info = store.get(key, sink);
  if (!info) return "error: " + info.error().message;
  EXPECT_EQ(info->size.count, sink.text.size());
  return sink.text;
}

inline std::multiset<std::string> keys_of(Store& store, const std::string& prefix = "") {
  std::multiset<std::string> keys;
  const auto listed = store.list(prefix, [&](const ObjectInfo& object) -> Result<bool> {
    keys.insert(object.key);
    return true;
  });
  EXPECT_TRUE(listed) << listed.error().message;
  return keys;
}

/// Bytes that no two parts share.
inline std::string random_bytes(std::size_t size) {
  std::mt19937_64 engine(size);
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(engine());
  return bytes;
}

/// Puts one small object under each key, from several threads.
inline void put_all(Store& store, const std::vector<std::string>& keys) {
  std::atomic<std::size_t> next = 0;
  std::vector<std::jthread> threads;
  for (int t = 0; t < 8; ++t)
    threads.emplace_back([&] {
      for (std::size_t i = next++; i < keys.size(); i = next++) {
        StringSource source("x");
        if (!store.put(keys[i], source)) ADD_FAILURE() << keys[i];
      }
    });
}

inline std::vector<std::string> numbered_keys(std::size_t count) {
  std::vector<std::string> keys;
  for (std::size_t i = 0; i < count; ++i) keys.push_back("many/" + std::to_string(i));
  return keys;
}

/// Fails after so many bytes, as a disk does.
class FailingSource final : public Source {
 public:
  explicit FailingSource(std::size_t good) : good_(good) {}
  Result<std::size_t> read(std::span<std::byte> buffer) override {
    if (good_ == 0) return fail(Kind::corrupt, "the disk is broken");
    const std::size_t n = std::min(good_, buffer.size());
    std::fill_n(buffer.begin(), n, std::byte{'x'});
    good_ -= n;
    return n;
  }

 private:
  std::size_t good_;
};

/// Fails after so many bytes, as a full disk does.
class FailingSink final : public Sink {
 public:
  explicit FailingSink(std::size_t room) : room_(room) {}
  Result<void> write(std::span<const std::byte> bytes) override {
    if (bytes.size() > room_) return fail(Kind::unavailable, "no space left on device");
    room_ -= bytes.size();
    return {};
  }

 private:
  std::size_t room_;
};

}  // namespace steward::object
