#include "io/files/system_folders.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <string_view>

namespace steward::files {
namespace {

constexpr std::array folders{"/",    "/home", "/media",     "/mnt", "/opt",       "/root",    "/run",    "/srv",
                             "/tmp", "/usr",  "/usr/local", "/var", "/var/cache", "/var/lib", "/var/tmp"};
constexpr std::array trees{"/bin",         "/boot",    "/dev",         "/etc",      "/lib",      "/lib32",
                           "/lib64",       "/libx32",  "/proc",        "/sbin",     "/sys",      "/usr/bin",
                           "/usr/include", "/usr/lib", "/usr/libexec", "/usr/sbin", "/usr/share"};

bool is_one(const std::string& path) {
  const auto below = [&](std::string_view tree) {
    return path == tree || (path.starts_with(tree) && path[tree.size()] == '/');
  };
  return std::ranges::any_of(folders, [&](std::string_view folder) { return path == folder; }) ||
         std::ranges::any_of(trees, below);
}

}  // namespace

bool is_system_folder(const std::string& path) {
  std::error_code missing;
  const std::string real = std::filesystem::canonical(path, missing).string();
  return is_one(path) || (!missing && is_one(real));
}

}  // namespace steward::files
