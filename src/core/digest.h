/// SHA-256 and HMAC-SHA-256 (FIPS 180-4, RFC 2104), by OpenSSL.
#pragma once
#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace steward {

using Sha256Bytes = std::array<unsigned char, 32>;

/// A hash over bytes that come in pieces.
class Sha256 {
 public:
  Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  ~Sha256();
  void update(std::span<const std::byte> bytes);
  void update(std::string_view bytes) { update(std::as_bytes(std::span(bytes))); }
  /// The hash of all so far. Call it once.
  Sha256Bytes finish();
  /// The same, as 64 lower-case hexadecimal digits.
  std::string finish_hex();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

Sha256Bytes sha256(std::string_view bytes);
std::string sha256_hex(std::string_view bytes);
Sha256Bytes hmac_sha256(std::string_view key, std::string_view message);

/// Lower-case hexadecimal.
std::string hex(std::span<const unsigned char> bytes);

}  // namespace steward
