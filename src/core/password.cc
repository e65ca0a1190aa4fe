#include "core/password.h"

#include <fmt/format.h>
#include <sodium.h>

#include <array>

#include "core/random.h"

namespace steward {
namespace {

// libsodium's "interactive" values: two passes over 64 MiB.
constexpr unsigned long long passes = crypto_pwhash_argon2id_OPSLIMIT_INTERACTIVE;
constexpr std::size_t memory = crypto_pwhash_argon2id_MEMLIMIT_INTERACTIVE;

bool is_ready() { return sodium_init() >= 0; }  // once more is nothing, from any thread

}  // namespace

Result<std::string> hash_password(const Secret& password) {
  const std::string& text = password.reveal();
  if (text.size() < shortest_password)
    return fail(Kind::bad_input, fmt::format("a password needs {} characters or more", shortest_password),
                "Four or five words make a good one.");
  if (text.size() > longest_password)
    return fail(Kind::bad_input, fmt::format("a password has {} bytes at the most", longest_password));
  std::array<char, crypto_pwhash_STRBYTES> out{};
  if (!is_ready() ||
      crypto_pwhash_str_alg(out.data(), text.data(), text.size(), passes, memory, crypto_pwhash_ALG_ARGON2ID13) != 0)
    return fail(Kind::unavailable, "there is not enough memory to hash a password", "It takes 64 MiB for a moment.");
  return std::string(out.data());
}

bool is_password(const Secret& password, std::string_view hash) {
  if (!is_ready() || password.reveal().size() > longest_password) return false;
  const std::string text(hash);
  if (text.size() < crypto_pwhash_STRBYTES && text.starts_with(crypto_pwhash_argon2id_STRPREFIX))
    return crypto_pwhash_str_verify(text.c_str(), password.reveal().data(), password.reveal().size()) == 0;
  std::array<char, crypto_pwhash_STRBYTES> spent{};
  // Its outcome is nobody's: what counts is the time that it takes.
  [[maybe_unused]] const int spent_time = crypto_pwhash_str_alg(
      spent.data(), password.reveal().data(), password.reveal().size(), passes, memory, crypto_pwhash_ALG_ARGON2ID13);
  return false;
}

Secret new_secret() { return Secret(random_hex(32)); }

}  // namespace steward
