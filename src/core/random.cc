#include "core/random.h"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <span>

#include "core/digest.h"

namespace steward {

std::string random_hex(std::size_t bytes) {
  std::array<unsigned char, 64> random{};
  const std::size_t n = std::min(bytes, random.size());
  // Below 256 bytes getrandom answers in full once the kernel's pool is ready, which it waits for.
  if (getrandom(random.data(), n, 0) < 0) std::abort();
  return hex(std::span(random).first(n));
}

}  // namespace steward
