#include "jobs/backup/age.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <optional>

#include "core/text.h"
#include "io/process/piped.h"

namespace steward::backup {
namespace {

/// On PATH, as an absolute path.
Result<std::string> program() {
  const char* path = std::getenv("PATH");
  for (const std::string& folder : split(path == nullptr ? "/usr/bin:/bin" : path, ':')) {
    std::string found = folder + "/age";
    if (folder.starts_with('/') && access(found.c_str(), X_OK) == 0) return found;
  }
  return fail(Kind::not_found, "there is no program age here, which encrypts backups", "Install the package age.");
}

Result<void> run(std::vector<std::string> arguments, std::stop_token stop, const std::string& act,
                 const std::function<Result<void>(Sink&)>& content, Sink& next) {
  arguments.insert(arguments.begin(), TRY(program()));
  return process::run_through(
      {.command = {.arguments = std::move(arguments), .environment = {"PATH=/usr/bin:/bin"}}, .stop = std::move(stop)},
      act, content, next);
}

}  // namespace

Result<void> check_recipient(std::string_view recipient) {
  if (recipient.starts_with("age1") || recipient.starts_with("ssh-ed25519 ") || recipient.starts_with("ssh-rsa "))
    return {};
  if (recipient.starts_with("AGE-SECRET-KEY-"))
    return fail(Kind::bad_input, "that is a secret key; a backup is encrypted to public ones",
                "Write the public key beside it, which begins with age1, and keep the secret one elsewhere.");
  return fail(Kind::bad_input, fmt::format("\"{}\" is no public key of age's", printable(recipient)),
              "Write one that begins with age1, or ssh-ed25519.");
}

Result<void> expect_age() {
  TRY(program());
  return {};
}

Result<void> encrypt(const std::vector<std::string>& recipients, std::stop_token stop,
                     const std::function<Result<void>(Sink&)>& content, Sink& next) {
  std::vector<std::string> arguments{"--encrypt"};
  for (const std::string& recipient : recipients) {
    arguments.emplace_back("--recipient");
    arguments.push_back(recipient);
  }
  return run(std::move(arguments), std::move(stop), "encrypt a backup", content, next);
}

Result<void> decrypt(const std::string& identity, std::stop_token stop,
                     const std::function<Result<void>(Sink&)>& content, Sink& next) {
  if (identity.empty())
    return fail(Kind::permission, "the backup is encrypted, and no secret key is known here",
                "Name the file of the secret key: --identity FILE, BACKUP_AGE_IDENTITY, or identity in the file.");
  if (access(identity.c_str(), R_OK) != 0)
    return fail(Kind::not_found, fmt::format("the file of the secret key, {}, cannot be read", printable(identity)));
  auto decrypted = run({"--decrypt", "--identity", identity}, std::move(stop), "decrypt a backup", content, next);
  if (decrypted || !decrypted.error().message.starts_with("cannot decrypt a backup")) return decrypted;
  // age itself has failed, and says why in English. What is not clearly of the bytes says nothing of them.
  const std::string& said = decrypted.error().message;
  if (said.contains("no identity matched"))
    return fail(Kind::permission, said, fmt::format("{} is not a key that it was encrypted to.", printable(identity)));
  const bool is_of_the_bytes = said.contains("authenticate") || said.contains("EOF") || said.contains("MAC");
  return fail(is_of_the_bytes ? Kind::corrupt : Kind::unavailable, said);
}

}  // namespace steward::backup
