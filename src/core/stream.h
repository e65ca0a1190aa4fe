/// Bytes that flow: what is too large for memory passes through these two.
#pragma once
#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "core/result.h"

namespace steward {

/// Where bytes come from.
struct Source {
  virtual ~Source() = default;
  /// Fills some of `buffer`; 0 at the end, and only there. The caller's buffer is not empty.
  virtual Result<std::size_t> read(std::span<std::byte> buffer) = 0;
};

/// Where bytes go.
struct Sink {
  virtual ~Sink() = default;
  /// Takes all of `bytes`, or fails.
  virtual Result<void> write(std::span<const std::byte> bytes) = 0;
};

/// Bytes in memory, for what is known to be small.
class StringSource final : public Source {
 public:
  explicit StringSource(std::string_view bytes) : rest_(bytes) {}
  Result<std::size_t> read(std::span<std::byte> buffer) override {
    const std::size_t n = std::min(buffer.size(), rest_.size());
    std::copy_n(reinterpret_cast<const std::byte*>(rest_.data()), n, buffer.begin());
    rest_.remove_prefix(n);
    return n;
  }

 private:
  std::string_view rest_;
};

struct StringSink final : Sink {
  Result<void> write(std::span<const std::byte> bytes) override {
    text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return {};
  }
  std::string text{};
};

}  // namespace steward
