/// Randomness for names.
#pragma once
#include <string>

namespace steward {

/// `bytes` random bytes (at most 64) from the kernel, as lower-case hexadecimal.
std::string random_hex(std::size_t bytes);

}  // namespace steward
