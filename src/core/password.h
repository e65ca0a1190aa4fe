/// Passwords: hashed by Argon2id (RFC 9106), by libsodium. A hash takes about a tenth of a second and 64 MiB for a
/// moment, on purpose: whoever has stolen the hashes pays that for each guess.
#pragma once
#include <string>
#include <string_view>

#include "core/result.h"
#include "core/secret.h"

namespace steward {

/// Fewer characters than this are guessed; more than the second are no password, but an attempt to keep us busy.
inline constexpr std::size_t shortest_password = 12, longest_password = 1024;

/// "$argon2id$v=19$…". bad_input where it is too short or too long; unavailable where there is no memory for it.
Result<std::string> hash_password(const Secret& password);

/// Whether `password` is what was hashed. False for anything that is no such hash; it takes as long.
bool is_password(const Secret& password, std::string_view hash);

/// A secret that nobody can guess, for links, cookies and tokens: 256 random bits as 64 hexadecimal digits. Such a one
/// is stored as its SHA-256: a slow hash is for what people think up.
Secret new_secret();

}  // namespace steward
