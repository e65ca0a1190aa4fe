/// Sizes in bytes, as a type of their own.
#pragma once
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/result.h"

namespace steward {

/// A size in bytes.
struct Bytes {
  std::uint64_t count{};
  constexpr auto operator<=>(const Bytes&) const = default;
  constexpr Bytes& operator+=(Bytes other) {
    count += other.count;
    return *this;
  }
  friend constexpr Bytes operator+(Bytes a, Bytes b) { return {a.count + b.count}; }
  friend constexpr Bytes operator-(Bytes a, Bytes b) { return {a.count - b.count}; }
};

constexpr Bytes operator""_B(unsigned long long n) { return {n}; }
constexpr Bytes operator""_KiB(unsigned long long n) { return {n << 10}; }
constexpr Bytes operator""_MiB(unsigned long long n) { return {n << 20}; }
constexpr Bytes operator""_GiB(unsigned long long n) { return {n << 30}; }

/// For people: "0 B", "999 B", "1.5 KiB", "12 MiB": three significant digits at the most, units of 1,024.
std::string format_bytes(Bytes size);

/// "512", "64 KiB", "64KB" (KB and KiB are both 1,024), "1.5 GiB". bad_input for anything else, negatives and overflow.
Result<Bytes> parse_bytes(std::string_view text);

/// 1234567 -> "1,234,567".
std::string format_count(std::uint64_t n);

}  // namespace steward
