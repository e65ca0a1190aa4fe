/// What becomes of a log, and of an archive: pure, with a reason for each.
#pragma once
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/bytes.h"
#include "core/instant.h"
#include "jobs/rotation/archive_name.h"
#include "jobs/rotation/rotation.h"

namespace steward::rotation {

/// Who has a log open.
enum class Users {
  nobody,
  readers,      ///< Only to read.
  appending,    ///< Whoever writes appends.
  overwriting,  ///< Somebody writes at an offset of its own.
  unknown,      ///< Somebody has it open or might have, and nobody can tell how.
};

/// One log as it was found.
struct LogFile {
  std::string path{};  ///< Relative to the folder.
  Bytes size{};
  std::uint64_t links = 1;
  Users users = Users::nobody;
  std::string by{};               ///< "nginx (pid 812)", where known.
  std::string unknown_because{};  ///< Of `unknown`: what keeps us from telling.
  bool just_rotated = false;      ///< Within `again_after`.
  bool held = false;
  Bytes cuttable{};  ///< What of its front could go in place; 0: nothing.
};

/// How things stand with the folders.
struct Ground {
  bool can_cut = false;       ///< The file system of the logs takes the front off a file.
  bool other_device = false;  ///< The archive is on another file system.
  bool again = false;         ///< Also what was rotated just now.
};

enum class Way { leave, rename, cut, copytruncate, move };
/// "renamed", "cut", "copied and emptied", "moved", "left".
std::string_view text_of(Way way);

struct Decision {
  Way way = Way::leave;
  std::string reason{};  ///< Why it is left; or what a person should know of the way. Empty: nothing.
  bool reopen = false;   ///< The writer is asked to open it anew behind it.
};

/// In this order: what is held, empty, has several names, is too small or was rotated just now is left. What nobody
/// writes to is renamed (or moved to another file system). Otherwise as the policy's `writer` says; `automatic` is
/// rename where there is a `reopen`, since then archives end at the end of a line; cut where whoever writes appends and
/// the file system can; else rename, with a warning.
Decision decide(const Policy& policy, const LogFile& log, const Ground& ground);

/// One archive as it was found.
struct Archived {
  std::string path{};  ///< Relative to the archive's folder.
  ArchiveName name{};
  Bytes size{};
};
struct ArchiveDecision {
  bool remove = false;
  std::string reason{};  ///< "archived more than 7 days ago", "newer than the cutoff", …
};
/// One for each, in the order given. `cutoff` is the policy's `keep` before now. Each archive is decided on by itself
/// unless there is a `keep_count` or `keep_bytes`: then all of them have to be given.
std::vector<ArchiveDecision> decide(const Policy& policy, std::span<const Archived> archives, Instant cutoff);

}  // namespace steward::rotation
