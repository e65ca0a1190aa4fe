/// What is written down before a log is touched that has its copy in the archive already, so that whoever comes after a
/// crash knows which of the two has the lines.
///
/// One file in the archive's folder, `.steward-rotating-TASK.json`; there only while a log is being cut, emptied or
/// moved. Without it a crash between "the copy is there" and "the original is gone" would leave lines twice.
#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "core/bytes.h"
#include "core/result.h"
#include "io/files/folder.h"
#include "jobs/rotation/decide.h"

namespace steward::rotation {

struct Record {
  Way way = Way::cut;                    ///< cut, copytruncate or move.
  std::string log{};                     ///< Relative to the folder of the logs,
  std::string archive{};                 ///< and its copy, relative to the archive's folder.
  std::uint64_t device = 0, inode = 0;   ///< Of the log.
  Bytes size{};                          ///< Of the copy,
  std::string sha256{};                  ///< and its hash: the log's first `size` bytes.
  std::optional<std::uint64_t> place{};  ///< Of the log's front: see io/files/front.h.
  bool operator==(const Record&) const = default;
};

/// Durable. One at a time.
Result<void> write_record(const files::Folder& archive, const std::string& task, const Record& record);
/// Empty where there is none. corrupt where it is none of ours.
Result<std::optional<Record>> read_record(const files::Folder& archive, const std::string& task);
Result<void> erase_record(const files::Folder& archive, const std::string& task);

/// What is to be done about a record that somebody has left. Pure.
enum class Remedy {
  nothing,  ///< It was finished, or not begun: the record goes.
  finish,   ///< The log still begins with what is archived: it is cut or removed now.
  undo,     ///< The copy goes: the log has it all.
  both,     ///< It cannot be told: both stay, and lines may be there twice.
};
/// What is found of a record's two files.
struct Aftermath {
  bool archived = false;    ///< The copy is there, with the record's size or more.
  bool same_log = false;    ///< The log is there, with the record's device and inode, and at least `size` bytes.
  bool same_front = false;  ///< Its first `size` bytes are those of the copy.
  bool grown = false;       ///< It has more than these.
  std::optional<std::uint64_t> place{};
};
Remedy remedy(const Record& record, const Aftermath& found);

}  // namespace steward::rotation
