/// What fuzz targets say about the code that they call.
#pragma once
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <source_location>
#include <string_view>

#include "core/instant.h"

/// libFuzzer's entry (and replay.cc's): one input. Returns 0; what must not happen ends the process.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace steward::fuzz {

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return size == 0 ? std::string_view{} : std::string_view(reinterpret_cast<const char*>(data), size);
}

/// Ends the process where a property does not hold; the fuzzer keeps the input.
inline void require(bool holds, const char* property,
                    const std::source_location& where = std::source_location::current()) {
  if (holds) return;
  std::fprintf(stderr, "%s:%u: does not hold: %s\n", where.file_name(), static_cast<unsigned>(where.line()), property);
  std::abort();
}

/// Whether an instant's text can be read back: RFC 3339 has years of four digits.
inline bool has_four_digit_year(Instant instant) {
  using std::chrono::sys_days, std::chrono::year;
  return instant >= sys_days{year{0} / 1 / 1} && instant < sys_days{year{10'000} / 1 / 1};
}

}  // namespace steward::fuzz
