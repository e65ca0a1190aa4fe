#include "jobs/rotation/rotation.h"

#include <fmt/format.h>

#include <csignal>
#include <cstring>

namespace steward::rotation {

std::string_view suffix_of(Compression compression) {
  switch (compression) {
    case Compression::none: return "";
    case Compression::gzip: return ".gz";
    case Compression::zstd: return ".zst";
  }
  return "";
}

std::string text_of(const Reopen& reopen) {
  if (!reopen.command.empty()) return fmt::format("{}", fmt::join(reopen.command, " "));
  const char* name = sigabbrev_np(reopen.signal);
  return fmt::format("SIG{} to the process in {}", name == nullptr ? "?" : name, reopen.pid_file);
}

}  // namespace steward::rotation
