/// Encryption of what is stored, by the stock program `age` (age-encryption.org): to public keys, so that the machine
/// which backs up cannot read its backups. No format of steward's own: `age -d -i KEY.txt` decrypts them.
#pragma once
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "core/result.h"
#include "core/stream.h"

namespace steward::backup {

/// How the keys of encrypted objects end.
inline constexpr std::string_view encrypted_suffix = ".age";

/// Whom it is for: "age1…", "ssh-ed25519 AAAA…". bad_input for what is none.
Result<void> check_recipient(std::string_view recipient);

/// not_found, with the package, where there is no age here.
Result<void> expect_age();

/// Encrypts what `content` writes, into `next`. not_found: there is no age here.
Result<void> encrypt(const std::vector<std::string>& recipients, std::stop_token stop,
                     const std::function<Result<void>(Sink&)>& content, Sink& next);
/// And back, with the private key in the file `identity`. permission: none, or not one of those that it is for.
/// corrupt: the bytes are not what was written. unavailable: what else age says, as of a file that holds no key.
Result<void> decrypt(const std::string& identity, std::stop_token stop,
                     const std::function<Result<void>(Sink&)>& content, Sink& next);

}  // namespace steward::backup
