/// Opening below a folder, with no symlink followed and no way out: openat2 where the kernel has it and allows it, else
/// component by component.
#pragma once
#include <sys/types.h>

#include <cerrno>
#include <expected>
#include <string>
#include <string_view>

#include "core/result.h"
#include "io/files/folder.h"

namespace steward::files {

/// A handle, or errno: ELOOP for a symlink on the way or at the end, ENOTDIR for a file where a folder has to be.
using Opened = std::expected<Handle, int>;

/// bad_input where `path` is absolute or has a NUL, an empty, a "." or a ".." segment.
Result<void> check_path(std::string_view path);

/// Opens a checked path below `folder`; "" is the folder itself. `flags` as for open; O_CLOEXEC is added.
Opened open_beneath(int folder, std::string_view path, int flags, Calls calls);

/// Opens the subfolder `name` of `folder` for listing, unless it is the root of another mount: EXDEV.
Opened open_on_same_mount(int folder, const char* name, Calls calls);

/// The folder part and the last segment: "a/b/c" is "a/b" and "c"; "c" is "" and "c".
struct SplitPath {
  std::string_view folder{};
  std::string name{};
};
SplitPath split_last(std::string_view path);

/// `call` again for as long as a signal interrupts it.
template <class Call>
auto retried(Call call) {
  auto answer = call();
  while (answer < 0 && errno == EINTR) answer = call();
  return answer;
}

}  // namespace steward::files
