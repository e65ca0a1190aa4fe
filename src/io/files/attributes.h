/// What a copy is given of its original beside the bytes.
#pragma once
#include <cstdint>
#include <optional>

#include "core/instant.h"

namespace steward::files {

struct Attributes {
  std::optional<std::uint32_t> mode{};  ///< Permission bits; with them owner and group.
  std::uint32_t owner = 0, group = 0;
  std::optional<Instant> modified{};
};

/// Gives them to the file behind `fd`, as far as rights allow: an ordinary user may not give files away, and the bytes
/// matter more.
void give(int fd, const Attributes& attributes);

}  // namespace steward::files
